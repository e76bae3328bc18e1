/**
 * The one place that holds the compiled program and its objects. It runs in the worker, or in the
 * page itself where there is no worker; both speak to it through the function that
 * {@link createSession} returns.
 */

/** @typedef {import("./types.js").Domain} Domain */

/**
 * With vector instructions of which some round as the processor likes best, with those that round alike
 * everywhere, without any.
 * @typedef {"relaxed" | "simd" | "plain"} Build
 */

/** Without the ends of its two files, `.js` and `_bg.wasm`. */
const BUILDS = {
  relaxed: "./pkg/relaxed/transduct_wasm_demo",
  simd: "./pkg/simd/transduct_wasm_demo",
  plain: "./pkg/plain/transduct_wasm_demo",
};

/** Points a side of the square on which a learner's field is read. */
const FIELD_RESOLUTION = 56;

/** @returns {(name: string, ...args: any[]) => Promise<any>} runs one command by its name */
export function createSession() {
  /** @type {any} the package's exports, once it is loaded */
  let program;
  /** @type {any} */
  let collections;
  /** @type {any} */
  let moons;
  /** @type {any} */
  let shift;
  /** @type {Map<string, any>} */
  const models = new Map();

  const moonsScene = () => ({
    points: JSON.parse(moons.points()),
    bounds: JSON.parse(moons.bounds()),
  });
  const moonsView = () => ({
    state: JSON.parse(moons.state()),
    fields: [moons.field(0, FIELD_RESOLUTION), moons.field(1, FIELD_RESOLUTION)],
  });

  /** @type {Record<string, (...args: any[]) => any>} */
  const commands = {
    async start(builds) {
      const loaded = await loadProgram(builds);
      program = loaded.program;
      return { version: program.version(), build: loaded.build };
    },

    "digits.collections"() {
      collections ??= new program.Collections();
      return {
        classes: JSON.parse(collections.classes()),
        source: collections.len("source"),
        target: collections.len("target"),
      };
    },
    /** @param {Domain} domain @param {number[]} indices */
    "digits.samples"(domain, indices) {
      return indices.map((index) => ({
        index,
        pixels: collections.image(domain, index),
        label: collections.label(domain, index),
      }));
    },
    "digits.load"(name, bytes) {
      const model = new program.DigitModel(name, bytes);
      models.get(name)?.free();
      models.set(name, model);
      return JSON.parse(model.card());
    },
    "digits.predict"(name, pixels) {
      const probabilities = [...models.get(name).predict(pixels)];
      return { label: probabilities.indexOf(Math.max(...probabilities)), probabilities };
    },
    "digits.logits"(name, pixels) {
      return models.get(name).logits(pixels);
    },
    "digits.embed"(name, rows) {
      return JSON.parse(models.get(name).embed(collections, rows));
    },
    "digits.place"(name, pixels) {
      return models.get(name).place(pixels);
    },
    "digits.forget"(name) {
      models.get(name)?.free();
      models.delete(name);
    },

    "moons.methods": () => JSON.parse(program.Moons.methods()),
    "moons.create"(options) {
      const fresh = new program.Moons(JSON.stringify(options));
      moons?.free();
      moons = fresh;
      return { options: JSON.parse(moons.options()), ...moonsScene(), ...moonsView() };
    },
    "moons.advance"(steps) {
      const started = performance.now();
      moons.advance(steps);
      return { milliseconds: performance.now() - started, ...moonsView() };
    },
    "moons.rotate"(degrees) {
      moons.rotate(degrees);
      return { ...moonsScene(), ...moonsView() };
    },

    "shift.methods": () => JSON.parse(program.Shift.methods()),
    "shift.create"(options) {
      const fresh = new program.Shift(JSON.stringify(options));
      shift?.free();
      shift = fresh;
      return { options: JSON.parse(shift.options()), scene: JSON.parse(shift.scene()) };
    },
    "shift.target"(mean, std) {
      shift.set_target(mean, std);
      return JSON.parse(shift.scene());
    },
    "shift.fit": (method) => JSON.parse(shift.fit(method)),
  };

  return async (name, ...args) => {
    const command = commands[name];
    if (!command) throw new Error(`There is no command "${name}".`);
    return command(...args);
  };
}

/**
 * The first build that loads: a damaged or missing one leaves those after it.
 * @param {Build[]} builds in order of preference
 */
async function loadProgram(builds) {
  if (typeof WebAssembly === "undefined") {
    throw new Error("This browser has no WebAssembly, or it is switched off.");
  }
  let failure;
  for (const build of builds) {
    try {
      const program = await import(`${BUILDS[build]}.js`);
      await program.default({ module_or_path: new URL(`${BUILDS[build]}_bg.wasm`, import.meta.url) });
      return { program, build };
    } catch (error) {
      failure ??= error;
    }
  }
  throw new Error(`The program could not be loaded (${messageOf(failure)}).`);
}

/**
 * What to tell the visitor. A trap leaves the program's memory as it was in the middle of something.
 * @param {unknown} error
 * @returns {string}
 */
export function messageOf(error) {
  if (typeof WebAssembly !== "undefined" && error instanceof WebAssembly.RuntimeError) {
    return `The program stopped in the middle (${error.message}). Reload the page to start it again.`;
  }
  return error instanceof Error ? error.message : String(error);
}

/**
 * The buffers in a reply that can be handed over instead of copied.
 * @param {unknown} value
 * @returns {ArrayBuffer[]}
 */
export function transferables(value) {
  if (value instanceof Float32Array) return [/** @type {ArrayBuffer} */ (value.buffer)];
  if (Array.isArray(value)) return value.flatMap(transferables);
  if (value && typeof value === "object" && "fields" in value) return transferables(value.fields);
  return [];
}
