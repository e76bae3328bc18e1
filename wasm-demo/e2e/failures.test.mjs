/** What fails is said on the page, and the rest of it keeps working. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DIST, answers, launch, settled, stroke, text, visit } from "./browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

test("a broken model file is named where it was dropped, and the others answer on", () =>
  visit(browser, { hash: "#digits?sample=source.2" }, async ({ page, complaints }) => {
    await settled(page, "digits");
    await page.setInputFiles("#model-file", {
      name: "broken.safetensors",
      mimeType: "",
      buffer: Buffer.from("not a model"),
    });
    await page.waitForSelector("#model-error:not([hidden])");
    assert.match(await text(page, "#model-error"), /^Not loaded: broken\.safetensors: .{8}/);

    const whole = await readFile(join(DIST, "models/adapted.safetensors"));
    await page.evaluate(dropFile, ["cut.safetensors", [...whole.subarray(0, whole.length >> 1)]]);
    await page.waitForFunction(() =>
      /cut\.safetensors/.test(document.querySelector("#model-error").textContent),
    );
    assert.equal((await answers(page)).length, 2);
    assert.deepEqual(complaints, []);
  }));

test("a model of the visitor's own is tried at once and shows its card", () =>
  visit(browser, { hash: "#digits?sample=target.2" }, async ({ page, complaints }) => {
    await settled(page, "digits");
    const whole = await readFile(join(DIST, "models/adapted.safetensors"));
    await page.evaluate(dropFile, ["mine.safetensors", [...whole]]);
    await page.waitForSelector('.model-cards details[data-model="mine.safetensors"]');
    await page.waitForFunction(() => /mine/.test(document.querySelector("#digits-live").textContent));
    const said = await answers(page);
    assert.equal(said.length, 3);
    assert.equal(said[2], said[1]);
    assert.equal(await page.locator("#embeddings figure").count(), 3);
    assert.deepEqual(complaints, []);
  }));

test("a missing model of the page's own leaves the other", () =>
  visit(browser, { hash: "#digits?sample=source.2", refused: /adapted\.safetensors$/ }, async ({ page }) => {
    await page.waitForSelector(".answer .problem");
    assert.match(await text(page, ".answer .problem"), /could not be loaded.*missing/);
    assert.equal((await answers(page)).length, 1);
  }));

test("until the program is there the page is drawn, says that it loads, and takes strokes", () =>
  visit(browser, { hash: "#digits", before: neverAnswer, early: true }, async ({ page, complaints }) => {
    assert.equal(await text(page, "#status-text"), "Loading the program…");
    assert.ok(await page.isVisible("#loading"));
    assert.ok(await page.isVisible("#digits-title"));
    await stroke(page, [
      [0.5, 0.2],
      [0.5, 0.8],
    ]);
    assert.match(await page.locator("#seen").getAttribute("aria-label"), /[1-9]\d* of 784/);
    assert.deepEqual(complaints, []);
  }));

test("without the program the page says so, and one can still read and draw", () =>
  visit(browser, { hash: "#digits", refused: /\.wasm$/ }, async ({ page }) => {
    assert.match(await text(page, "#errors"), /could not be loaded.*still read the rooms and draw/);
    await stroke(page, [
      [0.5, 0.2],
      [0.5, 0.8],
    ]);
    assert.match(await page.locator("#seen").getAttribute("aria-label"), /[1-9]\d* of 784/);
    await page.click('nav a[data-room="moons"]');
    await page.waitForSelector("#room-moons:not([hidden])");
  }));

test("without SIMD the plain build runs", () =>
  visit(
    browser,
    { hash: "#shift", before: () => (WebAssembly.validate = () => false) },
    async ({ page, served, complaints }) => {
      await settled(page, "shift");
      assert.match(await text(page, "#notes"), /no WebAssembly SIMD/);
      assert.match(await text(page, "#status-text"), /plain build/);
      const files = [...served.keys()];
      assert.ok(
        files.some((file) => /plain.*\.wasm$/.test(file)) &&
          !files.some((file) => /relaxed|simd/.test(file)),
        files.join(),
      );
      assert.deepEqual(complaints, []);
    },
  ));

test("without relaxed SIMD the SIMD build runs", () =>
  visit(browser, { hash: "#shift", before: withoutRelaxedSimd }, async ({ page, served, complaints }) => {
    await settled(page, "shift");
    assert.match(await text(page, "#status-text"), /Ready: SIMD build/);
    assert.equal(await text(page, "#notes"), "");
    assert.ok(![...served.keys()].some((file) => /relaxed|plain/.test(file)));
    assert.deepEqual(complaints, []);
  }));

for (const [refused, left] of [
  [/relaxed/, "SIMD"],
  [/relaxed|simd/, "plain"],
])
  test(`without the files of ${refused.source} the ${left} build runs`, () =>
    visit(browser, { hash: "#shift", refused }, async ({ page }) => {
      await settled(page, "shift");
      assert.match(await text(page, "#notes"), /did not load: another is used/);
      assert.match(await text(page, "#status-text"), new RegExp(`Ready: ${left} build`));
    }));

test("without a worker the page computes by itself", () =>
  visit(browser, { hash: "#moons", before: () => delete window.Worker }, async ({ page, complaints }) => {
    await settled(page, "moons");
    assert.match(await text(page, "#notes"), /no Web Worker/);
    await page.click("#moons-play");
    await page.waitForFunction(
      () => Number(document.querySelector("#moons-progress").textContent.match(/\d+/)[0]) > 5,
    );
    await page.click("#moons-play");
    assert.equal(await page.locator("#moons-play").textContent(), "Play");
    assert.deepEqual(complaints, []);
  }));

test("a worker that cannot load is replaced by the page", () =>
  visit(browser, { hash: "#shift", refused: /worker\.js$/ }, async ({ page }) => {
    await settled(page, "shift");
    assert.match(await text(page, "#notes"), /no Web Worker/);
  }));

test("where storage is blocked the theme still changes, and that it is forgotten is said", () =>
  visit(browser, { before: blockStorage }, async ({ page, complaints }) => {
    await page.click("#theme");
    assert.equal(await page.locator("html").getAttribute("data-theme"), "light");
    assert.match(await text(page, "#notes"), /Storage is blocked/);
    assert.deepEqual(complaints, []);
  }));

test("the chosen theme is kept", () =>
  visit(browser, {}, async ({ page }) => {
    await page.click("#theme");
    await page.click("#theme");
    await page.reload();
    assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
    assert.equal(await text(page, "#theme"), "Theme: dark");
  }));

/** In the page: drops a file on its zone. @param {[name: string, bytes: number[]]} file */
function dropFile([name, bytes]) {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([new Uint8Array(bytes)], name));
  document
    .querySelector("#drop")
    .dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}

/** In the page: as a browser without the proposal of relaxed SIMD does. */
function withoutRelaxedSimd() {
  const validate = WebAssembly.validate;
  const madd = [0xfd, 0x85, 0x02].join();
  WebAssembly.validate = (bytes) => !bytes.join().includes(madd) && validate(bytes);
}

/** In the page: as a browser that blocks storage does. */
function blockStorage() {
  Object.defineProperty(window, "localStorage", {
    get() {
      throw new DOMException("blocked", "SecurityError");
    },
  });
}

/** In the page: workers that never say a word, as if the program took for ever to load. */
function neverAnswer() {
  window.Worker = class {
    addEventListener() {}
  };
}
