// The detail view of one camera: its parts put together, and taken apart when it is left.

import { Controls } from "./controls.js";
import { fromTemplate, setText } from "./dom.js";
import { Drawing } from "./draw.js";
import { Facts } from "./facts.js";
import { Feed } from "./feed.js";
import { latest } from "./latest.js";
import { Ranks } from "./ranks.js";
import { parse, print } from "./region.js";
import { RegionFields } from "./regionfields.js";
import { Rtc } from "./rtc.js";
import { saveClip, saveSnapshot } from "./save.js";
import { Timeline } from "./timeline.js";
import * as wire from "./wire.js";

/** Where the picture comes by WebRTC, these are small: their numbers are wanted. */
const NUMBERS_ONLY = 160;

export class Detail {
  id;
  #camera;
  #cameras;
  #box;
  #parts;
  #feed;
  #facts;
  #ranks;
  #timeline;
  #controls = null;
  #drawing;
  #fields;
  #rtc = null;
  /** The region that was asked for and not yet answered. */
  #wanted = null;
  #awake = false;
  #closed = false;
  #sizes = new ResizeObserver(() => this.#run());

  constructor(camera, box, cameras) {
    this.id = camera.id;
    this.#camera = camera;
    this.#cameras = cameras;
    this.#box = box;
    const { content, parts } = fromTemplate("detail-template");
    this.#parts = parts;
    box.replaceChildren(content);

    const send = latest((wanted) => this.#setRegion(wanted));
    const region = (wanted) => {
      this.#wanted = print(wanted);
      // It is shown at once: what is typed or moved next goes on from it.
      this.#place(wanted);
      send(wanted);
    };
    this.#drawing = new Drawing(parts.region, region);
    this.#fields = new RegionFields(region);
    this.#feed = new Feed(camera, parts, { shown: (head) => this.#shown(head) });
    this.#facts = new Facts(parts);
    this.#ranks = new Ranks(parts.ranks);
    this.#timeline = new Timeline(camera.id, parts);
    this.#sizes.observe(parts.frame);
    this.#listen();
    this.update(camera);
    this.#makeControls();
  }

  /** Takes the camera's state as the list has it. */
  update(camera) {
    this.#camera = camera;
    const parts = this.#parts;
    setText(parts.name, camera.name);
    setText(parts.source, [camera.source, camera.model].filter(Boolean).join(" · "));
    parts.canvas.setAttribute("aria-label", `Live picture of ${camera.name} with its heat map`);
    this.#showRegion();
    this.#controls?.update(camera.settings, camera.layer);
    if (camera.state !== "playing") this.#facts.clear();
    this.#feed.update(camera);
    this.#link(parts.previous, -1);
    this.#link(parts.next, 1);
    if (!parts.frame.dataset.shaped) this.#shape(camera);
  }

  /** Plays, or not: where the page is hidden or paused. */
  wake(awake) {
    if (awake && !this.#awake) this.#timeline.refresh();
    this.#awake = awake;
    this.#run();
  }

  focus() {
    this.#parts.name.focus({ preventScroll: true });
  }

  close() {
    this.#closed = true;
    this.#sizes.disconnect();
    this.#timeline.close();
    this.#feed.run(0);
    this.#rtc?.close();
    this.#box.replaceChildren();
  }

  async #makeControls() {
    const { controls } = this.#parts;
    try {
      const options = await wire.options();
      if (this.#closed) return;
      const change = (settings) => this.#cameras.change(this.id, settings);
      this.#controls = new Controls(controls, this.#camera.settings, options, change);
      this.#controls.update(this.#camera.settings, this.#camera.layer);
      controls.append(this.#fields.node);
    } catch (error) {
      if (!this.#closed) setText(controls, error.message);
    }
  }

  #listen() {
    const parts = this.#parts;
    parts.draw.addEventListener("click", () => this.#touch(parts.draw.getAttribute("aria-pressed") !== "true"));
    parts.snapshot.addEventListener("click", () => this.#save(parts.snapshot, "The snapshot", () => saveSnapshot(this.#camera)));
    parts.clip.addEventListener("click", () => this.#save(parts.clip, "The clip", () => saveClip(this.#camera, parts.seconds.value)));
    parts.way.addEventListener("change", () => this.#run());
  }

  #shown(head) {
    this.#facts.show(head);
    this.#ranks.show(head.seen);
    this.#controls?.offer(head.seen);
    this.#timeline.take(head);
    if (head.width && head.height) this.#shape(head);
  }

  /** The frame has the picture's shape, so that nothing moves when it comes and the region lies where it is drawn. */
  #shape({ width, height }) {
    const { frame } = this.#parts;
    const shape = width && height ? width / height : 16 / 9;
    // Small pictures are rounded to whole pixels: that is no other shape.
    if (Math.abs(frame.dataset.shaped / shape - 1) < 0.02) return;
    frame.dataset.shaped = shape;
    frame.style.setProperty("--shape", shape);
  }

  #run() {
    const wanted = this.#parts.way.querySelector(":checked").value;
    const overRtc = this.#awake && wanted === "webrtc";
    if (overRtc && !this.#rtc) this.#openRtc();
    if (!overRtc && this.#rtc) {
      this.#rtc.close();
      this.#rtc = null;
    }
    this.#parts.video.hidden = !this.#rtc;
    this.#parts.canvas.hidden = Boolean(this.#rtc);
    const width = this.#rtc ? NUMBERS_ONLY : this.#parts.frame.clientWidth * devicePixelRatio;
    this.#feed.run(this.#awake ? Math.max(width, 1) : 0);
  }

  #openRtc() {
    this.#say("");
    this.#rtc = new Rtc(this.#parts.video, (sentence) => {
      this.#parts.way.querySelector("[value=jpeg]").checked = true;
      this.#run();
      this.#say(`${sentence} The picture comes as JPEG again.`);
    });
    this.#rtc.open(this.id);
  }

  async #setRegion(region) {
    this.#touch(false);
    this.#fields.refuse("");
    let refusal = "";
    try {
      await this.#cameras.change(this.id, { roi: print(region) });
    } catch (error) {
      refusal = error.message;
    }
    // What was asked for since is on its way.
    if (this.#closed || print(region) !== this.#wanted) return;
    this.#wanted = null;
    this.#showRegion();
    this.#fields.refuse(refusal);
  }

  #showRegion() {
    if (this.#wanted !== null) return;
    this.#place(parse(this.#camera.settings.roi));
  }

  #place(region) {
    this.#drawing.show(region, this.#camera.settings["output-mode"] === "side-by-side" ? 2 : 1);
    this.#fields.show(region);
  }

  #touch(on) {
    this.#parts.draw.setAttribute("aria-pressed", on);
    this.#drawing.touch(on);
    this.#say(on ? "Draw a rectangle on the picture." : "");
  }

  async #save(button, what, fetched) {
    button.disabled = true;
    this.#say(`${what} is being made.`);
    try {
      this.#say(`Saved as ${await fetched()}.`);
    } catch (error) {
      this.#say(`${what} was not made: ${error.message}`);
    }
    button.disabled = false;
  }

  #say(sentence) {
    setText(this.#parts.note, sentence);
  }

  /** Links the camera so many places further on in the list. */
  #link(link, step) {
    const list = this.#cameras.list;
    const at = list.findIndex((camera) => camera.id === this.id);
    const other = list[at + step];
    link.hidden = !other;
    if (!other) return;
    link.href = `#/camera/${other.id}`;
    link.title = other.name;
  }
}
