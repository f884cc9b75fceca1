// A tile of the wall: one camera's picture and numbers, playing while it is on the screen.

import { fromTemplate, setText } from "./dom.js";
import { Facts } from "./facts.js";
import { Feed } from "./feed.js";
import { Spark } from "./spark.js";
import { timeline } from "./wire.js";

export class Tile {
  #camera;
  #parts;
  #facts;
  #feed;
  #spark;
  #running = false;
  node;

  /** `said(camera, word)` when its badge changes. */
  constructor(camera, said) {
    this.#camera = camera;
    const { content, parts } = fromTemplate("tile");
    this.node = content.firstElementChild;
    this.#parts = parts;
    this.#facts = new Facts(parts);
    this.#spark = new Spark(parts.spark);
    parts.name.href = `#/camera/${camera.id}`;
    this.#feed = new Feed(camera, parts, {
      shown: (head) => this.#shown(head),
      said: (word) => said(this.#camera, word),
    });
    this.update(camera);
  }

  update(camera) {
    this.#camera = camera;
    setText(this.#parts.name, camera.name);
    this.#parts.name.title = camera.source;
    this.#parts.canvas.setAttribute("aria-label", `Live picture of ${camera.name} with its heat map`);
    if (camera.state !== "playing") this.#facts.clear();
    this.#feed.update(camera);
  }

  /** Plays, or not. */
  run(on) {
    if (on && !this.#running) this.#remember();
    this.#running = on;
    const width = this.#parts.canvas.clientWidth * devicePixelRatio;
    this.#feed.run(on ? Math.max(width, 1) : 0);
  }

  focus() {
    this.#parts.name.focus();
  }

  async #remember() {
    // Without it the line begins now; the badge tells where the server is away.
    const points = await timeline(this.#camera.id).catch(() => null);
    if (points) this.#spark.seed(points);
  }

  #shown(head) {
    this.#facts.show(head);
    this.#spark.take(head);
  }
}
