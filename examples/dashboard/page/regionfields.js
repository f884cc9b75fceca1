// The region of interest as numbers, in per cent of the frame, for whoever does not draw.

import { make, setText } from "./dom.js";
import { MIDDLE } from "./region.js";

const FIELDS = [["x", "Left"], ["y", "Top"], ["width", "Width"], ["height", "Height"]];

export class RegionFields {
  #inputs = {};
  #region = null;
  #clear = make("button", { type: "button", class: "button quiet" }, "Clear");
  #refusal = make("p", { class: "refusal", role: "alert" });
  node;

  /** `wanted(region)`: the reader wants this one; null is none. */
  constructor(wanted) {
    const fields = FIELDS.map(([name, word]) => {
      const input = make("input", { type: "number", min: 0, max: 100, step: 1, placeholder: "–", name: `roi-${name}` });
      this.#inputs[name] = input;
      input.addEventListener("change", () => wanted(this.#typed(name)));
      return make("label", {}, make("span", {}, word), input);
    });
    this.#clear.addEventListener("click", () => {
      // It is about to be of no use, and the focus must not fall out of the page.
      this.#inputs.x.focus();
      wanted(null);
    });
    const legend = make("legend", {}, "Region of interest ", make("small", {}, "% of the frame"));
    this.node = make("fieldset", { class: "region-fields" }, legend, ...fields, this.#clear, this.#refusal);
  }

  show(region) {
    this.#region = region;
    this.#clear.disabled = !region;
    for (const [name, input] of Object.entries(this.#inputs)) {
      const text = region ? String(Math.round(region[name] * 1000) / 10) : "";
      if (document.activeElement !== input || !input.value) input.value = text;
    }
  }

  /** Says why the server took it not. */
  refuse(sentence) {
    setText(this.#refusal, sentence);
    if (!sentence) return;
    for (const [name, input] of Object.entries(this.#inputs)) input.value = this.#region ? this.#region[name] * 100 : "";
  }

  /** The region with what was typed in one field; the others keep theirs. */
  #typed(name) {
    const value = this.#inputs[name].valueAsNumber;
    if (!Number.isFinite(value)) return null;
    return { ...(this.#region ?? MIDDLE), [name]: value / 100 };
  }
}
