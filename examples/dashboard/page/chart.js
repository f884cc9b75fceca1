// The drawing of the timeline: score and share in the region as lines, the classes as a strip below. Sizes are pixels.

import { makeSvg } from "./dom.js";
import { clockMinutes, short } from "./format.js";
import { pathOf } from "./history.js";

const SPAN = 600_000;
const LEFT = 44;
const RIGHT = 10;
const TOP = 8;
const PLOT = 132;
const STRIP = { y: TOP + PLOT + 10, height: 20 };
const HEIGHT = STRIP.y + STRIP.height + 24;
const TICK = 120_000;
const COLOURS = 6;
/** Seconds that a class counts for after its point, and the width of a letter. */
const POINT = 1000;
const LETTER = 6.6;

export class Chart {
  #svg = makeSvg("svg", { "aria-hidden": "true", focusable: "false", height: HEIGHT });
  #grid = makeSvg("g", { class: "chart-grid" });
  #area = makeSvg("path", { class: "chart-area" });
  #score = makeSvg("path", { class: "chart-score" });
  #roi = makeSvg("path", { class: "chart-roi" });
  #strip = makeSvg("g", { class: "chart-strip" });
  #cursor = makeSvg("g", { class: "chart-cursor" });
  #width = 600;
  #now = 0;
  #colours = new Map();

  constructor(box) {
    this.#svg.append(this.#grid, this.#area, this.#roi, this.#score, this.#strip, this.#cursor);
    box.append(this.#svg);
  }

  draw(points, now, width) {
    this.#now = now;
    this.#width = width;
    this.#svg.setAttribute("width", width);
    const x = (point) => this.#x(point.time);
    const score = pathOf(points, (point) => point.score, x, yOf);
    this.#score.setAttribute("d", score);
    this.#area.setAttribute("d", areaUnder(score));
    this.#roi.setAttribute("d", pathOf(points, (point) => point.roi, x, yOf));
    this.#grid.replaceChildren(...this.#lines());
    this.#strip.replaceChildren(...this.#classes(points));
  }

  /** Marks a point, or none. */
  mark(point) {
    this.#cursor.replaceChildren();
    if (!point) return;
    const x = this.#x(point.time);
    this.#cursor.append(makeSvg("path", { d: `M${x} ${TOP}V${STRIP.y + STRIP.height}` }));
    for (const [value, kind] of [[point.roi, "roi"], [point.score, "score"]]) {
      if (value !== null) this.#cursor.append(makeSvg("circle", { class: `mark-${kind}`, cx: x, cy: yOf(value), r: 3.5 }));
    }
  }

  /** The time at a place, in pixels from the left edge of the drawing. */
  timeAt(x) {
    return this.#now - SPAN + ((x - LEFT) / (this.#width - LEFT - RIGHT)) * SPAN;
  }

  #x(time) {
    return LEFT + ((time - this.#now + SPAN) / SPAN) * (this.#width - LEFT - RIGHT);
  }

  #lines() {
    const nodes = [];
    for (const share of [0, 0.5, 1]) {
      nodes.push(makeSvg("path", { d: `M${LEFT} ${yOf(share)}H${this.#width - RIGHT}` }));
      nodes.push(makeSvg("text", { x: LEFT - 8, y: yOf(share) + 4, "text-anchor": "end" }, `${share * 100} %`));
    }
    const first = Math.ceil((this.#now - SPAN) / TICK) * TICK;
    for (let time = first; time <= this.#now; time += TICK) {
      const x = this.#x(time);
      if (x < LEFT + 16 || x > this.#width - 24) continue;
      nodes.push(makeSvg("path", { d: `M${x} ${TOP}V${STRIP.y + STRIP.height + 4}` }));
      nodes.push(makeSvg("text", { x, y: HEIGHT - 5, "text-anchor": "middle" }, clockMinutes(time)));
    }
    return nodes;
  }

  /** The strip: one box for each stretch of the same class, with its name where it fits. */
  #classes(points) {
    const nodes = [];
    for (const { label, from, to } of stretches(points)) {
      const x = Math.max(this.#x(from), LEFT);
      const width = Math.max(this.#x(to) - x, 1);
      nodes.push(makeSvg("rect", { class: `class-${this.#colour(label)}`, x, y: STRIP.y, width, height: STRIP.height }));
      const letters = Math.floor((width - 10) / LETTER);
      const word = short(label);
      const name = word.length <= letters ? word : letters > 4 ? `${word.slice(0, letters - 1)}…` : "";
      if (name) nodes.push(makeSvg("text", { x: x + 5, y: STRIP.y + 14 }, name));
    }
    return nodes;
  }

  /** A class keeps its colour as long as the chart lives. */
  #colour(label) {
    if (!this.#colours.has(label)) this.#colours.set(label, this.#colours.size % COLOURS);
    return this.#colours.get(label);
  }
}

const yOf = (share) => TOP + (1 - share) * PLOT;

/** The area under a line of several pieces. */
function areaUnder(path) {
  const pieces = path.split("M").filter((piece) => piece.includes("L"));
  return pieces.map((piece) => {
    const places = piece.replace("l0 0", "").split("L");
    const [first] = places[0].split(" ");
    const [last] = places.at(-1).split(" ");
    return `M${first} ${yOf(0)}L${places.join("L")}L${last} ${yOf(0)}Z`;
  }).join("");
}

/** Stretches of one class, in time. */
export function stretches(points) {
  const found = [];
  for (const { label, time } of points) {
    if (label === null) continue;
    const last = found.at(-1);
    if (last?.label === label && time - last.to < 3 * POINT) last.to = time + POINT;
    else found.push({ label, from: time, to: time + POINT });
  }
  return found;
}
