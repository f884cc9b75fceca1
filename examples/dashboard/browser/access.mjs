// Who comes without a mouse, without eyes for small contrasts, or with a theme of their own.

import AxeBuilder from "@axe-core/playwright";
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Dashboard, FOUR, moves, openBrowser, openPage, until } from "./support.mjs";

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

const VIEWS = [["wall", "#/", ".tile canvas"], ["detail", "#/camera/1", ".stage canvas"]];

for (const colorScheme of ["light", "dark"]) {
  for (const [name, hash, canvas] of VIEWS) {
    test(`axe finds nothing serious: ${name}, ${colorScheme}`, async () => {
      const { page, done } = await openPage(browser, dashboard.address + hash, { colorScheme });
      await moves(page.locator(canvas).first());
      const { violations, passes } = await new AxeBuilder({ page }).analyze();
      assert.ok(passes.some(({ id }) => id === "color-contrast"), "contrast was looked at");
      const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
      const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
      assert.deepEqual(told, []);
      console.log(`axe, ${name}, ${colorScheme}: ${passes.length} rules passed, ${violations.length} violations of any kind`);
      await done();
    });
  }
}

/** What has the focus: its name, and whether it can be seen that it has. */
const focused = (page) =>
  page.evaluate(() => {
    const node = document.activeElement;
    const shown = [node, node.nextElementSibling, node.closest(".tile")].filter(Boolean);
    const visible = shown.some((one) => getComputedStyle(one).outlineStyle !== "none" && getComputedStyle(one).outlineWidth !== "0px");
    const words = node.getAttribute("aria-label") ?? node.labels?.[0]?.innerText ?? node.innerText;
    return { words: (words ?? "").trim(), tag: node.tagName, visible };
  });

/** Goes on by Tab up to what is named `last`, and tells what had the focus on the way. */
async function walk(page, last) {
  const seen = [];
  while (!seen.at(-1)?.startsWith(last)) {
    await page.keyboard.press("Tab");
    const at = await focused(page);
    assert.notEqual(at.tag, "BODY", `${last} is reached: ${seen.join(", ")}`);
    assert.ok(at.visible, `the focus is seen on ${at.tag} "${at.words}"`);
    seen.push(at.words);
  }
  return seen;
}

test("the wall and a camera are walked by keyboard, and the focus is always seen", async () => {
  const { page, done } = await openPage(browser, dashboard.address);
  await moves(page.locator(".tile canvas").first());
  const names = (await dashboard.cameras()).map((camera) => camera.name);
  assert.deepEqual(await walk(page, names.at(-1)), ["Skip to the content", "gradcam, all cameras", "Pause", "Auto", ...names]);
  await page.keyboard.press("Enter");
  const title = page.locator("#detail-title");
  await until("the title has the focus", () => title.evaluate((node) => node === document.activeElement));
  assert.equal(await title.innerText(), names[3]);
  await page.getByLabel("Method").waitFor();
  const detail = await walk(page, "As a table");
  for (const wanted of ["JPEG", "Draw region", "Snapshot", "Save clip", "Method", "Class", "Opacity", "Left", "Height", "Time in the last ten minutes"]) {
    assert.ok(detail.some((words) => words.startsWith(wanted)), `${wanted} is reached: ${detail.join(", ")}`);
  }
  await page.keyboard.press("Escape");
  await page.locator(".tile").first().waitFor();
  assert.equal((await focused(page)).words, names[3]);
  await done();
});

test("a theme that is chosen is kept, and else it is the system's", async () => {
  const { page, done } = await openPage(browser, dashboard.address, { colorScheme: "light" });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.getByLabel("Dark").check({ force: true });
  const dark = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  assert.equal(await ground(), dark);
  assert.equal(await page.getByLabel("Dark").isChecked(), true);
  await page.getByLabel("Auto").check({ force: true });
  assert.equal(await ground(), light);
  await page.emulateMedia({ colorScheme: "dark" });
  assert.equal(await ground(), dark);
  await done();
});

for (const [name, hash, canvas] of VIEWS) {
  test(`nothing moves when the numbers come: ${name}`, async () => {
    const { page, done } = await openPage(browser, dashboard.address + hash);
    await moves(page.locator(canvas).first());
    const shifted = await page.evaluate(
      () =>
        new Promise((resolve) => {
          new PerformanceObserver((list) => resolve(list.getEntries().reduce((sum, entry) => sum + entry.value, 0))).observe({ type: "layout-shift", buffered: true });
          // Without any shift the observer is never called.
          setTimeout(() => resolve(0), 500);
        }),
    );
    console.log(`cumulative layout shift, ${name}: ${shifted.toFixed(4)}`);
    assert.ok(shifted < 0.1, `cumulative layout shift ${shifted}`);
    await done();
  });
}
