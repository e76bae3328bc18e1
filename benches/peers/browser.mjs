/**
 * A digit's prediction and training on moons in WebAssembly beside the native program, in one run.
 *
 *     browser.mjs [--rounds 40] [--seconds 0.2]
 *
 * Many short rounds: where others use the processor too, some of each side fall into quiet moments.
 *
 * Prints a table for ../RESULTS.md. Needs wasm-demo/dist (wasm-demo/build.sh) and
 * `cargo build --release -p transduct-wasm-demo --example native-digits`.
 */
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import os from "node:os";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";

// Node has relaxed SIMD from version 21 on without asking; an engine ignores a flag that it lost.
setFlagsFromString("--experimental-wasm-relaxed-simd");

const ROOT = new URL("../../", import.meta.url);
const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "40" }, seconds: { type: "string", default: "0.2" } },
});
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** One of the builds, as a page loads it. */
async function load(build) {
  const folder = new URL(`wasm-demo/dist/pkg/${build}/`, ROOT);
  const program = await import(new URL("transduct_wasm_demo.js", folder));
  program.initSync({ module: await readFile(new URL("transduct_wasm_demo_bg.wasm", folder)) });
  const bytes = await readFile(new URL("wasm-demo/www/models/adapted.safetensors", ROOT));
  const pixels = new program.Collections().image("target", 0);
  return { program, pixels, model: new program.DigitModel("adapted", bytes) };
}

/** The median microseconds of one call, over `seconds`. */
function time(call) {
  const times = [];
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end) {
    const start = performance.now();
    call();
    times.push(1000 * (performance.now() - start));
  }
  return median(times);
}

const program = new URL("target/release/examples/native-digits", ROOT).pathname;

/** The median microseconds of a native prediction on one thread, with this instruction set. */
function native(instructions, limit) {
  const env = { ...process.env, RAYON_NUM_THREADS: "1", TRANSDUCT_SIMD: instructions };
  const stdio = ["ignore", "pipe", "ignore"];
  return Number(execFileSync(program, ["time", String(limit)], { env, stdio, encoding: "utf8" }));
}

/** Whether this processor has the instruction set. */
function has(instructions) {
  try {
    native(instructions, 0);
    return true;
  } catch {
    return false;
  }
}

const builds = {
  "with relaxed SIMD": await load("relaxed"),
  "with SIMD": await load("simd"),
  "without SIMD": await load("plain"),
};
// The widest first. The portable kernels have registers of 128 bits, as WebAssembly has.
const natives = ["avx512", "avx2", "portable"].filter(has);
const sides = {
  ...Object.fromEntries(natives.map((name) => [`native, ${name}`, () => native(name, seconds)])),
  ...Object.fromEntries(
    Object.entries(builds).map(([name, { model, pixels }]) => [
      `WebAssembly ${name}`,
      () => time(() => model.predict(pixels)),
    ]),
  ),
};
const found = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, measure] of Object.entries(sides)) found[name].push(measure());
}

console.log(`\`browser.mjs\`, ${rounds} rounds of ${seconds} s, all sides in turn.\n`);
console.log("In brackets: the ratio of the quietest rounds.\n");
console.log(`- ${os.cpus()[0].model.trim()}; Node ${process.version}, V8 ${process.versions.v8}\n`);
const head = ["µs, median (least, most) of rounds", ...natives.map((name) => `beside ${name}`)];
console.log(`| one digit, 28 × 28, one thread | ${head.join(" | ")} |`);
console.log(`|---${"|---".repeat(head.length)}|`);
for (const [name, numbers] of Object.entries(found)) {
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)].map((x) => x.toFixed(0));
  const middle = median(numbers);
  const ratios = natives.map((native) => {
    const reference = found[`native, ${native}`];
    const quiet = Math.min(...numbers) / Math.min(...reference);
    return `${(middle / median(reference)).toFixed(2)} (${quiet.toFixed(2)})`;
  });
  console.log(`| ${name} | ${middle.toFixed(0)} (${least}, ${most}) | ${ratios.join(" | ")} |`);
}

console.log("\n| training both learners on moons | steps a second |\n|---|---|");
for (const [name, { program }] of Object.entries(builds)) {
  const moons = new program.Moons("{}");
  const steps = 200;
  const start = performance.now();
  moons.advance(steps);
  const rate = (1000 * steps) / (performance.now() - start);
  console.log(`| WebAssembly ${name} | ${rate.toFixed(0)} |`);
}
