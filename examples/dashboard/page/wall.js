// The wall: a tile for each camera, laid out to fit, and only what is on the screen plays.

import { fromTemplate } from "./dom.js";
import { fit } from "./fit.js";
import { Tile } from "./tile.js";

const GHOSTS = 4;

export class Wall {
  #list;
  #said;
  #tiles = new Map();
  #seen = new Set();
  #awake = true;
  #sight = new IntersectionObserver((entries) => this.#look(entries), { rootMargin: "64px" });
  #layout = new ResizeObserver(() => this.#fit());
  #ghosts = true;

  constructor(list, said) {
    this.#list = list;
    this.#said = said;
    for (let ghost = 0; ghost < GHOSTS; ghost += 1) list.append(fromTemplate("ghost").content);
    this.#layout.observe(document.documentElement);
    this.#fit();
  }

  /** Takes the list of cameras as it is now. */
  update(cameras) {
    if (this.#ghosts) this.#list.replaceChildren();
    const changed = this.#ghosts || cameras.length !== this.#tiles.size;
    this.#ghosts = false;
    const gone = new Set(this.#tiles.keys());
    for (const camera of cameras) {
      gone.delete(camera.id);
      const tile = this.#tiles.get(camera.id);
      if (tile) tile.update(camera);
      else this.#add(camera);
    }
    for (const id of gone) this.#remove(id);
    if (changed) this.#fit();
  }

  /** Whether anything may play: not where the page is hidden or paused. */
  wake(awake) {
    this.#awake = awake;
    this.#run();
  }

  /** Puts the focus on a camera's tile: that of the detail view that was left. */
  focus(id) {
    this.#tiles.get(id)?.focus();
  }

  #add(camera) {
    const tile = new Tile(camera, this.#said);
    this.#tiles.set(camera.id, tile);
    this.#list.append(tile.node);
    this.#sight.observe(tile.node);
  }

  #remove(id) {
    const tile = this.#tiles.get(id);
    this.#sight.unobserve(tile.node);
    this.#seen.delete(tile.node);
    tile.run(false);
    tile.node.remove();
    this.#tiles.delete(id);
  }

  #look(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.#seen.add(target);
      else this.#seen.delete(target);
    }
    this.#run();
  }

  #run() {
    for (const tile of this.#tiles.values()) tile.run(this.#awake && this.#seen.has(tile.node));
  }

  #fit() {
    const list = this.#list;
    if (!list.clientWidth) return;
    const [first] = list.children;
    const below = first ? first.offsetHeight - first.firstElementChild.offsetHeight : 0;
    const room = document.documentElement.clientHeight - list.getBoundingClientRect().top - scrollY - 24;
    const { columns, tile } = fit(list.children.length || 1, list.clientWidth, room, below);
    list.style.setProperty("--columns", columns);
    list.style.setProperty("--tile", `${Math.floor(tile)}px`);
    this.#run();
  }
}
