// The wall: pictures that move, sources that go and come, a server that is started anew, and tiles that nobody looks at.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Camera } from "./camera.mjs";
import { Dashboard, FOUR, moves, openBrowser, openPage, says, until } from "./support.mjs";

let browser;
let dashboard;
before(async () => {
  browser = await openBrowser();
  dashboard = await Dashboard.open(FOUR);
});
// A test that has failed leaves its page open.
afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));
after(async () => {
  await browser?.close();
  await dashboard?.stop();
});

test("four cameras on one page: all four pictures move (C08)", async () => {
  const { page, done } = await openPage(browser, dashboard.address);
  const canvases = page.locator(".tile canvas");
  await until("four tiles", async () => (await canvases.count()) === 4);
  for (let at = 0; at < 4; at += 1) {
    const canvas = canvases.nth(at);
    await moves(canvas);
    const first = await canvas.screenshot();
    await until("another screenshot", async () => !first.equals(await canvas.screenshot()));
  }
  await done();
});

test("a tile tells name, class, score, rate, age of the map and provider of its camera", async () => {
  const { page, done } = await openPage(browser, dashboard.address);
  const [camera] = await dashboard.cameras();
  const tile = page.locator(".tile").first();
  const part = (name) => tile.locator(`[data-part=${name}]`).innerText();
  await until("a score", async () => /^\d+ %$/.test(await part("score")));
  assert.equal(await part("name"), camera.name);
  assert.notEqual(await part("label"), "–");
  await until("a rate", async () => /^\d+\.\d fps$/.test(await part("fps")));
  await until("an age of the map", async () => /^[\d.]+ m?s$/.test(await part("age")));
  assert.equal(await part("provider"), "cpu");
  await until("a line of scores", () => tile.locator(".spark-line").evaluate((line) => /M.*L/.test(line.getAttribute("d") ?? "")));
  await done();
});

test("the page comes back by itself when the server is started anew (C04)", async () => {
  const { page, done } = await openPage(browser, dashboard.address);
  const tiles = page.locator(".tile");
  await moves(tiles.first().locator("canvas"));
  await dashboard.stop("SIGKILL");
  for (let at = 0; at < 4; at += 1) await says(tiles.nth(at), "Reconnecting");
  await page.locator(".banner.shown").waitFor();
  await dashboard.start();
  for (let at = 0; at < 4; at += 1) {
    await says(tiles.nth(at), "");
    await moves(tiles.nth(at).locator("canvas"));
  }
  await page.locator(".banner.shown").waitFor({ state: "hidden" });
  await done();
});

test("a camera that is lost says so, comes back by itself, and the others go on (C02)", async () => {
  const camera = new Camera();
  await camera.on();
  const here = await Dashboard.open([`far=${camera.address}`, "near=test:ball"]);
  const { page, done } = await openPage(browser, here.address);
  const [far, near] = [page.locator(".tile").nth(0), page.locator(".tile").nth(1)];
  await moves(far.locator("canvas"));
  await camera.off();
  await says(far, "No signal");
  await until("the summary counts it", async () => (await page.locator(".summary").innerText()).includes("1 without signal"));
  await until("it is said aloud", async () => (await page.locator("[data-part=spoken]").textContent()).includes("far: No signal."));
  await says(near, "");
  await moves(near.locator("canvas"));
  await camera.on();
  await says(far, "");
  await moves(far.locator("canvas"));
  await until("it is said aloud", async () => (await page.locator("[data-part=spoken]").textContent()).includes("far is back."));
  await done();
  await here.stop();
  await camera.off();
});

test("a model that fails: the picture goes on, and the badge says why there is no map (C03)", async () => {
  const here = await Dashboard.open(["test:ball"], ["--set", "fault=fail-every=1"]);
  const { page, done } = await openPage(browser, here.address);
  const tile = page.locator(".tile").first();
  await says(tile, "No map: ");
  await moves(tile.locator("canvas"));
  const { problem } = (await here.cameras())[0];
  assert.ok(problem.length > 10, `a sentence: ${problem}`);
  await says(tile, problem);
  await done();
  await here.stop();
});

test("a tile that is not on the screen, a hidden tab and a paused page take nothing from the server", async () => {
  const { page, done } = await openPage(browser, dashboard.address, { width: 390, height: 500 });
  const watched = async () => (await dashboard.cameras()).map((camera) => camera.viewers > 0);
  const become = (what, wanted) => until(what, async () => JSON.stringify(await watched()) === JSON.stringify(wanted));
  await until("the first is watched, the last is not", async () => {
    const [first, , , last] = await watched();
    return first && !last;
  });
  await page.locator(".tile").last().scrollIntoViewIfNeeded();
  await until("the last is watched, the first is not", async () => {
    const [first, , , last] = await watched();
    return !first && last;
  });
  const none = [false, false, false, false];
  await page.getByRole("button", { name: "Pause" }).click();
  await become("no camera is watched while paused", none);
  await page.getByRole("button", { name: "Paused" }).click();
  await until("a camera is watched again", async () => (await watched()).includes(true));
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { value: "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await become("no camera is watched in a hidden tab", none);
  await done();
});
