/** The room of moons: two networks trained in the page while their boundaries are watched. */
import { byId, element, fillTerms, finePercent, percent, showProblem } from "../dom.js";
import { fillLegend } from "../legend.js";
import { redrawOn } from "../plot.js";
import { messageOf } from "../session.js";
import { choiceFrom, numberFrom } from "../state.js";
import { nextSteps } from "../timing.js";
import { FIELD_LEGEND, createHistory, drawField, drawHistory, historyLegend } from "./moons-plots.js";

/** @typedef {import("../types.js").MoonsState} MoonsState */

const DEFAULTS = { rotation: 35, noise: 0.05, method: "dann", seed: 0 };
const SEEDS = { min: 0, max: 9999, fallback: DEFAULTS.seed, whole: true };
/** Milliseconds of training a request: with the fields read and drawn a frame's 16 are not exceeded. */
const BUDGET = { worker: 9, page: 5 };
/** A whole training lasts at least this many frames, so that it can be watched. */
const LEAST_FRAMES = 360;

/**
 * @param {() => void} changed called when the address should follow
 * @returns {import("../main.js").Room}
 */
export function createMoons(changed) {
  /** @type {import("../engine.js").Engine | undefined} */
  let engine;
  /** @type {(import("../types.js").MoonsScene & import("../types.js").MoonsView) | undefined} */
  let shown;
  /** @type {import("../types.js").Method[]} */
  let methods = [];
  let history = createHistory();
  let playing = false;
  /** What the visitor has asked for and the program has not begun. */
  const wanted = { restart: false, rotate: false, steps: 0 };
  let busy = false;
  let stepsAtOnce = 1;
  let drawn = true;

  const controls = {
    rotation: /** @type {HTMLInputElement} */ (byId("moons-rotation")),
    noise: /** @type {HTMLInputElement} */ (byId("moons-noise")),
    method: /** @type {HTMLSelectElement} */ (byId("moons-method")),
    seed: /** @type {HTMLInputElement} */ (byId("moons-seed")),
  };
  const buttons = ["moons-play", "moons-step", "moons-reset"].map(
    (id) => /** @type {HTMLButtonElement} */ (byId(id)),
  );
  const [play] = buttons;
  const learners = [0, 1].map((i) => learnerParts(i));

  controls.rotation.addEventListener("input", () => ask({ rotate: true }));
  controls.noise.addEventListener("input", () => ask({ restart: true }));
  controls.method.addEventListener("change", () => ask({ restart: true }));
  controls.seed.addEventListener("change", () => ask({ restart: true }));
  byId("moons-reseed").addEventListener("click", () => {
    controls.seed.value = String((view().seed + 1) % (SEEDS.max + 1));
    ask({ restart: true });
  });
  play.addEventListener("click", () => {
    if (shown?.state.done) ask({ restart: true });
    setPlaying(!playing);
  });
  buttons[1].addEventListener("click", () => {
    setPlaying(false);
    ask({ steps: 1 });
  });
  buttons[2].addEventListener("click", () => {
    setPlaying(false);
    ask({ restart: true });
  });
  redrawOn([...learners.map(({ canvas }) => canvas), byId("moons-chart")], drawSoon);

  function view() {
    const seed = Number(controls.seed.value);
    return {
      rotation: Number(controls.rotation.value),
      noise: Number(controls.noise.value),
      method: controls.method.value,
      seed: Number.isInteger(seed) && seed >= SEEDS.min && seed <= SEEDS.max ? seed : SEEDS.fallback,
    };
  }

  /** @param {Partial<typeof wanted>} more */
  function ask(more) {
    Object.assign(wanted, more);
    showControls();
    changed();
    work();
  }

  function showControls() {
    const { rotation, noise, method } = view();
    byId("moons-rotation-value").textContent = `${rotation}°`;
    byId("moons-noise-value").textContent = noise.toFixed(2);
    const about = methods.find(({ name }) => name === method)?.about;
    byId("moons-about").textContent = about ? `${method}: ${about}.` : "";
  }

  /** Works off what is wanted, one request at a time: a restart first, then the rotation, then steps. */
  async function work() {
    if (busy || !engine) return;
    busy = true;
    try {
      while (wanted.restart || wanted.rotate || wanted.steps > 0) await workOnce(engine);
    } catch (error) {
      setPlaying(false);
      Object.assign(wanted, { restart: false, rotate: false, steps: 0 });
      showProblem(byId("moons-error"), messageOf(error));
    }
    busy = false;
  }

  /** @param {import("../engine.js").Engine} ready */
  async function workOnce({ call, threaded }) {
    if (wanted.restart) {
      Object.assign(wanted, { restart: false, rotate: false, steps: 0 });
      shown = await call("moons.create", view());
      history = createHistory();
    } else if (wanted.rotate) {
      wanted.rotate = false;
      shown = { ...shown, ...(await call("moons.rotate", view().rotation)) };
    } else {
      const steps = wanted.steps;
      wanted.steps = 0;
      const { milliseconds, ...moved } = await call("moons.advance", steps);
      shown = { ...shown, ...moved };
      const limits = { budget: threaded ? BUDGET.worker : BUDGET.page, most: mostSteps() };
      if (playing) stepsAtOnce = nextSteps(steps, milliseconds, limits);
    }
    showProblem(byId("moons-error"), "");
    if (!shown) return;
    history.add(shown.state, performance.now());
    if (shown.state.done) setPlaying(false);
    drawSoon();
  }

  const mostSteps = () => Math.max(1, Math.round((shown?.state.steps ?? 0) / LEAST_FRAMES));

  /** @param {boolean} on */
  function setPlaying(on) {
    if (on && !playing) requestAnimationFrame(frame);
    playing = on;
    play.textContent = on ? "Pause" : "Play";
    if (!on && shown) announce(shown.state);
  }

  function frame() {
    if (!playing) return;
    requestAnimationFrame(frame);
    if (busy) return;
    wanted.steps = stepsAtOnce;
    work();
  }

  /** Draws once before the next paint, however often it is asked. */
  function drawSoon() {
    if (!drawn) return;
    drawn = false;
    requestAnimationFrame(() => {
      drawn = true;
      if (shown && engine) draw(shown);
    });
  }

  /** @param {import("../types.js").MoonsScene & import("../types.js").MoonsView} scene */
  function draw({ points, bounds, state, fields }) {
    learners.forEach(({ canvas, title, score, numbers }, i) => {
      const learner = state.learners[i];
      drawField(canvas, fields[i], points, bounds);
      canvas.setAttribute("aria-label", describe(learner, state));
      title.textContent = i === 0 ? "Source only" : `Adapted by ${learner.method}`;
      score.textContent = finePercent(learner.target_accuracy);
      fillTerms(numbers, numbersOf(learner));
    });
    const speed = playing ? ` · ${Math.round(history.speed())} steps a second` : "";
    byId("moons-progress").textContent =
      `Step ${state.step} of ${state.steps}${speed}`;
    drawHistory(byId("moons-chart"), history, state);
    if (state.done) play.textContent = "Again";
  }

  /** @param {MoonsState} state */
  function announce({ step, learners: [plain, adapted] }) {
    byId("moons-live").textContent =
      `Step ${step}. Target accuracy: source only ${percent(plain.target_accuracy)}, ` +
      `${adapted.method} ${percent(adapted.target_accuracy)}.`;
  }

  return {
    title: "Moons",
    defaults: DEFAULTS,
    view,
    apply(params) {
      const { rotation, noise, method, seed } = DEFAULTS;
      controls.rotation.value = String(
        numberFrom(params, "rotation", { min: 0, max: 180, fallback: rotation }),
      );
      controls.noise.value = String(numberFrom(params, "noise", { min: 0, max: 0.3, fallback: noise }));
      controls.seed.value = String(numberFrom(params, "seed", { ...SEEDS, fallback: seed }));
      const named = params.get("method") ?? method;
      // Before the program is there its methods are not known: keep the name until connect() judges it.
      if (!engine) controls.method.replaceChildren(element("option", { value: named }, named));
      else
        controls.method.value = choiceFrom(
          params,
          "method",
          methods.map(({ name }) => name),
          method,
        );
      ask({ restart: true });
    },
    async connect(ready) {
      methods = await ready.call("moons.methods");
      const named = controls.method.value;
      controls.method.replaceChildren(...methods.map(({ name }) => element("option", { value: name }, name)));
      controls.method.value = methods.some(({ name }) => name === named) ? named : DEFAULTS.method;
      fillLegend(byId("moons-legend"), FIELD_LEGEND);
      fillLegend(byId("moons-chart-legend"), historyLegend());
      for (const button of buttons) button.disabled = false;
      engine = ready;
      ask({ restart: true });
    },
    leave() {
      setPlaying(false);
    },
  };
}

