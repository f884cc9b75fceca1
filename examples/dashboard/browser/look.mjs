// Screenshots for people to look at, of every view in every dress; what can be asked of them by rule is asked.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Dashboard, FOUR, moves, openBrowser, openPage, SHOTS, until } from "./support.mjs";

let browser;
before(async () => {
  browser = await openBrowser();
});
// A test that has failed leaves its page open.
afterEach(() => Promise.all(browser.contexts().map((context) => context.close())));
after(async () => {
  await browser?.close();
});

const SIZES = { wide: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } };

for (const sources of [FOUR.slice(0, 1), FOUR]) {
  test(`screenshots with ${sources.length} of cameras`, async () => {
    const dashboard = await Dashboard.open(sources);
    for (const [size, { width, height }] of Object.entries(SIZES)) {
      for (const colorScheme of ["light", "dark"]) {
        for (const [view, hash, canvas] of [["wall", "#/", ".tile canvas"], ["detail", "#/camera/1", ".stage canvas"]]) {
          const { page, done } = await openPage(browser, dashboard.address + hash, { width, height, colorScheme });
          await moves(page.locator(canvas).first());
          // All that can be seen of the view, with its numbers: pictures below the fold of a phone do not play.
          const shown = page.locator(size === "phone" ? "[data-part=score]:visible >> nth=0" : "[data-part=score]:visible");
          await until("scores", async () => (await shown.allInnerTexts()).every((score) => score.endsWith("%")));
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(wide <= 0, `${view} on ${size} is ${wide} pixels too wide`);
          const path = `${SHOTS}/${view}-${sources.length}-${size}-${colorScheme}.png`;
          await page.screenshot({ path, fullPage: size === "phone" });
          await done();
        }
      }
    }
    await dashboard.stop();
  });
}
console.log(`screenshots: ${SHOTS}`);
