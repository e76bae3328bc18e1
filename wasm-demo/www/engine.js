/** The page's side of the program: a worker where the browser has one, the page itself where not. */
import { createSession } from "./session.js";

/**
 * @typedef {object} Engine
 * @property {(name: string, ...args: any[]) => Promise<any>} call runs a command of the session
 * @property {boolean} threaded whether it runs beside the page, in a worker
 * @property {"simd" | "plain"} build
 * @property {string} version
 * @property {string[]} notes what this browser lacks, for the visitor
 */

/**
 * Starts the program.
 * @returns {Promise<Engine>} rejects when no build of it can be loaded
 */
export async function openEngine() {
  const notes = [];
  const simd = supportsSimd();
  if (!simd) notes.push("This browser has no WebAssembly SIMD: the plain build is used, which is slower.");

  const worker = await openWorker().catch(() => undefined);
  if (!worker) notes.push("This browser starts no Web Worker: the page computes by itself, in small slices.");

  const call = worker ?? createSession();
  const { version, build } = await call("start", simd);
  if (simd && build === "plain")
    notes.push("The SIMD build did not load: the plain build is used, which is slower.");
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

/** Whether the browser takes a module that holds one vector instruction, `v128.const`. */
function supportsSimd() {
  return (
    typeof WebAssembly !== "undefined" &&
    WebAssembly.validate(
      // (module (func (drop (v128.const i64x2 0 0))))
      new Uint8Array([
        0,
        97,
        115,
        109,
        1,
        0,
        0,
        0,
        1,
        4,
        1,
        96,
        0,
        0,
        3,
        2,
        1,
        0,
        10,
        23,
        1,
        21,
        0,
        253,
        12,
        ...new Array(16).fill(0),
        26,
        11,
      ]),
    )
  );
}
