/** Accessibility by axe-core, and pictures for the eye, of each room in each variant. */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import axe from "axe-core";
import { ROOMS, VIEWPORTS, launch, settled, visit } from "./browser.mjs";

const SCREENSHOTS = process.env.SCREENSHOTS;

let browser;
before(async () => {
  browser = await launch();
  if (SCREENSHOTS) await mkdir(SCREENSHOTS, { recursive: true });
});
after(() => browser.close());

for (const room of ROOMS) {
  for (const [size, viewport] of Object.entries(VIEWPORTS)) {
    for (const colorScheme of ["light", "dark"]) {
      test(`${room}, ${size}, ${colorScheme}`, () =>
        visit(
          browser,
          { hash: `#${room}`, context: { viewport, colorScheme } },
          async ({ page, complaints }) => {
            await settled(page, room);
            if (room === "moons") await trainFor(page, 400);
            assert.deepEqual(await violations(page), []);
            const width = await page.evaluate(() => document.documentElement.scrollWidth);
            assert.ok(width <= viewport.width, `${width} pixels wide`);
            assert.deepEqual(complaints, []);
            if (SCREENSHOTS)
              await page.screenshot({
                path: join(SCREENSHOTS, `${room}-${size}-${colorScheme}.png`),
                fullPage: true,
              });
          },
        ));
    }
  }
}

test("every control shows its focus, and none is passed over", () =>
  visit(browser, { hash: "#shift" }, async ({ page }) => {
    await settled(page, "shift");
    const passed = [];
    for (let i = 0; i < 16; i += 1) {
      await page.keyboard.press("Tab");
      passed.push(await page.evaluate(focused));
    }
    const wanted = [
      "copy",
      "theme",
      "shift-mean",
      "shift-width",
      "shift-seed",
      "shift-reseed",
      "handle-mean",
      "handle-width",
    ];
    assert.deepEqual(
      wanted.filter((id) => !passed.some((entry) => entry.id === id)),
      [],
    );
    for (const { id, outline } of passed) assert.ok(outline, `${id} shows no focus`);
  }));

test("the skip link leads to the content and stays in the room", () =>
  visit(browser, { hash: "#shift" }, async ({ page }) => {
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement?.id), "content");
    assert.ok(await page.isVisible("#shift-title"));
  }));

/** @param {import("playwright-core").Page} page @param {number} steps at least */
async function trainFor(page, steps) {
  await page.click("#moons-play");
  await page.waitForFunction(
    (steps) => Number(document.querySelector("#moons-progress").textContent.match(/\d+/)[0]) >= steps,
    steps,
    { timeout: 120_000 },
  );
  await page.click("#moons-play");
}

/**
 * @param {import("playwright-core").Page} page
 * @returns {Promise<string[]>} rule and place of each
 */
async function violations(page) {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { violations } = await window.axe.run();
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`),
    );
  });
}

/** In the page: the focused element, and whether it, or what is drawn for it, has an outline. */
function focused() {
  const { activeElement: element } = document;
  if (!element || element === document.body) return { id: "body", outline: true };
  const drawn = element.matches(".segments input") ? element.nextElementSibling : element;
  return { id: element.id, outline: getComputedStyle(drawn).outlineStyle !== "none" };
}
