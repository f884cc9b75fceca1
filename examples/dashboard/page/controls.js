// The settings of a camera as a form: what is changed is sent at once, and what the server refuses is set back and said.

import { make, setText } from "./dom.js";
import { percent } from "./format.js";
import { latest } from "./latest.js";

/** The settings that have a control, in their order; `kind` says which. */
const CONTROLS = [
  { name: "method", label: "Method", kind: "choice" },
  { name: "target-class", label: "Class", kind: "text", empty: "the likeliest", list: "classes" },
  { name: "target-layer", label: "Layer", kind: "text", empty: "found by itself" },
  { name: "colormap", label: "Colours", kind: "choice" },
  { name: "output-mode", label: "Painted as", kind: "choice" },
  { name: "alpha", label: "Opacity", kind: "share" },
  { name: "threshold", label: "Threshold", kind: "share", hint: "for contour and mask" },
  { name: "draw-labels", label: "Class names", kind: "toggle", hint: "on the picture" },
];

const written = {
  event: "change",
  get: (field) => field.value.trim(),
  put: (field, value) => {
    if (field.value !== String(value)) field.value = value;
  },
};

/** Each kind: its field, which event says that it was changed, and how its value is had and put. */
const KINDS = {
  choice: { ...written, field: () => make("select") },
  text: { ...written, field: ({ empty }) => make("input", { type: "text", placeholder: empty, spellcheck: "false" }) },
  share: {
    ...written,
    event: "input",
    field: () => make("input", { type: "range", min: 0, max: 1, step: 0.01 }),
    get: (field) => field.valueAsNumber,
  },
  toggle: {
    event: "change",
    field: () => make("input", { type: "checkbox" }),
    get: (field) => field.checked,
    put: (field, value) => {
      field.checked = value;
    },
  },
};

export class Controls {
  #rows = new Map();
  #classes = make("datalist", { id: "classes" });

  /** `change(settings)` asks the server, and fails with a sentence. `options` lists what choices there are. */
  constructor(form, settings, options, change) {
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const control of CONTROLS) {
      const row = new Row(control, settings[control.name], options[control.name], change);
      this.#rows.set(control.name, row);
      form.append(row.node);
    }
    form.append(this.#classes);
  }

  /** What the settings are now, by whomever they were changed. */
  update(settings, layer) {
    for (const [name, row] of this.#rows) row.update(settings[name]);
    this.#rows.get("target-layer").note(layer ? `now ${layer}` : "");
  }

  /** The classes that are offered: those that are seen. */
  offer(seen) {
    const labels = (seen?.["top-k"] ?? []).map(({ label }) => label);
    const shown = Array.from(this.#classes.children, (option) => option.value);
    if (labels.join("\n") !== shown.join("\n")) this.#classes.replaceChildren(...labels.map((label) => make("option", { value: label })));
  }
}

class Row {
  #kind;
  #field;
  #value;
  #read = make("span", { class: "control-read" });
  #refusal = make("p", { class: "refusal", role: "alert" });
  #pending = 0;
  node;

  constructor({ name, label, kind, hint, list, ...rest }, value, choices, change) {
    this.#kind = kind;
    this.#value = value;
    const field = KINDS[kind].field(rest);
    this.#field = field;
    field.id = `control-${name}`;
    field.name = name;
    if (list) field.setAttribute("list", list);
    if (kind === "choice") field.append(...choicesWith(choices, value).map((choice) => make("option", { value: choice }, choice)));
    const words = make("label", { for: field.id }, label, ...(hint ? [make("small", {}, hint)] : []));
    this.node = make("div", { class: `control ${kind}` }, words, field, this.#read, this.#refusal);
    this.#put(value);

    const send = latest((wanted) => this.#send(name, wanted, change));
    field.addEventListener(KINDS[kind].event, () => {
      this.#readOut();
      send(KINDS[kind].get(field));
    });
    // Escape takes back what has been typed and not sent.
    field.addEventListener("keydown", (event) => event.key === "Escape" && this.#put(this.#value));
  }

  update(value) {
    this.#value = value;
    // Nothing is taken from under the reader's hands.
    const busy = this.#pending > 0 || (this.#kind === "text" && document.activeElement === this.#field);
    if (!busy) this.#put(value);
  }

  note(text) {
    setText(this.#read, text);
    this.#read.title = text;
  }

  async #send(name, wanted, change) {
    this.#pending += 1;
    setText(this.#refusal, "");
    // A model that is opened anew takes a while.
    this.node.setAttribute("aria-busy", "true");
    try {
      this.#value = (await change({ [name]: wanted })).settings[name];
    } catch (error) {
      setText(this.#refusal, error.message);
      this.#put(this.#value);
    }
    this.node.removeAttribute("aria-busy");
    this.#pending -= 1;
  }

  #put(value) {
    KINDS[this.#kind].put(this.#field, value);
    this.#readOut();
  }

  #readOut() {
    if (this.#kind === "share") setText(this.#read, percent(this.#field.valueAsNumber));
  }
}

/** The choices, with the value that is set among them in any case. */
function choicesWith(choices = [], value) {
  return choices.includes(value) ? choices : [value, ...choices];
}
