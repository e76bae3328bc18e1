/** The room of covariate shift: drag the target density, watch weights, fits and what they are worth. */
import { byId, element, radios, showProblem } from "../dom.js";
import { fillLegend } from "../legend.js";
import { redrawOn } from "../plot.js";
import { messageOf } from "../session.js";
import { choiceFrom, numberFrom } from "../state.js";
import { debounced, latest } from "../timing.js";
import { attachHandles } from "./shift-handles.js";
import { DENSITY_LEGEND, FIT_LEGEND, drawDensities, drawFits } from "./shift-plots.js";

/** @typedef {import("../types.js").ShiftScene} ShiftScene */
/** @typedef {import("../types.js").ShiftFit} ShiftFit */

const METHODS = /** @type {const} */ (["kmm", "kliep", "ulsif", "logistic"]);
const DEFAULTS = { mean: 2, width: 0.25, method: /** @type {string} */ ("kmm"), seed: 0 };
const MEAN = { min: -0.5, max: 3.5, fallback: DEFAULTS.mean };
const WIDTH = { min: 0.1, max: 0.6, fallback: DEFAULTS.width };
const SEEDS = { min: 0, max: 9999, fallback: DEFAULTS.seed, whole: true };

/**
 * @param {() => void} changed called when the address should follow
 * @returns {import("../main.js").Room}
 */
export function createShift(changed) {
  /** @type {import("../engine.js").Engine | undefined} */
  let engine;
  /** @type {ShiftScene | undefined} */
  let scene;
  /** @type {ShiftFit | undefined} */
  let fit;
  /** @type {import("../types.js").Method[]} */
  let methods = [];
  let stale = true;

  const mean = /** @type {HTMLInputElement} */ (byId("shift-mean"));
  const width = /** @type {HTMLInputElement} */ (byId("shift-width"));
  const seed = /** @type {HTMLInputElement} */ (byId("shift-seed"));
  const choices = radios("shift-method");

  const handles = attachHandles({
    stage: byId("shift-density"),
    meanHandle: byId("handle-mean"),
    widthHandle: byId("handle-width"),
    limits: { mean: MEAN, width: WIDTH },
    read: () => ({ mean: Number(mean.value), width: Number(width.value) }),
    write: (target) => setTarget(target),
  });
  for (const slider of [mean, width]) slider.addEventListener("input", ask);
  for (const choice of choices) choice.addEventListener("change", ask);
  seed.addEventListener("change", restart);
  byId("shift-reseed").addEventListener("click", () => {
    seed.value = String((view().seed + 1) % (SEEDS.max + 1));
    restart();
  });
  redrawOn([byId("shift-fit"), byId("shift-density")], draw);

  function view() {
    const number = Number(seed.value);
    return {
      mean: Number(mean.value),
      width: Number(width.value),
      method: choices.find(({ checked }) => checked)?.value ?? DEFAULTS.method,
      seed: Number.isInteger(number) && number >= SEEDS.min && number <= SEEDS.max ? number : SEEDS.fallback,
    };
  }

  /** @param {{mean: number, width: number}} target */
  function setTarget(target) {
    mean.value = String(target.mean);
    width.value = String(target.width);
    ask();
  }

  function restart() {
    stale = true;
    ask();
  }

  function ask() {
    const { method, ...target } = view();
    byId("shift-mean-value").textContent = target.mean.toFixed(2);
    byId("shift-width-value").textContent = target.width.toFixed(2);
    const chosen = methods.find(({ name }) => name === method);
    byId("shift-about").textContent = chosen ? `${chosen.title}: ${chosen.about}.` : "";
    handles.describe();
    changed();
    compute();
  }

  /** The scene is drawn as soon as it is there, under the last weights, and again with its own. */
  const compute = latest(async () => {
    if (!engine) return;
    const wanted = view();
    try {
      if (stale) {
        stale = false;
        fit = undefined;
        ({ scene } = await engine.call("shift.create", {
          seed: wanted.seed,
          target: { mean: wanted.mean, std: wanted.width },
        }));
      } else {
        scene = await engine.call("shift.target", wanted.mean, wanted.width);
      }
      draw();
      fit = await engine.call("shift.fit", wanted.method);
      showProblem(byId("shift-error"), "");
      draw();
    } catch (error) {
      showProblem(byId("shift-error"), messageOf(error));
    }
  });

  function draw() {
    if (!scene) return;
    drawFits(byId("shift-fit"), scene, fit);
    handles.place(drawDensities(byId("shift-density"), scene, fit, view()));
    if (fit) showResults(scene, fit);
  }

  return {
    title: "Covariate shift",
    defaults: DEFAULTS,
    view,
    apply(params) {
      const method = choiceFrom(params, "method", METHODS, /** @type {"kmm"} */ (DEFAULTS.method));
      mean.value = String(numberFrom(params, "mean", MEAN));
      width.value = String(numberFrom(params, "width", WIDTH));
      seed.value = String(numberFrom(params, "seed", SEEDS));
      for (const choice of choices) choice.checked = choice.value === method;
      restart();
    },
    async connect(ready) {
      methods = await ready.call("shift.methods");
      fillLegend(byId("shift-fit-legend"), FIT_LEGEND);
      fillLegend(byId("shift-density-legend"), DENSITY_LEGEND);
      engine = ready;
      restart();
    },
    leave() {},
  };
}