/** @param {number} i */
function learnerParts(i) {
  const box = /** @type {HTMLElement} */ (document.querySelector(`.learner[data-learner="${i}"]`));
  const find = (/** @type {string} */ selector) => /** @type {any} */ (box.querySelector(selector));
  return {
    canvas: /** @type {HTMLCanvasElement} */ (find("canvas")),
    title: /** @type {HTMLElement} */ (find("h3")),
    score: /** @type {HTMLElement} */ (find(".score b")),
    numbers: /** @type {HTMLElement} */ (find(".numbers")),
  };
}

/** `critic-accuracy` as words. @param {string} name */
function sentence(name) {
  const words = name.replaceAll("-", " ");
  return `${words[0].toUpperCase()}${words.slice(1)}`;
}

/** @param {import("../types.js").LearnerState} learner @returns {Record<string, string>} */
function numbersOf({ source_accuracy, readings, losses }) {
  return {
    "On the source": finePercent(source_accuracy),
    ...Object.fromEntries(
      Object.entries(readings).map(([name, value]) => [
        sentence(name),
        name.endsWith("accuracy") ? finePercent(value) : value.toFixed(2),
      ]),
    ),
    ...Object.fromEntries(
      Object.entries(losses).map(([name, value]) => [
        `${sentence(name)} loss`,
        value.toFixed(3),
      ]),
    ),
  };
}

/** @param {import("../types.js").LearnerState} learner @param {MoonsState} state */
function describe({ method, source_accuracy, target_accuracy }, { step }) {
  const [source, target] = [source_accuracy, target_accuracy].map(percent);
  return `Decision boundary of ${method} after ${step} steps: right on ${source} of the source and ${target} of the target.`;
}
