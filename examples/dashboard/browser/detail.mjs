// One camera in full: what is changed there changes the picture, and what cannot be is said.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";
import { Dashboard, moves, openBrowser, openPage, says, until } from "./support.mjs";

let browser;
let dashboard;
before(async () => {
  browser = await openBrowser();
  dashboard = await Dashboard.open(["test:smpte", "test:ball"]);
});
// A test that has failed leaves its page open.
afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));
after(async () => {
  await browser?.close();
  await dashboard?.stop();
});

async function openDetail(id = 1) {
  const opened = await openPage(browser, `${dashboard.address}#/camera/${id}`);
  await moves(opened.page.locator(".stage canvas"));
  return opened;
}

const settings = async (id = 1) => (await dashboard.cameras()).find((camera) => camera.id === id).settings;
const setting = (name, value) => until(`${name} is ${value}`, async () => (await settings())[name] === value);

/** The mean difference of the colours of a pixel, 0 in a grey picture. */
const colourful = (page) =>
  page.locator(".stage canvas").evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let sum = 0;
    for (let at = 0; at < data.length; at += 4) sum += Math.max(data[at], data[at + 1], data[at + 2]) - Math.min(data[at], data[at + 1], data[at + 2]);
    return (sum * 4) / data.length;
  });

test("a tile leads to its camera, and the back button to the wall", async () => {
  const { page, done } = await openPage(browser, dashboard.address);
  await page.locator(".tile a").nth(1).click();
  const title = page.locator("#detail-title");
  await title.waitFor();
  assert.equal(await title.innerText(), (await dashboard.cameras())[1].name);
  assert.equal(await page.locator(".tile").first().isVisible(), false);
  await page.getByRole("link", { name: /Previous/ }).click();
  await until("the other camera", async () => (await title.innerText()) === (await dashboard.cameras())[0].name);
  await page.goBack();
  await page.goBack();
  await page.locator(".tile").first().waitFor();
  assert.equal(await title.count(), 0);
  await page.goto(`${dashboard.address}#/camera/99`);
  await page.locator(".tile").first().waitFor();
  await until("the wall's address", () => page.url().endsWith("#/"));
  await done();
});

test("controls are sent as they are changed, and change the picture", async () => {
  const { page, done } = await openDetail();
  const before = await colourful(page);
  assert.ok(before > 40, `a test picture in colour: ${before}`);
  await page.getByLabel("Colours").selectOption("gray");
  await page.getByLabel("Painted as").selectOption("heatmap");
  await setting("colormap", "gray");
  await setting("output-mode", "heatmap");
  await until("a picture without colour", async () => (await colourful(page)) < 10);
  await page.getByLabel("Painted as").selectOption("overlay");
  await page.getByLabel("Opacity").fill("0");
  await setting("alpha", 0);
  await until("the camera's colours again", async () => (await colourful(page)) > 40);
  await page.getByLabel("Threshold").fill("0.7");
  await setting("threshold", 0.7);
  const names = page.getByLabel("Class names");
  await names.check();
  await setting("draw-labels", true);
  await names.uncheck();
  await setting("draw-labels", false);
  await page.getByLabel("Method").selectOption("layercam");
  await setting("method", "layercam");
  await done();
});

test("what the server refuses is said in its words and set back", async () => {
  const { page, done } = await openDetail();
  const field = page.getByLabel("Class", { exact: true });
  await field.fill("no class has this name");
  await field.press("Enter");
  const refusal = page.locator(".control", { has: field }).getByRole("alert");
  await until("a sentence", async () => (await refusal.innerText()).length > 20);
  const answer = await fetch(`${dashboard.address}api/cameras/1`, {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ "target-class": "no class has this name" }),
  });
  assert.equal(answer.status, 422);
  assert.equal(await refusal.innerText(), (await answer.json()).error);
  assert.equal(await field.inputValue(), "");
  await setting("target-class", "");
  await done();
});

