// How a wall is laid out: in so many columns that its pictures are as large as the window allows.

const GAP = 16;
const NARROWEST = 300;
const WIDEST = 1280;

/**
 * Columns and their width for `count` tiles in `width` x `height` pixels, each a 16:9 picture with `below` pixels of numbers under it.
 * Where not all can be seen at once the wall may be scrolled.
 */
export function fit(count, width, height, below) {
  let best = { columns: 1, tile: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const wide = (width - GAP * (columns - 1)) / columns;
    const high = (height - GAP * (rows - 1)) / rows - below;
    const tile = Math.min(wide, (high * 16) / 9, WIDEST);
    if (tile > best.tile) best = { columns, tile };
  }
  if (best.tile >= NARROWEST) return best;
  const columns = Math.max(1, Math.min(count, Math.floor((width + GAP) / (NARROWEST + GAP))));
  return { columns, tile: (width - GAP * (columns - 1)) / columns };
}
