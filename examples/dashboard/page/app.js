// The page put together: the list of cameras, wall or detail view as the address says, and what the whole page shows.

import { Cameras } from "./cameras.js";
import { Detail } from "./detail.js";
import { partsOf, setText } from "./dom.js";
import { Spoken } from "./spoken.js";
import { Wall } from "./wall.js";

const parts = partsOf(document);
const cameras = new Cameras();
const spoken = new Spoken(parts.spoken);
const wall = new Wall(parts.tiles, (camera, word) => spoken.say(camera, word));
let detail = null;
let paused = false;

/** The camera that the address names, or null for the wall. */
const named = () => Number(location.hash.match(/^#\/camera\/(\d+)$/)?.[1]) || null;

const awake = () => !paused && document.visibilityState === "visible";

function wake() {
  wall.wake(awake());
  detail?.wake(awake());
}

/** Shows what the address names. */
function route() {
  const id = named();
  if (detail?.id === id) return;
  const left = detail?.id;
  detail?.close();
  detail = id && cameras.find(id) ? new Detail(cameras.find(id), parts.detail, cameras) : null;
  parts.wall.hidden = Boolean(detail);
  parts.detail.hidden = !detail;
  wake();
  if (detail) {
    scrollTo(0, 0);
    detail.focus();
  } else if (left) {
    wall.focus(left);
  }
  title();
}

function title() {
  const camera = detail && cameras.find(detail.id);
  document.title = `${camera ? camera.name : "Cameras"} · gradcam`;
}

function summary(list) {
  const count = (state) => list.filter((camera) => camera.state === state).length;
  const said = [`${list.length} ${list.length === 1 ? "camera" : "cameras"}`];
  for (const [state, word] of [["lost", "without signal"], ["failed", "cannot be played"], ["starting", "starting"]]) {
    if (count(state)) said.push(`${count(state)} ${word}`);
  }
  return said.join(" · ");
}

cameras.addEventListener("change", () => {
  setText(parts.banner, cameras.problem ? `${cameras.problem} It is tried again.` : "");
  parts.banner.classList.toggle("shown", Boolean(cameras.problem));
  if (!cameras.list) return;
  setText(parts.summary, summary(cameras.list));
  parts.empty.hidden = cameras.list.length > 0;
  wall.update(cameras.list);
  const camera = detail && cameras.find(detail.id);
  if (camera) detail.update(camera);
  // A camera that is named before the list has come, or that is no more.
  else if (detail || named()) gone();
});

function gone() {
  if (named() && cameras.find(named())) route();
  else location.hash = "#/";
}

parts.pause.addEventListener("click", () => {
  paused = !paused;
  parts.pause.setAttribute("aria-pressed", paused);
  setText(parts.pause, paused ? "Paused" : "Pause");
  wake();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") cameras.start();
  else cameras.stop();
  wake();
});
addEventListener("hashchange", route);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && detail && !event.defaultPrevented && !event.target.closest("form")) location.hash = "#/";
});

// A token is in a cookie by now; it has no business in the address.
if (new URLSearchParams(location.search).has("token")) {
  history.replaceState(null, "", location.pathname + location.hash);
}
wake();
cameras.start();
