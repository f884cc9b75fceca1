// A camera on a canvas: its pictures, its numbers, and what its badge says, for a tile and for the detail view alike.

import { Live } from "./live.js";
import { isMapped, Lull, reasonOf } from "./lull.js";
import { painter } from "./painter.js";
import { showStatus, statusOf } from "./status.js";

export class Feed {
  #parts;
  #paint;
  #live;
  #shown;
  #said;
  #link = null;
  #now;
  #drawn = false;
  #word = null;
  #lull = new Lull();

  /**
   * `shown(head)`: what a message says is on the canvas, and these are its numbers, or in a lull the last ones. `said(word)`: the badge has changed; null where all is well.
   */
  constructor(camera, parts, { shown, said = () => {} }) {
    this.#parts = parts;
    this.#shown = shown;
    this.#said = said;
    this.#now = { state: camera.state, problem: camera.problem };
    this.#paint = painter(parts.canvas);
    this.#live = new Live(camera.id, {
      message: (head, picture) => this.#message(head, picture),
      link: (up) => this.#show({ link: up }),
    });
    this.#show({});
  }

  /** What the list of cameras says; where pictures come, they say it sooner. */
  update(camera) {
    const { state, problem } = camera;
    // Only a picture knows whether it bears a map.
    const mapped = state === "playing" ? this.#now.mapped : undefined;
    this.#show({ now: { state, problem, mapped } });
  }

  /** Asks for pictures of this width, or of none at 0. */
  run(width) {
    if (width > 0) {
      this.#live.open(width);
    } else {
      this.#live.close();
      this.#show({ link: null });
    }
  }

  #message(head, picture) {
    // Also what has no picture waits its turn, so that an older picture does not come after it.
    const painted = () => {
      this.#drawn ||= Boolean(picture);
      const told = this.#lull.bridge(head, performance.now());
      this.#show({ now: { state: told.state, problem: reasonOf(told), mapped: isMapped(told) } });
      this.#shown(told);
      // For whoever measures: this picture is on the canvas now.
      if (picture) this.#parts.canvas.dispatchEvent(new CustomEvent("painted", { detail: head }));
    };
    this.#paint({ picture, painted });
  }

  #show({ link = this.#link, now = this.#now }) {
    this.#link = link;
    this.#now = now;
    const status = statusOf(link, now, this.#drawn);
    showStatus(this.#parts, status);
    const word = status?.word ?? null;
    if (word !== this.#word) {
      this.#word = word;
      this.#said(word);
    }
  }
}
