/** What a visitor does in the three rooms. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { answers, launch, settled, stroke, text, visit } from "./browser.mjs";

const FIRST_VISIT_BYTES = 1_000_000;

const circle = Array.from({ length: 25 }, (_, i) => {
  const angle = (2 * Math.PI * i) / 24 - Math.PI / 2;
  return [0.5 + 0.22 * Math.cos(angle), 0.5 + 0.34 * Math.sin(angle)];
});
const DRAWN = {
  0: [circle],
  1: [
    [
      [0.52, 0.15],
      [0.48, 0.85],
    ],
  ],
  7: [
    [
      [0.25, 0.2],
      [0.72, 0.2],
      [0.42, 0.85],
    ],
  ],
};

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

describe("digits", () => {
  test("clear drawings get their labels from both networks", () =>
    visit(browser, { hash: "#digits" }, async ({ page, complaints }) => {
      await settled(page, "digits");
      for (const [digit, strokes] of Object.entries(DRAWN)) {
        await page.click("#clear");
        await page.waitForFunction(() => document.querySelector("#digits-live").textContent === "");
        for (const points of strokes) await stroke(page, points);
        assert.deepEqual(await answers(page), [digit, digit], `a drawn ${digit}`);
      }
      assert.deepEqual(complaints, []);
    }));

  test("undo takes the last stroke, clear takes all", () =>
    visit(browser, { hash: "#digits" }, async ({ page }) => {
      await settled(page, "digits");
      await stroke(page, DRAWN[1][0]);
      const one = await seen(page);
      await stroke(page, [
        [0.2, 0.5],
        [0.8, 0.5],
      ]);
      assert.notEqual(await seen(page), one);
      await page.click("#undo");
      assert.equal(await seen(page), one);
      await page.click("#clear");
      await page.waitForFunction(() => /nothing/.test(document.querySelector("#seen").ariaLabel));
    }));

  test("samples of both collections are answered beside their true label, by keyboard too", () =>
    visit(browser, { hash: "#digits" }, async ({ page, complaints }) => {
      await settled(page, "digits");
      for (const [domain, name] of [
        ["source", "MNIST"],
        ["target", "UCI digits"],
      ]) {
        const button = page.locator(`.samples[data-domain="${domain}"] .thumbs button`).nth(3);
        await button.focus();
        await page.keyboard.press("Space");
        await page.waitForFunction(
          (name) => document.querySelector("#input-name").textContent.startsWith(name),
          name,
        );
        assert.equal(await button.getAttribute("aria-pressed"), "true");
        assert.equal((await answers(page)).length, 2);
        assert.match(await text(page, ".answer:first-child .verdict"), /right|wrong/);
      }
      const first = () =>
        page.locator('.samples[data-domain="target"] .thumbs button').first().getAttribute("aria-label");
      const shown = await first();
      await page.click('.samples[data-domain="target"] .more');
      await page.waitForFunction(
        (shown) =>
          document.querySelector('.samples[data-domain="target"] .thumbs button').ariaLabel !== shown,
        shown,
      );
      assert.deepEqual(complaints, []);
    }));

  test("the adapted network reads the target better than the other", () =>
    visit(browser, { hash: "#digits" }, async ({ page }) => {
      await settled(page, "digits");
      const right = (await page.locator("#embeddings figcaption span").allTextContents()).map((line) =>
        line.match(/[\d.]+(?= %)/g).map(Number),
      );
      assert.ok(right[1][1] > right[0][1], `target: ${right[0][1]} % and ${right[1][1]} %`);
    }));
});

describe("moons", () => {
  test("the rotation moves the target; training moves the boundary and helps the adapted network alone", (t) =>
    visit(browser, { hash: "#moons" }, async ({ page, complaints }) => {
      await settled(page, "moons");
      const before = await pixels(page, '.learner[data-learner="1"] canvas');
      await page.locator("#moons-rotation").focus();
      await page.keyboard.press("ArrowRight");
      await page.waitForFunction(() => /rotation=40/.test(location.hash));
      // The address changes before the worker has drawn.
      let turned = before;
      for (let look = 0; look < 100 && changed(before, turned) === 0; look += 1) {
        await page.waitForTimeout(50);
        turned = await pixels(page, '.learner[data-learner="1"] canvas');
      }
      assert.ok(changed(before, turned) > 0, "the points have not moved");

      const start = await accuracy(page, 1);
      await page.click("#moons-play");
      await page.waitForFunction(() =>
        /steps a second/.test(document.querySelector("#moons-progress").textContent),
      );
      const frames = await page.evaluate(framesASecond);
      t.diagnostic(`${await text(page, "#moons-progress")}, ${frames.toFixed(0)} frames a second`);
      await page.waitForFunction(
        () => document.querySelector("#moons-play").textContent === "Again",
        undefined,
        { timeout: 180_000 },
      );
      const trained = await pixels(page, '.learner[data-learner="1"] canvas');
      const [plain, adapted] = [await accuracy(page, 0), await accuracy(page, 1)];
      t.diagnostic(`target accuracy: start ${start} %, source only ${plain} %, adapted ${adapted} %`);
      assert.ok(changed(turned, trained) > trained.length / 4, "the boundary has not moved");
      assert.ok(
        adapted > start && adapted > plain,
        `start ${start}, source only ${plain}, adapted ${adapted}`,
      );
      assert.deepEqual(complaints, []);
    }));

  test("step goes one step, pause holds, reset and another seed start anew", () =>
    visit(browser, { hash: "#moons" }, async ({ page }) => {
      await settled(page, "moons");
      const step = async () => Number((await text(page, "#moons-progress")).match(/\d+/)[0]);
      await page.click("#moons-step");
      await page.waitForFunction(() => /Step 1 /.test(document.querySelector("#moons-progress").textContent));
      await page.click("#moons-play");
      await page.waitForFunction(
        () => !/Step 1 /.test(document.querySelector("#moons-progress").textContent),
      );
      await page.click("#moons-play");
      await page.waitForTimeout(300);
      const held = await step();
      await page.waitForTimeout(300);
      assert.equal(await step(), held);
      await page.click("#moons-reseed");
      await page.waitForFunction(() => /Step 0 /.test(document.querySelector("#moons-progress").textContent));
      assert.equal(await page.inputValue("#moons-seed"), "1");
    }));

  test("every method of the list trains", () =>
    visit(browser, { hash: "#moons" }, async ({ page, complaints }) => {
      await settled(page, "moons");
      const methods = await page
        .locator("#moons-method option")
        .evaluateAll((all) => all.map(({ value }) => value));
      for (const method of methods) {
        await page.selectOption("#moons-method", method);
        await page.waitForFunction(() =>
          /Step 0 /.test(document.querySelector("#moons-progress").textContent),
        );
        await page.click("#moons-step");
        await page.waitForFunction(() =>
          /Step 1 /.test(document.querySelector("#moons-progress").textContent),
        );
        assert.equal(await text(page, "#moons-error"), "", method);
      }
      assert.deepEqual(complaints, []);
    }));
});

describe("covariate shift", () => {
  test("dragging the density moves the weights", () =>
    visit(browser, { hash: "#shift" }, async ({ page, complaints }) => {
      await settled(page, "shift");
      const [before, size] = [await pixels(page, "#shift-density"), await text(page, "#shift-ess")];
      await page.locator("#handle-mean").scrollIntoViewIfNeeded();
      const box = await page.locator("#handle-mean").boundingBox();
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      await page.mouse.move(x, y);
      await page.mouse.down();
      await page.mouse.move(x - 90, y, { steps: 12 });
      await page.mouse.up();
      await page.waitForFunction((size) => document.querySelector("#shift-ess").textContent !== size, size);
      assert.ok(changed(before, await pixels(page, "#shift-density")) > 0);
      assert.ok(Number(await text(page, "#shift-mean-value")) < 2);
      assert.deepEqual(complaints, []);
    }));

  test("the handles answer to arrow keys", () =>
    visit(browser, { hash: "#shift" }, async ({ page }) => {
      await settled(page, "shift");
      await page.locator("#handle-mean").focus();
      await page.keyboard.press("ArrowLeft");
      await page.locator("#handle-width").focus();
      await page.keyboard.press("Shift+ArrowRight");
      assert.equal(await page.locator("#handle-mean").getAttribute("aria-valuenow"), "1.95");
      assert.equal(await page.locator("#handle-width").getAttribute("aria-valuenow"), "0.50");
    }));

  test("each method gives weights and a certificate", () =>
    visit(browser, { hash: "#shift" }, async ({ page, complaints }) => {
      await settled(page, "shift");
      const sizes = new Set([await text(page, "#shift-ess")]);
      await page.locator('input[name="shift-method"]').first().focus();
      for (const method of ["kliep", "ulsif", "logistic"]) {
        await page.keyboard.press("ArrowRight");
        await page.waitForFunction((method) => location.hash.includes(method), method);
        await page.waitForTimeout(500);
        sizes.add(await text(page, "#shift-ess"));
        assert.ok((await text(page, "#shift-certificate")).length > 10);
        assert.equal(await text(page, "#shift-error"), "");
      }
      assert.equal(sizes.size, 4);
      assert.deepEqual(complaints, []);
    }));

  test("a collapse of the effective sample size is said", () =>
    visit(browser, { hash: "#shift?mean=3.5&width=0.1" }, async ({ page }) => {
      await page.waitForFunction(() => {
        const shown = (selector) => !document.querySelector(selector).hidden;
        return shown("#shift-warning") || shown("#shift-error");
      });
    }));
});

describe("the address", () => {
  test("a view of each room opens again as it was", () =>
    visit(browser, { hash: "#moons?rotation=60&noise=0.1&seed=5" }, async ({ page, url }) => {
      await settled(page, "moons");
      assert.deepEqual(
        [
          await page.inputValue("#moons-rotation"),
          await page.inputValue("#moons-noise"),
          await page.inputValue("#moons-seed"),
        ],
        ["60", "0.1", "5"],
      );
      await reopened(page, url, "#shift?mean=1.5&width=0.3&method=ulsif&seed=2", "shift");
      assert.equal(await page.inputValue("#shift-mean"), "1.5");
      assert.ok(await page.isChecked('input[value="ulsif"]'));

      await reopened(page, url, "#digits?colour=class", "digits");
      await stroke(page, DRAWN[7][0]);
      await page.waitForFunction(() => location.hash.includes("ink="));
      const [picture, hash] = [await seen(page), new URL(page.url()).hash];
      await reopened(page, url, hash, "digits");
      assert.equal(await seen(page), picture);
      assert.ok(await page.isChecked('input[value="class"]'));

      await reopened(page, url, "#digits?sample=target.4", "digits");
      assert.match(await text(page, "#input-name"), /sample 4/);
    }));

  test("bad values are ignored", () =>
    visit(
      browser,
      { hash: "#moons?rotation=900&noise=x&seed=-1&method=none" },
      async ({ page, complaints }) => {
        await settled(page, "moons");
        assert.equal(await page.inputValue("#moons-rotation"), "35");
        assert.equal(await page.inputValue("#moons-seed"), "0");
        assert.equal(await page.inputValue("#moons-method"), "dann");
        await page.goto(`${page.url().split("#")[0]}#digits?sample=target.999999&ink=%25&colour=x`);
        await settled(page, "digits");
        assert.deepEqual(complaints, []);
      },
    ));

  test("a room is found as it was left", () =>
    visit(browser, { hash: "#moons?seed=4" }, async ({ page }) => {
      await settled(page, "moons");
      await page.click("#moons-step");
      await page.waitForFunction(() => /Step 1 /.test(document.querySelector("#moons-progress").textContent));
      await page.click('nav a[data-room="shift"]');
      await settled(page, "shift");
      await page.click('nav a[data-room="moons"]');
      await page.waitForSelector("#room-moons:not([hidden])");
      assert.match(await text(page, "#moons-progress"), /Step 1 /);
      assert.match(page.url(), /#moons\?seed=4$/);
    }));

  test("the rooms are links, and the link can be copied", () =>
    visit(browser, { context: { permissions: ["clipboard-read", "clipboard-write"] } }, async ({ page }) => {
      await page.focus('nav a[data-room="shift"]');
      await page.keyboard.press("Enter");
      await settled(page, "shift");
      assert.equal(await page.locator("nav a[aria-current=page]").textContent(), "Covariate shift");
      await page.fill("#shift-seed", "7");
      await page.keyboard.press("Tab");
      await page.click("#copy");
      assert.match(await page.evaluate(() => navigator.clipboard.readText()), /#shift\?seed=7$/);
    }));
});

test("a first visit stays below its size, with nothing from elsewhere", (t) =>
  visit(browser, {}, async ({ page, served, complaints }) => {
    await settled(page, "digits");
    const sizes = [...served].map(([file, body]) => [gzipSync(body).length, file]);
    const total = sizes.reduce((sum, [size]) => sum + size, 0);
    t.diagnostic(`${total} bytes gzipped in ${sizes.length} files`);
    assert.ok(total <= FIRST_VISIT_BYTES, `${total} bytes`);
    assert.deepEqual(complaints, []);
  }));

/**
 * @param {import("playwright-core").Page} page
 * @param {string} url
 * @param {string} hash
 * @param {string} room
 */
