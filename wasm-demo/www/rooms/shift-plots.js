/** What the room of covariate shift draws: fitted lines over weighted points, densities over weights. */
import { circleKey, lineKey, stemKey, triangleKey } from "../legend.js";
import { colour, drawAxes, drawLine, linear, prepare, traceMark } from "../plot.js";

/** @typedef {import("../types.js").ShiftScene} ShiftScene */
/** @typedef {import("../types.js").ShiftFit} ShiftFit */

/** @type {[string, string][]} */
export const FIT_LEGEND = [
  [circleKey("source"), "measurement, its area the weight"],
  [triangleKey("target"), "where the line will be used"],
  [lineKey("good", "2 4"), "true curve"],
  [lineKey("soft", "7 5"), "unweighted line"],
  [lineKey("accent"), "weighted line"],
];
/** @type {[string, string][]} */
export const DENSITY_LEGEND = [
  [lineKey("source"), "source density"],
  [lineKey("target"), "target density: drag it"],
  [stemKey("accent"), "weight of each measurement"],
];

const LEFT = 44;
const RIGHT = 12;
const oneDigit = (/** @type {number} */ value) => String(Number(value.toFixed(1))).replace("-", "−");

/** @param {ShiftScene} scene @param {number} width */
function horizontal({ grid }, width) {
  return linear([grid[0], grid[grid.length - 1]], [LEFT, width - RIGHT]);
}

