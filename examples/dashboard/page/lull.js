// Where a film begins anew, or the scene changes, a few pictures bear no map yet: the last numbers stay meanwhile.

/** So long, in milliseconds. */
const SHORT = 500;

/** Whether the picture of a message bears a map. */
export const isMapped = ({ seen }) => Boolean(seen) && seen.annotated !== false;

/** Why there is none, where it is said. */
export const reasonOf = ({ problem, seen }) => problem ?? seen?.reason ?? null;

export class Lull {
  #seen = null;
  #until = 0;

  /** What is told of a picture that is shown at `time`: its own message, or in a lull that with the numbers before. */
  bridge(head, time) {
    if (isMapped(head)) {
      this.#seen = head.seen;
      this.#until = time + SHORT;
      return head;
    }
    return head.state === "playing" && !reasonOf(head) && time < this.#until ? { ...head, seen: this.#seen } : head;
  }
}
