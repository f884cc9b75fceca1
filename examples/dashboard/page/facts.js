// The numbers beside a picture, the same on a tile and in the detail view.

import { setText } from "./dom.js";
import { age, orNone, percent, rate, short } from "./format.js";

/** What of the rest changes too fast to be read is written at most so often. */
const CALM = 500;

export class Facts {
  #parts;
  #written = 0;

  constructor(parts) {
    this.#parts = parts;
  }

  /** What was seen on the picture that is shown. */
  show({ seen, fps }) {
    const parts = this.#parts;
    setText(parts.label, short(seen?.label));
    parts.label.title = seen?.label ?? "";
    setText(parts.score, percent(seen?.score));
    if (parts.bar) parts.bar.style.setProperty("--share", seen?.score ?? 0);
    const now = performance.now();
    if (now - this.#written < CALM) return;
    this.#written = now;
    setText(parts.roi, percent(seen?.["roi-share"]));
    setText(parts.fps, rate(fps));
    setText(parts.age, age(seen?.["map-age"]));
    setText(parts.provider, orNone(seen?.provider));
  }

  /** Nothing is seen: the source is away. */
  clear() {
    this.#written = 0;
    this.show({ seen: null, fps: null });
  }
}
