/** Logits in the browser equal the native ones, which EXPECTED_LOGITS names: `[{model, domain, index, logits}]`. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { launch, visit } from "./browser.mjs";

const EXPECTED = process.env.EXPECTED_LOGITS;
/** Of a picture's largest logit: single precision keeps about seven digits of it. */
const TOLERANCE = 1e-5;

for (const build of ["relaxed", "simd", "plain"]) {
  test(
    `the ${build} build's logits equal the native ones`,
    { skip: EXPECTED ? false : "EXPECTED_LOGITS is not set" },
    async (t) => {
      const expected = JSON.parse(await readFile(EXPECTED, "utf8"));
      assert.ok(expected.length > 0);
      const browser = await launch();
      try {
        await visit(browser, {}, async ({ page, url }) => {
          const found = await page.evaluate(computeLogits, { url, build, wanted: expected });
          const gaps = expected.map(({ logits }, i) => {
            const gap = Math.max(...logits.map((value, k) => Math.abs(value - found[i][k])));
            return { gap, share: gap / Math.max(1, ...logits.map(Math.abs)) };
          });
          const [gap, share] = ["gap", "share"].map((key) => Math.max(...gaps.map((g) => g[key])));
          t.diagnostic(`largest difference ${gap}, ${share} of the largest logit, ${gaps.length} pictures`);
          assert.ok(share <= TOLERANCE);
        });
      } finally {
        await browser.close();
      }
    },
  );
}

/** In the page: the logits of each wanted picture, straight from the package. */
async function computeLogits({ url, build, wanted }) {
  const program = await import(`${url}pkg/${build}/transduct_wasm_demo.js`);
  await program.default({ module_or_path: `${url}pkg/${build}/transduct_wasm_demo_bg.wasm` });
  const collections = new program.Collections();
  const models = new Map();
  for (const { model } of wanted) {
    if (models.has(model)) continue;
    const reply = await fetch(`${url}models/${model}.safetensors`);
    models.set(model, new program.DigitModel(model, new Uint8Array(await reply.arrayBuffer())));
  }
  return wanted.map(({ model, domain, index }) => [
    ...models.get(model).logits(collections.image(domain, index)),
  ]);
}
