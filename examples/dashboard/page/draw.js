// The region on the picture: drawn with the mouse or a pen, with a finger where that was asked for, and moved with the arrow keys.

import { makeSvg } from "./dom.js";
import { between, MIDDLE, moved, resized } from "./region.js";

const STEP = 0.02;
const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
const HELP = "Region of interest on the picture. Arrow keys move it, with shift they resize it, Enter begins one, Delete removes it.";

export class Drawing {
  #svg;
  #drawn;
  #region = null;
  #halves = 1;
  #from = null;
  #boxes;

  /** `drawn(region)`: the reader wants this one; null is none. */
  constructor(svg, drawn) {
    this.#svg = svg;
    this.#drawn = drawn;
    svg.setAttribute("aria-label", HELP);
    // Side by side there are two pictures, and the region is on both.
    this.#boxes = [0, 1].map(() => makeSvg("rect", { class: "region-box" }));
    svg.append(...this.#boxes);
    svg.addEventListener("pointerdown", (event) => this.#begin(event));
    svg.addEventListener("pointermove", (event) => this.#go(event));
    svg.addEventListener("pointerup", (event) => this.#end(event));
    svg.addEventListener("pointercancel", () => this.#stop());
    svg.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Shows a region; `halves` is 2 where the picture is two side by side. */
  show(region, halves) {
    this.#halves = halves;
    if (!this.#from) this.#place(region);
  }

  /** Whether a finger draws, and does not scroll. */
  touch(on) {
    this.#svg.classList.toggle("touched", on);
  }

  #place(region) {
    this.#region = region;
    this.#boxes.forEach((box, half) => {
      const shown = region && half < this.#halves;
      box.setAttribute("visibility", shown ? "visible" : "hidden");
      if (!shown) return;
      const width = 100 / this.#halves;
      box.setAttribute("x", half * width + region.x * width);
      box.setAttribute("y", region.y * 100);
      box.setAttribute("width", region.width * width);
      box.setAttribute("height", region.height * 100);
    });
  }

  /** Where the pointer is, in shares of the half that drawing began in. */
  #at(event, half) {
    const box = this.#svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.#halves;
    const within = half ?? Math.min(Math.floor(Math.max(x, 0)), this.#halves - 1);
    return { x: x - within, y: (event.clientY - box.top) / box.height, half: within };
  }

  #begin(event) {
    const finger = event.pointerType === "touch" && !this.#svg.classList.contains("touched");
    if (event.button !== 0 || finger) return;
    this.#svg.setPointerCapture(event.pointerId);
    this.#from = { corner: this.#at(event), before: this.#region };
  }

  #go(event) {
    if (!this.#from) return;
    const { corner, before } = this.#from;
    this.#place(between(corner, this.#at(event, corner.half)) ?? before);
  }

  #end(event) {
    if (!this.#from) return;
    const { corner } = this.#from;
    const region = between(corner, this.#at(event, corner.half));
    this.#stop();
    // A click is not a region.
    if (region) this.#want(region);
  }

  #stop() {
    if (this.#from) this.#place(this.#from.before);
    this.#from = null;
  }

  #want(region) {
    this.#place(region);
    this.#drawn(region);
  }

  #key(event) {
    const region = this.#region;
    const arrow = ARROWS[event.key];
    if (arrow && region) this.#want(event.shiftKey ? resized(region, ...arrow) : moved(region, ...arrow));
    else if (event.key === "Enter" && !region) this.#want(MIDDLE);
    else if ((event.key === "Delete" || event.key === "Backspace") && region) this.#want(null);
    else return;
    event.preventDefault();
  }
}
