// Work that takes a while, on things that come faster: one at a time, and of those that wait only the newest.

/** A function that hands what it is given to `work`, one after the other; what is overtaken is left out. */
export function latest(work) {
  let busy = false;
  let waiting = null;
  return async (thing) => {
    waiting = { thing };
    if (busy) return;
    busy = true;
    while (waiting) {
      const next = waiting.thing;
      waiting = null;
      await work(next);
    }
    busy = false;
  };
}
