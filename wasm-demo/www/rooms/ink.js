/**
 * From strokes to the picture that a network reads, in the manner of MNIST: the ink is scaled into
 * a square of 20 × 20, drawn with a soft edge, and its centre of mass put in the middle of 28 × 28.
 */

/** @typedef {[number, number][]} Stroke points in [0, 1]², y downwards */

export const SIDE = 28;
const BOX = 20;
/** Half the thickness of MNIST's strokes, in its pixels: whatever the size drawn, it ends as this. */
const RADIUS = 1.15;
/** Ink smaller than this is not blown up further: a dot stays a dot. */
const SMALLEST = 0.12;

/**
 * @param {Stroke[]} strokes
 * @returns {Float32Array} 784 values from 0 to 1, row by row, 1 = ink
 */
export function rasterise(strokes) {
  if (strokes.length === 0) return new Float32Array(SIDE * SIDE);
  const boxed = intoBox(strokes);
  return draw(moved(boxed, centring(draw(boxed))));
}

/**
 * Scales the ink into the box with its thickness, and centres that box.
 * @param {Stroke[]} strokes
 */
function intoBox(strokes) {
  const [xs, ys] = [0, 1].map((axis) => strokes.flatMap((stroke) => stroke.map((point) => point[axis])));
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  const scale = (BOX - 2 * RADIUS) / Math.max(right - left, bottom - top, SMALLEST);
  return strokes.map((stroke) =>
    stroke.map(
      ([x, y]) =>
        /** @type {[number, number]} */ ([
          SIDE / 2 + (x - (left + right) / 2) * scale,
          SIDE / 2 + (y - (top + bottom) / 2) * scale,
        ]),
    ),
  );
}

/**
 * The shift that puts the centre of mass in the middle, held back where ink would leave the picture.
 * @param {Float32Array} pixels
 * @returns {[number, number]}
 */
function centring(pixels) {
  let [mass, x, y] = [0, 0, 0];
  pixels.forEach((value, i) => {
    mass += value;
    x += value * ((i % SIDE) + 0.5);
    y += value * (Math.floor(i / SIDE) + 0.5);
  });
  const margin = (SIDE - BOX) / 2;
  const shift = (/** @type {number} */ sum) => Math.max(-margin, Math.min(margin, SIDE / 2 - sum / mass));
  return [shift(x), shift(y)];
}

/** @param {Stroke[]} strokes @param {[number, number]} by @returns {Stroke[]} */
function moved(strokes, [dx, dy]) {
  return strokes.map((stroke) => stroke.map(([x, y]) => /** @type {[number, number]} */ ([x + dx, y + dy])));
}

/**
 * Each pixel takes the share of it that a disc moved along the strokes would cover, by its distance.
 * @param {Stroke[]} strokes in pixels
 */
function draw(strokes) {
  const pixels = new Float32Array(SIDE * SIDE);
  const segments = strokes.flatMap((stroke) => stroke.map((point, i) => [stroke[Math.max(0, i - 1)], point]));
  for (let i = 0; i < pixels.length; i += 1) {
    const [x, y] = [(i % SIDE) + 0.5, Math.floor(i / SIDE) + 0.5];
    const distance = Math.min(...segments.map(([from, to]) => distanceTo(from, to, x, y)));
    pixels[i] = Math.max(0, Math.min(1, RADIUS + 0.5 - distance));
  }
  return pixels;
}

/**
 * @param {[number, number]} from
 * @param {[number, number]} to
 * @param {number} x
 * @param {number} y
 */
function distanceTo([x0, y0], [x1, y1], x, y) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const along = ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1);
  const t = Math.max(0, Math.min(1, along));
  return Math.hypot(x - x0 - t * dx, y - y0 - t * dy);
}

/** Strokes are kept on this many levels a side, so that the address holds them exactly. */
const LEVELS = 4096;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** @param {number} value @returns {number} the nearest level, in [0, 1) */
export const quantise = (value) => Math.max(0, Math.min(LEVELS - 1, Math.round(value * LEVELS))) / LEVELS;

/** @param {Stroke[]} strokes @returns {string} four letters a point, strokes parted by dots */
export function encodeInk(strokes) {
  const number = (/** @type {number} */ value) => {
    const level = Math.round(value * LEVELS);
    return LETTERS[level >> 6] + LETTERS[level & 63];
  };
  return strokes.map((stroke) => stroke.map(([x, y]) => number(x) + number(y)).join("")).join(".");
}

/** @param {string} text @returns {Stroke[]} none if the text is not of {@link encodeInk}'s form */
export function decodeInk(text) {
  if (!/^([\w-]{4})+(\.([\w-]{4})+)*$/.test(text)) return [];
  const number = (/** @type {string} */ pair) =>
    (LETTERS.indexOf(pair[0]) * 64 + LETTERS.indexOf(pair[1])) / LEVELS;
  return text
    .split(".")
    .map((stroke) =>
      (stroke.match(/.{4}/g) ?? []).map(
        (point) => /** @type {[number, number]} */ ([number(point.slice(0, 2)), number(point.slice(2))]),
      ),
    );
}
