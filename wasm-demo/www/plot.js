/** Drawing on canvas: sizes, colours of the theme, axes, marks, lines and fields. */

/** @typedef {import("./types.js").Point} Point */
/** @typedef {{left: number, top: number, right: number, bottom: number}} Frame in CSS pixels */
/** @typedef {((value: number) => number) & {domain: [number, number], invert: (pixel: number) => number}} Scale */

/**
 * Sizes a canvas to its box and to the screen's pixels, and clears it.
 * @param {HTMLCanvasElement} canvas
 * @returns {{ctx: CanvasRenderingContext2D, width: number, height: number}} in CSS pixels
 */
export function prepare(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = Math.min(window.devicePixelRatio || 1, 3);
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  return { ctx, width, height };
}

/** @type {Map<string, string>} */
const colours = new Map();
document.addEventListener("themechange", () => colours.clear());

/**
 * A colour of the style sheet as the theme has it now.
 * @param {string} name without the dashes, e.g. `source`
 * @returns {string} `rgb(…)`
 */
export function colour(name) {
  let found = colours.get(name);
  if (!found) {
    const probe = document.createElement("i");
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    found = getComputedStyle(probe).color;
    probe.remove();
    colours.set(name, found);
  }
  return found;
}

/** @param {string} name @returns {[number, number, number]} */
export function channels(name) {
  const [r, g, b] = (colour(name).match(/[\d.]+/g) ?? ["0", "0", "0"]).map(Number);
  return [r, g, b];
}

/** @param {[number, number]} domain @param {[number, number]} range @returns {Scale} */
export function linear(domain, range) {
  const slope = (range[1] - range[0]) / (domain[1] - domain[0] || 1);
  const scale = (/** @type {number} */ value) => range[0] + (value - domain[0]) * slope;
  return Object.assign(scale, {
    domain,
    invert: (/** @type {number} */ pixel) => domain[0] + (pixel - range[0]) / slope,
  });
}

/**
 * About `count` round numbers inside an interval.
 * @param {[number, number]} domain @param {number} count
 */
export function ticks([low, high], count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= rough) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/**
 * @typedef {object} Axes
 * @property {Frame} frame
 * @property {Scale} x
 * @property {Scale} y
 * @property {string} [xLabel]
 * @property {string} [yLabel]
 * @property {(value: number) => string} [xText]
 * @property {(value: number) => string} [yText] an axis without it has no ticks
 */

/** @param {CanvasRenderingContext2D} ctx @param {Axes} axes */
export function drawAxes(ctx, { frame, x, y, xLabel = "", yLabel = "", xText, yText }) {
  ctx.font = "12px ui-sans-serif, system-ui, 'DejaVu Sans', sans-serif";
  ctx.lineWidth = 1;
  ctx.fillStyle = colour("soft");

  const rows = yText ? ticks(y.domain, Math.max(2, (frame.bottom - frame.top) / 48)) : [];
  const columns = xText ? ticks(x.domain, Math.max(2, (frame.right - frame.left) / 80)) : [];
  ctx.strokeStyle = colour("grid");
  ctx.beginPath();
  for (const value of rows) segment(ctx, frame.left, crisp(y(value)), frame.right, crisp(y(value)));
  for (const value of columns) segment(ctx, crisp(x(value)), frame.top, crisp(x(value)), frame.bottom);
  ctx.stroke();

  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  for (const value of rows) ctx.fillText(yText?.(value) ?? "", frame.left - 7, y(value));
  ctx.textBaseline = "top";
  ctx.textAlign = "center";
  for (const value of columns) ctx.fillText(xText?.(value) ?? "", x(value), frame.bottom + 6);

  ctx.textAlign = "right";
  if (xLabel) ctx.fillText(xLabel, frame.right, frame.bottom + 22);
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  if (yLabel) ctx.fillText(yLabel, 0, frame.top - 6);

  ctx.strokeStyle = colour("line");
  ctx.beginPath();
  segment(ctx, frame.left, crisp(frame.bottom), frame.right, crisp(frame.bottom));
  ctx.stroke();
}

/** @param {number} value @returns {number} the middle of a pixel, where a thin line is sharp */
const crisp = (value) => Math.round(value) + 0.5;

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 */
function segment(ctx, x0, y0, x1, y1) {
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {ArrayLike<number>} xs in pixels
 * @param {ArrayLike<number>} ys in pixels
 * @param {{colour: string, width?: number, dash?: number[]}} style
 */
export function drawLine(ctx, xs, ys, { colour: stroke, width = 2, dash = [] }) {
  ctx.save();
  Object.assign(ctx, { strokeStyle: stroke, lineWidth: width, lineJoin: "round" });
  ctx.setLineDash(dash);
  ctx.beginPath();
  for (let i = 0; i < xs.length; i += 1) ctx.lineTo(xs[i], ys[i]);
  ctx.stroke();
  ctx.restore();
}

/**
 * Adds the outline of a mark to the path: a circle for the source, a triangle for the target.
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("./types.js").Domain} domain
 * @param {number} x @param {number} y @param {number} radius
 */
export function traceMark(ctx, domain, x, y, radius) {
  if (domain === "source") {
    ctx.moveTo(x + radius, y);
    ctx.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  const r = radius * 1.25;
  ctx.moveTo(x, y - r);
  ctx.lineTo(x + 0.87 * r, y + 0.5 * r);
  ctx.lineTo(x - 0.87 * r, y + 0.5 * r);
  ctx.closePath();
}

/**
 * The line on which a field on a square grid equals `level`, by marching squares.
 * @param {ArrayLike<number>} field `side * side` values, top row first
 * @param {number} side @param {number} level
 * @returns {[number, number, number, number][]} segments in grid units; a cell's value sits at its middle
 */
export function contour(field, side, level) {
  const segments = [];
  for (let row = 0; row + 1 < side; row += 1) {
    for (let column = 0; column + 1 < side; column += 1) {
      const corner = row * side + column;
      const values = [field[corner], field[corner + 1], field[corner + side + 1], field[corner + side]];
      const crossings = crossingsOf(values, level).map(([x, y]) => [column + 0.5 + x, row + 0.5 + y]);
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        segments.push(
          /** @type {[number, number, number, number]} */ ([...crossings[i], ...crossings[i + 1]]),
        );
      }
    }
  }
  return segments;
}

/**
 * @param {number[]} values at the corners of a unit cell, clockwise from its top left
 * @param {number} level
 */
function crossingsOf(values, level) {
  const corners = [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ];
  const crossings = [];
  for (let i = 0; i < 4; i += 1) {
    const j = (i + 1) % 4;
    if (values[i] > level === values[j] > level) continue;
    const t = (level - values[i]) / (values[j] - values[i]);
    crossings.push([0, 1].map((axis) => corners[i][axis] + t * (corners[j][axis] - corners[i][axis])));
  }
  return crossings;
}

/**
 * Redraws when the box changes its size or the theme its colours.
 * @param {HTMLElement[]} boxes
 * @param {() => void} draw
 */
export function redrawOn(boxes, draw) {
  const observer = new ResizeObserver(draw);
  for (const box of boxes) observer.observe(box);
  document.addEventListener("themechange", draw);
}
