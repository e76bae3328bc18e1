/**
 * Runs the `main` of a WebAssembly program that imports nothing but `host.print`.
 *
 *     run.mjs PROGRAM.wasm
 */
import { readFile } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";

// Node has relaxed SIMD from version 21 on without asking; an engine ignores a flag that it lost.
setFlagsFromString("--experimental-wasm-relaxed-simd");

const [path] = process.argv.slice(2);
const host = {
  print(start, length) {
    const bytes = new Uint8Array(instance.exports.memory.buffer, start, length);
    console.error(new TextDecoder().decode(bytes));
  },
};
const { instance } = await WebAssembly.instantiate(await readFile(path), { host });
try {
  instance.exports.main(0, 0);
} catch (error) {
  console.error(`${path}: ${error.message}`);
  process.exitCode = 1;
}
