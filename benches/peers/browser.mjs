/**
 * A digit's prediction and training on moons in WebAssembly beside the native program, in one run.
 *
 *     browser.mjs [--rounds 5] [--seconds 2]
 *
 * Prints a table for ../RESULTS.md. Needs wasm-demo/dist (wasm-demo/build.sh) and
 * `cargo build --release -p transduct-wasm-demo --example native-digits`.
 */
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import os from "node:os";
import { parseArgs } from "node:util";

const ROOT = new URL("../../", import.meta.url);
const { values: options } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, seconds: { type: "string", default: "2" } },
});
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** One of the two builds, as a page loads it. */
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

const native = new URL("target/release/examples/native-digits", ROOT).pathname;
const alone = { env: { ...process.env, RAYON_NUM_THREADS: "1" }, encoding: "utf8" };
const simd = await load("simd");
const plain = await load("plain");
const sides = {
  "native, one thread": () => Number(execFileSync(native, ["time", String(seconds)], alone)),
  "WebAssembly with SIMD": () => time(() => simd.model.predict(simd.pixels)),
  "WebAssembly without SIMD": () => time(() => plain.model.predict(plain.pixels)),
};
const found = Object.fromEntries(Object.keys(sides).map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, measure] of Object.entries(sides)) found[name].push(measure());
}

const reference = median(found["native, one thread"]);
console.log(`\`browser.mjs\`, ${rounds} rounds of ${seconds} s, all sides in turn.\n`);
console.log(`- ${os.cpus()[0].model.trim()}; Node ${process.version}, V8 ${process.versions.v8}\n`);
console.log("| one digit, 28 × 28 | µs, median (least, most) of rounds | beside native |");
console.log("|---|---|---|");
for (const [name, numbers] of Object.entries(found)) {
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)].map((x) => x.toFixed(0));
  const middle = median(numbers);
  const ratio = (middle / reference).toFixed(2);
  console.log(`| ${name} | ${middle.toFixed(0)} (${least}, ${most}) | ${ratio} |`);
}

console.log("\n| training both learners on moons | steps a second |\n|---|---|");
for (const [name, { program }] of [["with SIMD", simd], ["without SIMD", plain]]) {
  const moons = new program.Moons("{}");
  const steps = 200;
  const start = performance.now();
  moons.advance(steps);
  const rate = (1000 * steps) / (performance.now() - start);
  console.log(`| WebAssembly ${name} | ${rate.toFixed(0)} |`);
}
