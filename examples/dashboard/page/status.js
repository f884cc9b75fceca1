// What a camera's badge says: one thing at a time, the worst first, and nothing while all is well.

import { setText } from "./dom.js";

/**
 * `link`: whether its pictures can come; null where they have not been asked for. `now`: its `state`, its `problem`, and whether its
 * picture bears a map. `drawn`: whether a picture has come yet. What comes back has `covers`: whether there is none worth seeing.
 */
export function statusOf(link, now, drawn) {
  const why = now.problem ?? "";
  if (link === false) return { kind: "away", word: "Reconnecting", why: "", covers: !drawn };
  if (now.state === "failed") return { kind: "bad", word: "Cannot be played", why, covers: true };
  if (now.state === "lost") return { kind: "bad", word: "No signal", why, covers: true };
  if (now.state === "starting") return { kind: "away", word: "Starting", why, covers: true };
  if (!drawn) return { kind: "away", word: "Waiting for a picture", why, covers: true };
  if (why || now.mapped === false) return { kind: "warn", word: why ? `No map: ${why}` : "No map", why: "", covers: false };
  return null;
}

/** Shows a status in the parts of a picture: as a cover over it, or as a badge on it. */
export function showStatus(parts, status) {
  const covers = Boolean(status?.covers);
  parts.cover.hidden = !covers;
  parts.badge.hidden = !status || covers;
  if (!status) return;
  if (covers) {
    parts.cover.dataset.kind = status.kind;
    setText(parts["cover-word"], status.word);
    setText(parts["cover-why"], status.why);
  } else {
    parts.badge.dataset.kind = status.kind;
    setText(parts.badge, status.word);
    parts.badge.title = status.word;
  }
}