/** @param {HTMLElement} canvas @param {ShiftScene} scene @param {ShiftFit | undefined} fit */
export function drawFits(canvas, scene, fit) {
  const { ctx, width, height } = prepare(/** @type {HTMLCanvasElement} */ (canvas));
  if (width === 0) return;
  const frame = { left: LEFT, top: 12, right: width - RIGHT, bottom: height - 40 };
  const x = horizontal(scene, width);
  const y = linear(spread([...scene.y, ...scene.truth], 0.12), [frame.bottom, frame.top]);
  drawAxes(ctx, { frame, x, y, xLabel: "input", xText: oneDigit, yText: oneDigit });

  ctx.save();
  ctx.beginPath();
  ctx.rect(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top);
  ctx.clip();
  drawMeasurements(ctx, scene, fit, x, y);
  const xs = scene.grid.map(x);
  const line = (/** @type {number[]} */ values, /** @type {string} */ stroke, /** @type {number[]} */ dash) =>
    drawLine(ctx, xs, values.map(y), { colour: colour(stroke), width: 2.6, dash });
  line(scene.truth, "good", [2, 4]);
  line(scene.unweighted.curve, "soft", [7, 5]);
  if (fit) line(fit.curve, "accent", []);
  ctx.restore();

  ctx.fillStyle = colour("target");
  ctx.globalAlpha = 0.5;
  ctx.beginPath();
  for (const value of scene.target_x) {
    if (x(value) >= frame.left && x(value) <= frame.right)
      traceMark(ctx, "target", x(value), frame.bottom - 5, 3.4);
  }
  ctx.fill();
  ctx.globalAlpha = 1;
  canvas.setAttribute("aria-label", describeFits(scene, fit));
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {ShiftScene} scene
 * @param {ShiftFit | undefined} fit
 * @param {(v: number) => number} x
 * @param {(v: number) => number} y
 */
function drawMeasurements(ctx, scene, fit, x, y) {
  Object.assign(ctx, { fillStyle: colour("source"), strokeStyle: colour("source"), lineWidth: 1 });
  scene.x.forEach((value, i) => {
    const weight = fit?.weights[i] ?? 1;
    ctx.beginPath();
    traceMark(ctx, "source", x(value), y(scene.y[i]), Math.max(1.6, Math.min(16, 3.6 * Math.sqrt(weight))));
    ctx.globalAlpha = weight < 0.05 ? 0.3 : 0.45;
    ctx.fill();
    ctx.globalAlpha = weight < 0.05 ? 0.4 : 0.9;
    ctx.stroke();
  });
  ctx.globalAlpha = 1;
}

/**
 * @param {HTMLElement} canvas
 * @param {ShiftScene} scene
 * @param {ShiftFit | undefined} fit
 * @param {{mean: number, width: number}} target
 * @returns {import("./shift-handles.js").Placement} where the handles belong
 */
export function drawDensities(canvas, scene, fit, target) {
  const { ctx, width, height } = prepare(/** @type {HTMLCanvasElement} */ (canvas));
  const frame = { left: LEFT, top: 26, right: width - RIGHT, bottom: height - 40 };
  const x = horizontal(scene, width);
  const top = Math.max(...scene.source_density, ...scene.target_density);
  const y = linear([0, top], [frame.bottom, frame.top]);
  drawAxes(ctx, { frame, x, y, xLabel: "input", xText: oneDigit, yText: oneDigit });

  const xs = scene.grid.map(x);
  drawHill(ctx, xs, scene.source_density.map(y), frame.bottom, colour("source"));
  drawHill(ctx, xs, scene.target_density.map(y), frame.bottom, colour("target"));
  if (fit) drawStems(ctx, scene.x.map(x), fit, frame);
  canvas.setAttribute("aria-label", describeDensities(scene, fit, target));

  const peak = densityAt(scene, target.mean);
  const flank = densityAt(scene, target.mean + target.width);
  const held = (/** @type {number} */ value) => Math.max(frame.left, Math.min(frame.right, x(value)));
  return { x, peak: [held(target.mean), y(peak)], flank: [held(target.mean + target.width), y(flank)] };
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {number[]} xs
 * @param {number[]} ys
 * @param {number} floor
 * @param {string} fill
 */
function drawHill(ctx, xs, ys, floor, fill) {
  ctx.beginPath();
  ctx.moveTo(xs[0], floor);
  xs.forEach((x, i) => ctx.lineTo(x, ys[i]));
  ctx.lineTo(xs[xs.length - 1], floor);
  Object.assign(ctx, { fillStyle: fill, globalAlpha: 0.16 });
  ctx.fill();
  ctx.globalAlpha = 1;
  drawLine(ctx, xs, ys, { colour: fill, width: 2.2 });
}

/** Stems from the floor, the largest weight half the plot high. */
function drawStems(
  /** @type {CanvasRenderingContext2D} */ ctx,
  /** @type {number[]} */ xs,
  /** @type {ShiftFit} */ { weights, largest },
  /** @type {import("../plot.js").Frame} */ { top, bottom },
) {
  Object.assign(ctx, { strokeStyle: colour("accent"), lineWidth: 1.6, globalAlpha: 0.85 });
  ctx.beginPath();
  xs.forEach((x, i) => {
    ctx.moveTo(x, bottom);
    ctx.lineTo(x, bottom - (weights[i] / Math.max(largest, 1)) * (bottom - top) * 0.5);
  });
  ctx.stroke();
  ctx.globalAlpha = 1;
}

/**
 * The target density, between the two points of the grid around `value`.
 * @param {ShiftScene} scene
 * @param {number} value
 */
function densityAt({ grid, target_density }, value) {
  const last = grid.length - 1;
  const at = Math.max(0, Math.min(last, ((value - grid[0]) / (grid[last] - grid[0])) * last));
  const [low, high] = [Math.floor(at), Math.ceil(at)];
  return target_density[low] + (at - low) * (target_density[high] - target_density[low]);
}

/**
 * The range of some values, with a margin as a share of it.
 * @param {number[]} values
 * @param {number} share
 * @returns {[number, number]}
 */
function spread(values, share) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = (high - low) * share;
  return [low - margin, high + margin];
}

/** @param {ShiftScene} scene @param {ShiftFit | undefined} fit */
function describeFits({ x, unweighted }, fit) {
  const weighted = fit ? `, weighted by ${fit.method} ${fit.error.toPrecision(2)}` : "";
  return `${x.length} measurements, the true curve and the fitted lines. Error on the target: unweighted ${unweighted.error.toPrecision(2)}${weighted}.`;
}

/**
 * @param {ShiftScene} scene
 * @param {ShiftFit | undefined} fit
 * @param {{mean: number, width: number}} target
 */
function describeDensities({ x }, fit, { mean, width }) {
  const text = `Densities of the source and the target; the target’s mean is ${mean.toFixed(2)}, its width ${width.toFixed(2)}.`;
  if (!fit) return text;
  const size = fit.effective_sample_size.toFixed(1);
  return `${text} Weights of ${x.length} measurements, the largest ${fit.largest.toPrecision(2)}; effective sample size ${size}.`;
}
