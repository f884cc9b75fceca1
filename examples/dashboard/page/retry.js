// How long to wait until the next try: a little longer each time, never quite the same, so that viewers do not come all at once.

const FIRST = 400;
const MOST = 5000;

export class Retry {
  #wait = FIRST;

  /** Milliseconds until the next try. */
  next() {
    const wait = this.#wait;
    this.#wait = Math.min(wait * 1.7, MOST);
    return wait * (0.75 + Math.random() / 2);
  }

  reset() {
    this.#wait = FIRST;
  }
}
