// JPEGs onto a canvas. One is decoded at a time and the newest waits, so that a slow machine loses pictures, not memory.

import { latest } from "./latest.js";

/** A function that paints `picture` (or nothing, where it is null) and then calls `painted`, unless a newer one overtakes it. */
export function painter(canvas) {
  const context = canvas.getContext("2d", { alpha: false });
  return latest(async ({ picture, painted }) => {
    // A picture that cannot be decoded is skipped as a lost one is: the next is on its way.
    const bitmap = picture && (await createImageBitmap(picture).catch(() => null));
    if (picture && !bitmap) return;
    if (bitmap) {
      show(canvas, context, bitmap);
      bitmap.close();
    }
    painted();
  });
}

function show(canvas, context, bitmap) {
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
  }
  context.drawImage(bitmap, 0, 0);
}
