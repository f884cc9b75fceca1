// Files that the reader keeps: fetched first, so that a refusal is a sentence and not an empty file.

import { make } from "./dom.js";
import { fileName } from "./format.js";
import { clip, snapshot } from "./wire.js";

function hand(blob, name) {
  const address = URL.createObjectURL(blob);
  make("a", { href: address, download: name }).click();
  // The browser has to have begun reading it.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  return name;
}

export const saveSnapshot = async (camera) => hand(await snapshot(camera.id), fileName(camera, "jpg"));

export const saveClip = async (camera, seconds) => hand(await clip(camera.id, seconds), fileName(camera, "mp4"));
