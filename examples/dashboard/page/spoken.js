// What screen readers are told of by itself: cameras that went away or came back, gathered so that it does not chatter.

const GATHERED = 1500;

export class Spoken {
  #node;
  #words = new Map();
  #told = new Map();
  #timer = 0;

  constructor(node) {
    this.#node = node;
  }

  /** A camera's badge says `word` now; null where all is well. */
  say(camera, word) {
    this.#words.set(camera.id, { name: camera.name, word });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell(), GATHERED);
  }

  #tell() {
    const news = [];
    for (const [id, { name, word }] of this.#words) {
      const before = this.#told.get(id) ?? null;
      this.#told.set(id, word);
      // What is only starting is no news, and what was never away does not come back.
      if (word === before || word === "Starting") continue;
      if (word) news.push(`${name}: ${word}.`);
      else if (before !== "Starting") news.push(`${name} is back.`);
    }
    if (news.length) this.#node.textContent = news.join(" ");
  }
}
