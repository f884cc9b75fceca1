// The page's modules that only compute, asked in the browser that they are written for.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Dashboard, openBrowser, openPage } from "./support.mjs";

let browser;
let dashboard;
let opened;
before(async () => {
  browser = await openBrowser();
  dashboard = await Dashboard.open(["test:ball"]);
  opened = await openPage(browser, dashboard.address);
});
after(async () => {
  await browser?.close();
  await dashboard?.stop();
});

/** Calls a function of a module with some arguments. */
const ask = (module, name, ...given) =>
  opened.page.evaluate(async ({ module, name, given }) => (await import(new URL(module, document.baseURI)))[name](...given), { module, name, given });

test("a wall is laid out so that its pictures are as large as the window allows", async () => {
  assert.deepEqual(await ask("fit.js", "fit", 1, 1392, 800, 100), { columns: 1, tile: (700 * 16) / 9 });
  const four = await ask("fit.js", "fit", 4, 1392, 800, 100);
  assert.equal(four.columns, 2);
  // The best there is: every other number of columns, computed here, gives smaller tiles.
  const width = (columns) => Math.min((1392 - 16 * (columns - 1)) / columns, (((800 - 16 * (Math.ceil(4 / columns) - 1)) / Math.ceil(4 / columns) - 100) * 16) / 9);
  assert.equal(four.tile, Math.max(...[1, 2, 3, 4].map(width)));
  assert.deepEqual(await ask("fit.js", "fit", 4, 358, 700, 120), { columns: 1, tile: 358 });
  const many = await ask("fit.js", "fit", 50, 1392, 800, 100);
  assert.ok(many.tile >= 300 && many.columns === 4, "they are scrolled, not shrunk");
});

test("a region stays in the frame, and is none where it is too small to be meant", async () => {
  assert.deepEqual(await ask("region.js", "between", { x: 0.5, y: 0.75 }, { x: 0.25, y: -3 }), { x: 0.25, y: 0, width: 0.25, height: 0.75 });
  assert.equal(await ask("region.js", "between", { x: 0.5, y: 0.5 }, { x: 0.51, y: 0.9 }), null);
  const region = { x: 0.5, y: 0.5, width: 0.5, height: 0.25 };
  assert.deepEqual(await ask("region.js", "moved", region, 0.25, -1), { ...region, y: 0 });
  assert.deepEqual(await ask("region.js", "resized", region, 1, -1), { ...region, height: 0.02 });
  assert.equal(await ask("region.js", "print", region), "0.5,0.5,0.5,0.25");
  assert.deepEqual(await ask("region.js", "parse", "0.5,0.5,0.5,0.25"), region);
  assert.equal(await ask("region.js", "parse", ""), null);
});

test("a line is broken where the camera was away, and has only the last seconds", async () => {
  const found = await opened.page.evaluate(async () => {
    const { History, pathOf } = await import(new URL("history.js", document.baseURI));
    const history = new History(10);
    history.seed([0, 1000, 2000].map((time) => ({ time, score: 0.5 })));
    for (const time of [2500, 9000, 9500, 10_000, 11_000]) history.take({ time, seen: { score: 0.25 } });
    const path = pathOf(history.points, (point) => point.score, (point) => point.time, (score) => score);
    return { times: history.points.map(({ time }) => time), path };
  });
  assert.deepEqual(found.times, [1000, 2000, 9000, 10_000, 11_000]);
  assert.equal(found.path, "M1000.0 0.5l0 0L2000.0 0.5M9000.0 0.3l0 0L10000.0 0.3L11000.0 0.3");
});

test("the last numbers stay for a short time where pictures bear no map, and not where it is said why", async () => {
  const told = await opened.page.evaluate(async () => {
    const { Lull } = await import(new URL("lull.js", document.baseURI));
    const lull = new Lull();
    const seen = { label: "cat", annotated: true };
    const [playing, lost] = ["playing", "lost"].map((state) => ({ state, problem: null, seen: null }));
    const failed = { ...playing, problem: "the model failed" };
    const silent = { ...playing, seen: { annotated: false, reason: "below the threshold" } };
    const at = (head, time) => lull.bridge(head, time).seen?.label ?? null;
    return [at(playing, 0), at({ ...playing, seen }, 100), ...[playing, lost, failed, silent].map((head) => at(head, 500)), at(playing, 700)];
  });
  assert.deepEqual(told, [null, "cat", "cat", null, null, null, null]);
});

test("a message is parted into its text and its picture", async () => {
  const parted = await opened.page.evaluate(async () => {
    const { parted } = await import(new URL("wire.js", document.baseURI));
    const text = new TextEncoder().encode('{"state":"lost","label":"ä"}');
    const message = (jpeg) => {
      const bytes = new Uint8Array([text.length, 0, 0, 0, ...text, ...jpeg]);
      return parted(bytes.buffer);
    };
    const whole = message([255, 216, 255]);
    return { head: whole.head, bytes: [...new Uint8Array(await whole.picture.arrayBuffer())], none: message([]).picture };
  });
  assert.deepEqual(parted, { head: { state: "lost", label: "ä" }, bytes: [255, 216, 255], none: null });
});
