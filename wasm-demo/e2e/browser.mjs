/** A Chromium, the built page behind a server, and what a test needs to know of both. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { serve } from "./server.mjs";

/** The built page: a copy of `www` with the package beside it. */
export const DIST = process.env.DIST ?? fileURLToPath(new URL("../dist", import.meta.url));
/** Not at the root of its host, as on a static host for projects. */
const BASE = "/projects/demo/";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const VIEWPORTS = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };
export const ROOMS = ["digits", "moons", "shift"];

if (!existsSync(DIST))
  throw new Error(`${DIST} is missing: build the page first, or name its folder in DIST`);

export const launch = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });

/**
 * Serves the page, opens it in a fresh context, hands it to `use` once the program runs or has failed,
 * and closes everything.
 * @param {import("playwright-core").Browser} browser
 * @param {object} how
 * @param {string} [how.hash] the address's end
 * @param {RegExp} [how.refused] files that the server lacks
 * @param {() => void} [how.before] run in the page before its own scripts
 * @param {boolean} [how.early] whether `use` comes before that
 * @param {import("playwright-core").BrowserContextOptions} [how.context]
 * @param {(visit: Visit) => Promise<void>} use
 *
 * @typedef {object} Visit
 * @property {import("playwright-core").Page} page
 * @property {string} url of the page, without a hash
 * @property {Map<string, Buffer>} served
 * @property {string[]} complaints console errors, uncaught errors and requests to other origins so far
 */
export async function visit(
  browser,
  { hash = "", refused, before, early = false, context: options = {} },
  use,
) {
  const server = await serve(DIST, BASE, refused);
  const context = await browser.newContext({ viewport: VIEWPORTS.desktop, ...options });
  try {
    const complaints = [];
    context.on("console", (message) => {
      if (message.type() === "error") complaints.push(`console: ${message.text()}`);
    });
    context.on("weberror", (error) => complaints.push(`uncaught: ${error.error().stack}`));
    context.on("request", (request) => {
      if (!request.url().startsWith(server.url)) complaints.push(`request: ${request.url()}`);
    });
    if (before) await context.addInitScript(before);
    const page = await context.newPage();
    await page.goto(server.url + hash);
    if (!early) await page.waitForFunction(() => document.querySelector("#loading").hidden);
    await use({ page, url: server.url, served: server.served, complaints });
  } finally {
    await context.close();
    await server.close();
  }
}

/**
 * Waits until a room shows its first results.
 * @param {import("playwright-core").Page} page
 * @param {string} room
 */
export async function settled(page, room) {
  const ready = {
    digits: () =>
      [...document.querySelectorAll("#embeddings figcaption span")].filter((e) =>
        /^right/.test(e.textContent),
      ).length >= 2,
    moons: () => /of \d+/.test(document.querySelector("#moons-progress").textContent),
    shift: () => /\d/.test(document.querySelector("#shift-ess").textContent),
  }[room];
  await page.waitForFunction(ready, undefined, { timeout: 20_000 });
}

/**
 * @param {import("playwright-core").Page} page
 * @param {string} selector
 * @returns {Promise<string>}
 */
export const text = async (page, selector) => (await page.locator(selector).textContent()) ?? "";

/**
 * Draws one stroke on the pad.
 * @param {import("playwright-core").Page} page
 * @param {[number, number][]} points as shares of the pad
 */
export async function stroke(page, points) {
  await page.locator("#pad").scrollIntoViewIfNeeded();
  const box = await page.locator("#pad").boundingBox();
  const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(points[0]));
  await page.mouse.down();
  for (const point of points.slice(1)) await page.mouse.move(...at(point), { steps: 6 });
  await page.mouse.up();
}

/** The two networks' answers, once they are there. @param {import("playwright-core").Page} page */
export async function answers(page) {
  await page.waitForFunction(() => /says/.test(document.querySelector("#digits-live").textContent));
  return page.locator(".answer .verdict b").allTextContents();
}
