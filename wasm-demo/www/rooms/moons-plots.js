/** What the room of moons draws: a learner's field with the points on it, and accuracies over steps. */
import { percent } from "../dom.js";
import { circleKey, lineKey, patchKey, triangleKey } from "../legend.js";
import { channels, colour, contour, drawAxes, drawLine, linear, prepare, traceMark } from "../plot.js";

/** @typedef {import("../types.js").MoonsState} MoonsState */

/** @type {[string, string][]} */
export const FIELD_LEGEND = [
  [circleKey("soft"), "source, with its classes"],
  [triangleKey("soft", "ink"), "target, classes hidden from the networks"],
  [patchKey("class0"), "upper crescent"],
  [patchKey("class1"), "lower crescent"],
  [lineKey("ink"), "decision boundary"],
];

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Float32Array} field P(class 1) on a square grid, top row first
 * @param {import("../types.js").MoonPoints} points
 * @param {[number, number, number, number]} bounds
 */
export function drawField(canvas, field, points, [left, right, bottom, top]) {
  const { ctx, width, height } = prepare(canvas);
  if (width === 0) return;
  const side = Math.sqrt(field.length);
  ctx.imageSmoothingEnabled = true;
  ctx.drawImage(fieldImage(field, side), 0, 0, width, height);
  drawBoundary(ctx, field, side, width, height);

  const x = linear([left, right], [0, width]);
  const y = linear([bottom, top], [height, 0]);
  const radius = Math.max(1.7, width / 170);
  for (const domain of /** @type {const} */ (["source", "target"])) {
    points[domain].points.forEach(([px, py], i) => {
      ctx.beginPath();
      traceMark(ctx, domain, x(px), y(py), domain === "source" ? radius : radius * 1.25);
      ctx.fillStyle = colour(`class${points[domain].labels[i]}`);
      ctx.fill();
      if (domain === "target") {
        Object.assign(ctx, { strokeStyle: colour("ink"), lineWidth: 0.9 });
        ctx.stroke();
      }
    });
  }
}

/** A pixel a cell: the plot's colour where the network is undecided, a class's where it is sure. */
function fieldImage(/** @type {Float32Array} */ field, /** @type {number} */ side) {
  const [blank, zero, one] = ["plot", "class0", "class1"].map(channels);
  const image = new ImageData(side, side);
  field.forEach((probability, i) => {
    const strength = Math.abs(probability - 0.5) * 0.62;
    const towards = probability < 0.5 ? zero : one;
    for (let c = 0; c < 3; c += 1) image.data[4 * i + c] = blank[c] + (towards[c] - blank[c]) * strength;
    image.data[4 * i + 3] = 255;
  });
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {Float32Array} field
 * @param {number} side
 * @param {number} width
 * @param {number} height
 */
function drawBoundary(ctx, field, side, width, height) {
  Object.assign(ctx, { strokeStyle: colour("ink"), lineWidth: 2, lineCap: "round" });
  ctx.beginPath();
  for (const [x0, y0, x1, y1] of contour(field, side, 0.5)) {
    ctx.moveTo((x0 / side) * width, (y0 / side) * height);
    ctx.lineTo((x1 / side) * width, (y1 / side) * height);
  }
  ctx.stroke();
}

/**
 * @typedef {object} Curve
 * @property {string} meaning
 * @property {string} colour
 * @property {number[]} dash
 * @property {(state: MoonsState) => number | null} read
 */

/** @type {Curve[]} */
const CURVES = [
  {
    meaning: "target accuracy, source only",
    colour: "soft",
    dash: [7, 5],
    read: ({ learners }) => learners[0].target_accuracy,
  },
  {
    meaning: "target accuracy, adapted",
    colour: "accent",
    dash: [],
    read: ({ learners }) => learners[1].target_accuracy,
  },
  {
    meaning: "critic’s accuracy (50 % is guessing)",
    colour: "target",
    dash: [2, 4],
    read: ({ learners }) => learners[1].readings["critic-accuracy"] ?? null,
  },
];

/** @returns {[string, string][]} */
export const historyLegend = () =>
  CURVES.map(({ meaning, colour: stroke, dash }) => [lineKey(stroke, dash.join(" ") || "none"), meaning]);

/** The states seen since the last restart, one a step. */
export function createHistory() {
  /** @type {{step: number, values: (number | null)[], at: number}[]} */
  const entries = [];
  return {
    entries,
    /** @param {MoonsState} state @param {number} at milliseconds */
    add(state, at) {
      if (entries[entries.length - 1]?.step === state.step) entries.pop();
      entries.push({ step: state.step, values: CURVES.map(({ read }) => read(state)), at });
    },
    /** Steps a second over the last second. */
    speed() {
      const last = entries[entries.length - 1];
      const first = entries.find(({ at }) => at >= last.at - 1000);
      return first && last.at > first.at ? (1000 * (last.step - first.step)) / (last.at - first.at) : 0;
    },
  };
}

/**
 * @param {HTMLElement} canvas
 * @param {ReturnType<typeof createHistory>} history
 * @param {MoonsState} state
 */
export function drawHistory(canvas, { entries }, state) {
  const { ctx, width, height } = prepare(/** @type {HTMLCanvasElement} */ (canvas));
  if (width === 0) return;
  const frame = { left: 52, top: 10, right: width - 16, bottom: height - 40 };
  const x = linear([0, state.steps], [frame.left, frame.right]);
  const y = linear([0, 1], [frame.bottom, frame.top]);
  drawAxes(ctx, { frame, x, y, xLabel: "training steps", xText: String, yText: percent });
  CURVES.forEach(({ colour: stroke, dash }, i) => {
    const known = entries.filter(({ values }) => values[i] !== null);
    const ys = known.map(({ values }) => y(/** @type {number} */ (values[i])));
    drawLine(
      ctx,
      known.map(({ step }) => x(step)),
      ys,
      { colour: colour(stroke), width: 2.2, dash },
    );
  });
  canvas.setAttribute("aria-label", describe(entries));
}

/** @param {{step: number, values: (number | null)[]}[]} entries */
function describe(entries) {
  const { step, values } = entries[entries.length - 1];
  const parts = CURVES.map(({ meaning }, i) => {
    const value = values[i];
    return value === null ? "" : `${meaning}: ${percent(value)}`;
  });
  return `At step ${step}: ${parts.filter(Boolean).join("; ")}.`;
}
