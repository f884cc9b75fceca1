// The last ten minutes of a camera: a chart with a cursor for pointer and keyboard, what it stands on in words, and a table.

import { Chart } from "./chart.js";
import { make } from "./dom.js";
import { age, clock, percent, rate, short } from "./format.js";
import { History } from "./history.js";
import { timeline } from "./wire.js";

const SECONDS = 600;
/** The server's memory is asked for anew now and then: this page may have slept. */
const ANEW = 30_000;
const ROW = 10_000;
const KEYS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -Infinity, End: Infinity };
const COLUMNS = ["Time", "Class", "Score", "Heat in region", "Rate", "Map age"];

export class Timeline {
  #id;
  #parts;
  #history = new History(SECONDS);
  #chart;
  #cursor = null;
  #asked = 0;
  #tabled = 0;
  #sizes = new ResizeObserver(() => this.#draw());

  constructor(id, parts) {
    this.#id = id;
    this.#parts = parts;
    const { chart } = parts;
    this.#chart = new Chart(chart);
    chart.tabIndex = 0;
    for (const [name, value] of [["role", "slider"], ["aria-label", "Time in the last ten minutes"], ["aria-valuemin", -SECONDS], ["aria-valuemax", 0]]) {
      chart.setAttribute(name, value);
    }
    chart.addEventListener("pointermove", (event) => this.#point(event));
    chart.addEventListener("pointerdown", (event) => this.#point(event));
    chart.addEventListener("pointerleave", () => this.#release());
    chart.addEventListener("blur", () => this.#release());
    chart.addEventListener("keydown", (event) => this.#key(event));
    parts["table-box"].addEventListener("toggle", () => this.#table(true));
    this.#sizes.observe(chart);
    this.refresh();
  }

  /** Asks for what the server remembers. */
  async refresh() {
    this.#asked = Date.now();
    // Where the server is away the page says so, and what came live stays.
    const points = await timeline(this.#id).catch(() => null);
    if (points) this.#history.seed(points);
    this.#draw();
  }

  take(head) {
    if (!this.#history.take(head)) return;
    this.#draw();
    if (Date.now() - this.#asked > ANEW) this.refresh();
  }

  close() {
    this.#sizes.disconnect();
  }

  #draw() {
    const width = this.#parts.chart.clientWidth;
    const points = this.#history.points;
    if (width) this.#chart.draw(points, points.at(-1)?.time ?? Date.now(), width);
    this.#show();
    this.#table(false);
  }

  #show() {
    const points = this.#history.points;
    const newest = points.at(-1);
    const point = this.#cursor === null ? newest : points[nearest(points, this.#cursor)];
    this.#chart.mark(this.#cursor === null ? null : point);
    const words = point ? wordsOf(point) : ["", "Nothing yet"];
    const fields = words.map((word, at) => make("span", { class: `readout-${at}` }, word));
    this.#parts.readout.replaceChildren(...fields);
    this.#parts.chart.setAttribute("aria-valuenow", point ? Math.round((point.time - newest.time) / 1000) : 0);
    this.#parts.chart.setAttribute("aria-valuetext", spokenOf(point));
  }

  #point(event) {
    const left = this.#parts.chart.getBoundingClientRect().left;
    this.#cursor = this.#chart.timeAt(event.clientX - left);
    this.#show();
  }

  #release() {
    this.#cursor = null;
    this.#show();
  }

  #key(event) {
    const points = this.#history.points;
    const step = KEYS[event.key];
    if (step !== undefined && points.length) {
      const at = this.#cursor === null ? points.length - 1 : nearest(points, this.#cursor);
      this.#cursor = points[Math.min(Math.max(at + step, 0), points.length - 1)].time;
      this.#show();
    } else if (event.key === "Escape" && this.#cursor !== null) {
      this.#release();
    } else {
      return;
    }
    event.preventDefault();
  }

  /** The same as a table, a row each ten seconds; filled only while it is open. */
  #table(now) {
    if (!this.#parts["table-box"].open || (!now && Date.now() - this.#tabled < ROW)) return;
    this.#tabled = Date.now();
    const rows = [];
    let next = Infinity;
    for (const point of this.#history.points.toReversed()) {
      if (point.time > next) continue;
      next = point.time - ROW;
      const [time, ...cells] = wordsOf(point);
      rows.push(make("tr", {}, make("th", { scope: "row" }, time), ...cells.map((cell) => make("td", {}, cell))));
    }
    const head = make("tr", {}, ...COLUMNS.map((column) => make("th", { scope: "col" }, column)));
    const caption = make("caption", {}, "Every ten seconds, the newest first");
    this.#parts.table.replaceChildren(make("table", {}, caption, make("thead", {}, head), make("tbody", {}, ...rows)));
  }
}

const wordsOf = (point) => [clock(point.time), short(point.label), percent(point.score), percent(point.roi), rate(point.fps), age(point.age)];

function spokenOf(point) {
  if (!point) return "Nothing yet";
  const [time, label, score, roi] = wordsOf(point);
  if (point.score === null) return `${time}, no map`;
  return `${time}, ${label}, ${score}${point.roi === null ? "" : `, ${roi} of the heat in the region`}`;
}

/** The index of the point nearest to a time; points are in its order. */
function nearest(points, time) {
  let best = 0;
  points.forEach((point, at) => {
    if (Math.abs(point.time - time) < Math.abs(points[best].time - time)) best = at;
  });
  return best;
}