/** @param {ShiftScene} scene @param {ShiftFit} fit */
function showResults({ x, unweighted }, fit) {
  const share = fit.effective_sample_size / x.length;
  byId("shift-ess").textContent = fit.effective_sample_size.toFixed(1);
  byId("shift-ess-of").textContent = `of ${x.length} points`;
  byId("shift-gauge").style.width = `${100 * share}%`;
  byId("shift-gauge").parentElement?.classList.toggle("low", fit.collapsed);
  const worth = `about ${Math.max(1, Math.round(fit.effective_sample_size))} of the ${x.length} points`;
  const warning = fit.collapsed
    ? `Collapsed: the weighted line rests on ${worth} and should not be trusted.`
    : "";
  showProblem(byId("shift-warning"), warning);
  showErrors(unweighted.error, fit.error);
  byId("shift-certificate").textContent = fit.certificate;
  byId("shift-notes").replaceChildren(...fit.notes.map((note) => element("li", {}, note)));
  announceSoon(fit, x.length);
}

/** @param {number} before @param {number} after */
function showErrors(before, after) {
  const largest = Math.max(before, after, Number.MIN_VALUE);
  const row = (/** @type {string} */ name, /** @type {number} */ error, /** @type {string} */ colour) => {
    const fill = element("span", { className: "fill" });
    fill.style.width = `${(100 * error) / largest}%`;
    fill.style.background = `var(--${colour})`;
    return [
      element("span", {}, name),
      element("span", { className: "track" }, fill),
      element("b", {}, error.toPrecision(2)),
    ];
  };
  byId("shift-errors").replaceChildren(
    ...row("Unweighted", before, "soft"),
    ...row("Weighted", after, "accent"),
  );
  byId("shift-verdict").textContent = verdict(before, after);
}

/** @param {number} before @param {number} after */
function verdict(before, after) {
  const factor = Math.max(before, after) / Math.max(Math.min(before, after), Number.MIN_VALUE);
  if (factor < 1.1) return "Weighting makes hardly any difference here.";
  const times = factor < 10 ? factor.toFixed(1) : Math.round(factor).toLocaleString("en");
  return after < before
    ? `Weighting makes the error ${times} times smaller here.`
    : `Weighting makes the error ${times} times larger here: it has a price, and does not always pay.`;
}

const announceSoon = debounced(
  600,
  (/** @type {ShiftFit} */ { effective_sample_size, error, collapsed }, /** @type {number} */ n) => {
    const warning = collapsed ? " It has collapsed." : "";
    byId("shift-live").textContent =
      `Effective sample size ${effective_sample_size.toFixed(0)} of ${n}.${warning} Error ${error.toPrecision(2)}.`;
  },
);
