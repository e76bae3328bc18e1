/** The features of both collections in one network, flattened to a plane. */
import { element, finePercent } from "../dom.js";
import { circleKey, crossKey, diamondKey, patchKey, plusKey, triangleKey } from "../legend.js";
import { colour, linear, prepare, redrawOn, traceMark } from "../plot.js";

/** @typedef {import("../types.js").Embedding} Embedding */
/** @typedef {import("../types.js").Domain} Domain */
/** @typedef {"domain" | "class" | "errors"} Colouring */

/** @type {Domain[]} */
const DOMAINS = ["source", "target"];

/** @param {string} title @param {string[]} classes */
export function createEmbedding(title, classes) {
  const canvas = element("canvas", { role: "img", "aria-label": `Features of ${title}: being computed` });
  const numbers = element("span", {}, "computing…");
  const box = element("figure", {}, element("figcaption", {}, element("b", {}, title), numbers), canvas);

  /** @type {Embedding | undefined} */
  let embedding;
  /** @type {ArrayLike<number> | undefined} */
  let place;
  /** @type {Colouring} */
  let colouring = "domain";
  redrawOn([canvas], render);

  function render() {
    const { ctx, width, height } = prepare(canvas);
    if (!embedding || width === 0) return;
    const [x, y] = scales(embedding, width, height);
    for (const domain of DOMAINS) drawDomain(ctx, embedding[domain], domain, colouring, x, y);
    if (colouring === "class") drawClassNames(ctx, embedding.source, classes, x, y);
    if (place) drawPlace(ctx, x(place[0]), y(place[1]), width, height);
    canvas.setAttribute("aria-label", describe(title, embedding, place, classes));
  }

  return {
    box,
    /** @param {Embedding} fresh */
    show(fresh) {
      embedding = fresh;
      const { source, target } = fresh.accuracy;
      numbers.textContent = `right: ${finePercent(source)} of the source, ${finePercent(target)} of the target`;
      render();
    },
    /** @param {ArrayLike<number> | undefined} point of the visitor's digit, in the embedding's plane */
    showPlace(point) {
      place = point;
      render();
    },
    /** @param {Colouring} by */
    colourBy(by) {
      colouring = by;
      render();
    },
    /** @param {string} message */
    fail(message) {
      numbers.textContent = message;
    },
  };
}

/** @param {Colouring} colouring @param {string[]} classes @returns {[string, string][]} */
export function embeddingLegend(colouring, classes) {
  /** @type {[string, string]} */
  const own = [diamondKey, "the digit above"];
  if (colouring === "class") {
    /** @type {[string, string][]} */
    const digits = classes.map((name, i) => [patchKey(`digit${i % 10}`), name]);
    return [[circleKey("soft"), "source"], [triangleKey("soft"), "target"], ...digits, own];
  }
  if (colouring === "errors") {
    return [
      [circleKey("soft"), "source, right"],
      [triangleKey("soft"), "target, right"],
      [crossKey("source"), "source, wrong"],
      [plusKey("target"), "target, wrong"],
      own,
    ];
  }
  return [[circleKey("source"), "source"], [triangleKey("target"), "target"], own];
}