test("a region is drawn with the mouse, moved by keys, typed as numbers and cleared", async () => {
  const { page, done } = await openDetail();
  const roi = async () => (await settings()).roi.split(",").map(Number);
  const near = (wanted) => until(`the region ${wanted}`, async () => {
    const got = await roi();
    return got.length === 4 && got.every((value, at) => Math.abs(value - wanted[at]) < 0.015);
  });
  const picture = page.locator(".region");
  const box = await picture.boundingBox();
  await page.mouse.move(box.x + box.width * 0.25, box.y + box.height * 0.2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.4);
  await page.mouse.move(box.x + box.width * 0.75, box.y + box.height * 0.6);
  await page.mouse.up();
  await near([0.25, 0.2, 0.5, 0.4]);
  await until("its share of the heat", async () => /^\d+ %$/.test(await page.locator(".now [data-part=roi]").innerText()));
  await picture.focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await near([0.29, 0.2, 0.5, 0.4]);
  await page.keyboard.press("Shift+ArrowDown");
  await near([0.29, 0.2, 0.5, 0.42]);
  await page.getByLabel("Left").fill("10");
  await page.getByLabel("Left").press("Enter");
  await near([0.1, 0.2, 0.5, 0.42]);
  await page.getByLabel("Width").fill("95");
  await page.getByLabel("Width").press("Enter");
  await until("a sentence", async () => (await page.locator(".region-fields .refusal").innerText()).length > 10);
  await near([0.1, 0.2, 0.5, 0.42]);
  await page.getByRole("button", { name: "Clear" }).click();
  await setting("roi", "");
  await done();
});

test("the timeline is read by keys and as a table", async () => {
  const { page, done } = await openDetail(2);
  const slider = page.getByRole("slider", { name: "Time in the last ten minutes" });
  const told = () => slider.getAttribute("aria-valuetext");
  await until("some seconds", async () => (await page.locator(".chart-score").getAttribute("d"))?.split("L").length > 3);
  await slider.focus();
  await page.keyboard.press("End");
  assert.match(await told(), /^\d\d:\d\d:\d\d, .+, \d+ %/);
  await page.keyboard.press("Home");
  const first = await told();
  assert.ok(Number(await slider.getAttribute("aria-valuenow")) < 0);
  await page.keyboard.press("ArrowRight");
  assert.notEqual(await told(), first);
  assert.ok((await page.locator(".readout").innerText()).includes((await told()).slice(0, 8)));
  await page.getByText("As a table").click();
  await until("a row", async () => (await page.locator(".timeline-panel tbody tr").count()) > 0);
  assert.match(await page.locator(".timeline-panel tbody tr").first().innerText(), /\d\d:\d\d:\d\d.*%/s);
  await done();
});

test("snapshot and clip are saved as files", async () => {
  const { page, done } = await openDetail(2);
  const saved = async (name) => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
    return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
  };
  const snapshot = await saved("Snapshot");
  assert.match(snapshot.name, /\.jpg$/);
  assert.equal(snapshot.bytes.readUInt16BE(0), 0xffd8);
  const clip = await saved("Save clip");
  assert.match(clip.name, /\.mp4$/);
  assert.equal(clip.bytes.toString("latin1", 4, 8), "ftyp");
  assert.ok((await page.locator(".note").innerText()).includes(clip.name));
  await done();
});

test("the picture comes over WebRTC too, with its numbers", async () => {
  const { page, done } = await openDetail(2);
  await page.getByLabel("WebRTC").check({ force: true });
  const video = page.locator(".stage video");
  await video.waitFor();
  await until("a moving picture", () => video.evaluate((node) => node.videoWidth > 0 && node.currentTime > 0.5));
  assert.equal(await page.locator(".stage canvas").isVisible(), false);
  await until("numbers", async () => /^\d+ %$/.test(await page.locator(".now [data-part=score]").innerText()));
  await page.getByLabel("JPEG").check({ force: true });
  await moves(page.locator(".stage canvas"));
  assert.equal(await video.isVisible(), false);
  await says(page.locator(".stage"), "");
  await done();
});
