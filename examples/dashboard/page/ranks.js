// The likeliest classes as bars, the likeliest first.

import { make, setText } from "./dom.js";
import { percentFine, short } from "./format.js";

const MOST = 5;

export class Ranks {
  #rows;

  /** All rows are there from the start, so that nothing moves when they fill. */
  constructor(list) {
    this.#rows = Array.from({ length: MOST }, () => {
      const label = make("span", { class: "label" });
      const score = make("span", { class: "score" });
      const bar = make("div", { class: "bar", "aria-hidden": "true" });
      list.append(make("li", {}, label, score, bar));
      return { label, score, bar };
    });
  }

  show(seen) {
    const ranked = seen?.["top-k"]?.length ? seen["top-k"] : seen?.label ? [seen] : [];
    this.#rows.forEach(({ label, score, bar }, at) => {
      const entry = ranked[at];
      setText(label, short(entry?.label));
      label.title = entry?.label ?? "";
      setText(score, entry ? percentFine(entry.score) : "");
      bar.style.setProperty("--share", entry?.score ?? 0);
    });
  }
}
