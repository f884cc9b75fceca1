// Numbers in words: what has no value is a dash.

const NONE = "–";
const CLOCK = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const known = (value) => typeof value === "number" && Number.isFinite(value);

export const percent = (share) => (known(share) ? `${Math.round(share * 100)} %` : NONE);

/** One decimal, for lists whose small shares would all be 0. */
export const percentFine = (share) => (known(share) ? `${(share * 100).toFixed(1)} %` : NONE);

export const rate = (fps) => (known(fps) ? `${fps.toFixed(1)} fps` : NONE);

/** An age in nanoseconds, as the element tells it. */
export function age(nanoseconds) {
  if (!known(nanoseconds)) return NONE;
  const milliseconds = nanoseconds / 1e6;
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

export const clock = (milliseconds) => CLOCK.format(milliseconds);
export const clockMinutes = (milliseconds) => clock(milliseconds).slice(0, 5);

/** The first of a class's names: ImageNet's have several, "tabby, tabby cat". */
export const short = (label) => (label ? label.split(",")[0] : NONE);

export const orNone = (text) => text || NONE;

/** A name for a file that is saved: the camera's and the time. */
export function fileName(camera, ending) {
  const name = camera.name.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || `camera-${camera.id}`;
  const time = new Date().toISOString().slice(0, 19).replace(/[:T]/g, "-");
  return `${name}-${time}.${ending}`;
}
