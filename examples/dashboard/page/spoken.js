// What screen readers are told of by itself: cameras that went away or came back, gathered so that it does not chatter.

const GATHERED = 1500;
const BEGINS = new Set(["Starting", "Waiting for a picture"]);

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
      // What only begins is no news.
      if (BEGINS.has(word)) continue;
      const before = this.#told.get(id) ?? null;
      this.#told.set(id, word);
      if (word === before) continue;
      news.push(word ? `${name}: ${word}.` : `${name} is back.`);
    }
    if (news.length) this.#node.textContent = news.join(" ");
  }
}