async function reopened(page, url, hash, room) {
  await page.goto("about:blank");
  await page.goto(url + hash);
  await settled(page, room);
}

/**
 * The small picture that the networks see, as text.
 * @param {import("playwright-core").Page} page
 */
const seen = (page) => page.locator("#seen").evaluate((canvas) => canvas.toDataURL());

/**
 * Every sixth pixel of a canvas, both ways.
 * @param {import("playwright-core").Page} page
 * @param {string} selector
 */
const pixels = (page, selector) =>
  page.locator(selector).evaluate((canvas) => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const found = [];
    for (let y = 0; y < height; y += 6) {
      for (let x = 0; x < width; x += 6)
        found.push(data.slice(4 * (y * width + x), 4 * (y * width + x) + 3).join());
    }
    return found;
  });

/** How many pixels differ. @param {string[]} before @param {string[]} after */
const changed = (before, after) => before.filter((value, i) => value !== after[i]).length;

/**
 * A learner's target accuracy in percent.
 * @param {import("playwright-core").Page} page
 * @param {number} learner
 */
const accuracy = async (page, learner) =>
  parseFloat(await text(page, `.learner[data-learner="${learner}"] .score b`));

/** In the page: how often it was drawn a second, over two. @returns {Promise<number>} */
function framesASecond() {
  return new Promise((resolve) => {
    const start = performance.now();
    let frames = 0;
    requestAnimationFrame(function count(now) {
      frames += 1;
      if (now - start < 2000) requestAnimationFrame(count);
      else resolve((1000 * frames) / (now - start));
    });
  });
}