/** @param {Embedding} embedding @param {number} width @param {number} height */
function scales(embedding, width, height) {
  return [0, 1].map((axis) => {
    const values = DOMAINS.flatMap((domain) => embedding[domain].points.map((point) => point[axis]));
    const range = /** @type {[number, number]} */ (axis === 0 ? [16, width - 16] : [height - 16, 16]);
    return linear([Math.min(...values), Math.max(...values)], range);
  });
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../types.js").EmbeddedDomain} data
 * @param {Domain} domain
 * @param {Colouring} colouring
 * @param {(v: number) => number} x
 * @param {(v: number) => number} y
 */
function drawDomain(ctx, { points, labels, predictions }, domain, colouring, x, y) {
  points.forEach(([px, py], i) => {
    const wrong = labels[i] !== predictions[i];
    ctx.beginPath();
    if (colouring === "errors" && wrong) {
      drawMistake(ctx, domain, x(px), y(py));
      return;
    }
    const fill = { domain, class: `digit${labels[i] % 10}`, errors: "soft" }[colouring];
    ctx.globalAlpha = colouring === "errors" ? 0.3 : 0.72;
    ctx.fillStyle = colour(fill);
    traceMark(ctx, domain, x(px), y(py), 2.7);
    ctx.fill();
    ctx.globalAlpha = 1;
  });
}

/**
 * A cross for the source, a plus for the target.
 * @param {CanvasRenderingContext2D} ctx
 * @param {Domain} domain
 * @param {number} x
 * @param {number} y
 */
function drawMistake(ctx, domain, x, y) {
  const [along, across] = domain === "source" ? [3, 3] : [4, 0];
  Object.assign(ctx, { strokeStyle: colour(domain), lineWidth: 1.8 });
  ctx.beginPath();
  ctx.moveTo(x - along, y - across);
  ctx.lineTo(x + along, y + across);
  ctx.moveTo(x + across, y - along);
  ctx.lineTo(x - across, y + along);
  ctx.stroke();
}

/**
 * Each class's name at the middle of its source points, so that colour is not the only sign.
 * @param {CanvasRenderingContext2D} ctx
 * @param {import("../types.js").EmbeddedDomain} source
 * @param {string[]} classes
 * @param {(v: number) => number} x
 * @param {(v: number) => number} y
 */
function drawClassNames(ctx, source, classes, x, y) {
  Object.assign(ctx, {
    font: "700 17px ui-sans-serif, system-ui, sans-serif",
    textAlign: "center",
    textBaseline: "middle",
  });
  Object.assign(ctx, {
    lineWidth: 4,
    lineJoin: "round",
    strokeStyle: colour("plot"),
    fillStyle: colour("ink"),
  });
  classes.forEach((name, label) => {
    const centre = centreOf(source, label);
    if (!centre) return;
    ctx.strokeText(name, x(centre[0]), y(centre[1]));
    ctx.fillText(name, x(centre[0]), y(centre[1]));
  });
}

/** @param {import("../types.js").EmbeddedDomain} data @param {number} label */
function centreOf({ points, labels }, label) {
  const own = points.filter((_, i) => labels[i] === label);
  if (own.length === 0) return undefined;
  return [0, 1].map((axis) => own.reduce((sum, point) => sum + point[axis], 0) / own.length);
}

/** A diamond, held inside the plot. */
function drawPlace(
  /** @type {CanvasRenderingContext2D} */ ctx,
  /** @type {number} */ atX,
  /** @type {number} */ atY,
  /** @type {number} */ width,
  /** @type {number} */ height,
) {
  const x = Math.max(10, Math.min(width - 10, atX));
  const y = Math.max(10, Math.min(height - 10, atY));
  Object.assign(ctx, { fillStyle: colour("ink"), strokeStyle: colour("plot"), lineWidth: 3 });
  ctx.beginPath();
  for (const [dx, dy] of [
    [0, -9],
    [9, 0],
    [0, 9],
    [-9, 0],
  ])
    ctx.lineTo(x + dx, y + dy);
  ctx.closePath();
  ctx.stroke();
  ctx.fill();
}

/**
 * @param {string} title
 * @param {Embedding} embedding
 * @param {ArrayLike<number> | undefined} place
 * @param {string[]} classes
 */
function describe(title, { source, target, accuracy }, place, classes) {
  const counts = `${source.points.length} source and ${target.points.length} target pictures`;
  const right = `${finePercent(accuracy.source)} and ${finePercent(accuracy.target)} of the collections are read correctly`;
  const text = `Features of ${title}, ${counts}; ${right}.`;
  if (!place) return text;
  const distances = classes.map((_, label) => {
    const centre = centreOf(source, label);
    return centre ? Math.hypot(centre[0] - place[0], centre[1] - place[1]) : Infinity;
  });
  return `${text} The digit above lies nearest to the source’s ${classes[distances.indexOf(Math.min(...distances))]}.`;
}
