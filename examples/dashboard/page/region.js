// A region of interest as the element has it: "x,y,width,height" in shares of the frame.

const SMALLEST = 0.02;
const limited = (value, low, high) => Math.min(Math.max(value, low), high);
const rounded = (value) => Math.round(value * 1000) / 1000;

/** Reads a setting; null where none is set. */
export function parse(text) {
  const [x, y, width, height] = text.split(",").map(Number);
  return [x, y, width, height].every(Number.isFinite) ? { x, y, width, height } : null;
}

export const print = (region) => (region ? [region.x, region.y, region.width, region.height].map(rounded).join(",") : "");

/** The region between two corners, inside the frame; null where it is too small to be meant. */
export function between(one, other) {
  const [left, right] = [one.x, other.x].map((x) => limited(x, 0, 1)).sort((a, b) => a - b);
  const [top, bottom] = [one.y, other.y].map((y) => limited(y, 0, 1)).sort((a, b) => a - b);
  if (right - left < SMALLEST || bottom - top < SMALLEST) return null;
  return { x: left, y: top, width: right - left, height: bottom - top };
}

export function moved({ x, y, width, height }, dx, dy) {
  return { x: limited(x + dx, 0, 1 - width), y: limited(y + dy, 0, 1 - height), width, height };
}

export function resized({ x, y, width, height }, dx, dy) {
  return { x, y, width: limited(width + dx, SMALLEST, 1 - x), height: limited(height + dy, SMALLEST, 1 - y) };
}

/** Where drawing by keyboard begins. */
export const MIDDLE = { x: 0.25, y: 0.25, width: 0.5, height: 0.5 };
