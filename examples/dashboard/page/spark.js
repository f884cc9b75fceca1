// The small line of a tile: the scores of the last two minutes.

import { makeSvg } from "./dom.js";
import { History, pathOf } from "./history.js";

const SECONDS = 120;
const HEIGHT = 28;

export class Spark {
  #history = new History(SECONDS);
  #line = makeSvg("path", { class: "spark-line" });

  constructor(box) {
    const middle = makeSvg("path", { class: "spark-middle", d: `M0 ${HEIGHT / 2}H${SECONDS}` });
    const attributes = { viewBox: `0 0 ${SECONDS} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" };
    box.append(makeSvg("svg", attributes, middle, this.#line));
  }

  seed(points) {
    this.#history.seed(points);
    this.#draw();
  }

  take(head) {
    if (this.#history.take(head)) this.#draw();
  }

  #draw() {
    const { points } = this.#history;
    const now = points.at(-1)?.time ?? 0;
    const x = (point) => SECONDS - (now - point.time) / 1000;
    const y = (score) => HEIGHT - 1.5 - score * (HEIGHT - 3);
    this.#line.setAttribute("d", pathOf(points, (point) => point.score, x, y));
  }
}
