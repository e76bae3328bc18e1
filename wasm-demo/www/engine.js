/** The page's side of the program: a worker where the browser has one, the page itself where not. */
import { createSession } from "./session.js";

/**
 * @typedef {import("./session.js").Build} Build
 *
 * @typedef {object} Engine
 * @property {(name: string, ...args: any[]) => Promise<any>} call runs a command of the session
 * @property {boolean} threaded whether it runs beside the page, in a worker
 * @property {Build} build
 * @property {string} version
 * @property {string[]} notes what this browser lacks, for the visitor
 */

/**
 * Starts the program.
 * @returns {Promise<Engine>} rejects when no build of it can be loaded
 */
export async function openEngine() {
  const notes = [];
  const builds = supportedBuilds();
  if (builds[0] === "plain")
    notes.push("This browser has no WebAssembly SIMD: the plain build is used, which is slower.");

  const worker = await openWorker().catch(() => undefined);
  if (!worker) notes.push("This browser starts no Web Worker: the page computes by itself, in small slices.");

  const call = worker ?? createSession();
  const { version, build } = await call("start", builds);
  if (build !== builds[0])
    notes.push("The build for this browser did not load: another is used, which is slower.");
  return { call, threaded: Boolean(worker), build, version, notes };
}

/** @returns {Promise<(name: string, ...args: any[]) => Promise<any>>} rejects where there is no worker */
function openWorker() {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    /** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
    const waiting = new Map();
    let lastId = 0;

    const call = (/** @type {string} */ name, /** @type {any[]} */ ...args) =>
      new Promise((resolve, reject) => {
        lastId += 1;
        waiting.set(lastId, { resolve, reject });
        worker.postMessage({ id: lastId, name, args });
      });

    worker.addEventListener("message", ({ data: { id, value, error } }) => {
      if (id === 0) return resolve(call);
      const request = waiting.get(id);
      waiting.delete(id);
      if (error === undefined) request?.resolve(value);
      else request?.reject(new Error(error));
    });
    worker.addEventListener("error", (event) => {
      reject(new Error(event.message));
      for (const request of waiting.values())
        request.reject(new Error("The worker stopped; reload the page."));
      waiting.clear();
    });
  });
}

/**
 * The builds of the program that this browser takes, the fastest first.
 * @returns {Build[]}
 */
function supportedBuilds() {
  if (typeof WebAssembly === "undefined") return ["plain"];
  /** @type {[Build, number[]][]} a vector instruction of each build */
  const vectors = [
    ["relaxed", [0xfd, 0x85, 0x02]], // f32x4.relaxed_madd
    ["simd", [0xfd, 0x11]], // i32x4.splat
  ];
  const supported = vectors.filter(([, instruction]) => WebAssembly.validate(moduleOf(instruction)));
  return [...supported.map(([build]) => build), "plain"];
}

/** `(module (func unreachable INSTRUCTION drop))`, with any operands: nothing is reached. */
function moduleOf(/** @type {number[]} */ instruction) {
  const body = [0, 0x00, ...instruction, 0x1a, 0x0b];
  const types = [1, 4, 1, 0x60, 0, 0];
  const functions = [3, 2, 1, 0];
  const code = [10, body.length + 2, 1, body.length, ...body];
  return new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...types, ...functions, ...code]);
}
