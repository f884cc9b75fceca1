// A camera's last minutes, a point a second: begun with what the server remembers, gone on with what comes live.

const SECOND = 1000;

export class History {
  #window;
  points = [];

  constructor(seconds) {
    this.#window = seconds * SECOND;
  }

  /** Takes the server's points in place of its own; what has come since stays. */
  seed(points) {
    const last = points.at(-1)?.time ?? 0;
    this.points = points.map(pointOf).concat(this.points.filter((point) => point.time >= last + SECOND));
    this.#forget(this.points.at(-1)?.time ?? 0);
  }

  /** Takes the numbers of a picture; true where they begin a new second. */
  take(head) {
    // What has no picture has no time.
    if (!head.time) return false;
    const last = this.points.at(-1);
    if (last && head.time < last.time + SECOND) return false;
    this.points.push(pointOf({ ...head.seen, time: head.time, fps: head.fps }));
    this.#forget(head.time);
    return true;
  }

  #forget(now) {
    const first = this.points.findIndex((point) => point.time >= now - this.#window);
    this.points.splice(0, first < 0 ? this.points.length : first);
  }
}

function pointOf(said) {
  return {
    time: said.time,
    class: said.class ?? null,
    label: said.label ?? null,
    score: said.score ?? null,
    roi: said["roi-share"] ?? null,
    fps: said.fps ?? null,
    age: said["map-age"] ?? null,
  };
}

/** Points further apart than this have nothing between them: the camera was away. */
const GAP = 3.5 * SECOND;

/** An SVG path through the points that have a value, broken where there is a gap. `x` and `y` give places of a point and a value. */
export function pathOf(points, value, x, y) {
  let path = "";
  let before = null;
  for (const point of points) {
    if (value(point) === null) continue;
    const joined = before !== null && point.time - before < GAP;
    const place = `${x(point).toFixed(1)} ${y(value(point)).toFixed(1)}`;
    // A lone point is a dot: a line of no length with round ends.
    path += joined ? `L${place}` : `M${place}l0 0`;
    before = point.time;
  }
  return path;
}
