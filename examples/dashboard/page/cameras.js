// The list of cameras, asked for again and again while the page is looked at, and whether the server answers.

import { Retry } from "./retry.js";
import * as wire from "./wire.js";

const EVERY = 2000;

export class Cameras extends EventTarget {
  list = null;
  problem = null;
  #timer = 0;
  #asks = 0;
  #retry = new Retry();

  /** Asks now, and then every two seconds; what changes is an event `change`. */
  async start() {
    clearTimeout(this.#timer);
    const ask = (this.#asks += 1);
    let wait = EVERY;
    let list = this.list;
    let problem = null;
    try {
      list = await wire.cameras();
      this.#retry.reset();
    } catch (error) {
      problem = error.message;
      wait = this.#retry.next();
    }
    // Stopped, asked anew, or told better meanwhile.
    if (ask !== this.#asks) return;
    this.list = list;
    this.problem = problem;
    this.#timer = setTimeout(() => this.start(), wait);
    this.#tell();
  }

  stop() {
    this.#asks += 1;
    clearTimeout(this.#timer);
  }

  find(id) {
    return this.list?.find((camera) => camera.id === id) ?? null;
  }

  /** Changes settings of a camera, and takes the state that comes back. */
  async change(id, settings) {
    const state = await wire.change(id, settings);
    // An answer to the list that is on its way may be older than this one.
    this.start();
    this.list = this.list.map((camera) => (camera.id === id ? state : camera));
    this.#tell();
    return state;
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}
