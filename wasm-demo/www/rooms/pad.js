/** The drawing pad: strokes by mouse, finger or pen, or a picture laid on it to look at. */
import { prepare, redrawOn } from "../plot.js";
import { SIDE, quantise } from "./ink.js";

/** @typedef {import("./ink.js").Stroke} Stroke */

const INK = "#f5f3ee";
/** The pen's thickness and the least way between two kept points, as shares of the pad. */
const PEN = 0.075;
const LEAST_WAY = 0.015;

/**
 * @param {HTMLCanvasElement} canvas
 * @param {(strokes: Stroke[]) => void} onInk called after every change by the visitor
 */
export function createPad(canvas, onInk) {
  /** @type {Stroke[]} */
  let strokes = [];
  /** @type {ArrayLike<number> | undefined} */
  let picture;
  /** @type {number | undefined} */
  let pointer;

  /** @param {PointerEvent} event @returns {[number, number]} */
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [
      quantise((event.clientX - box.left) / box.width),
      quantise((event.clientY - box.top) / box.height),
    ];
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== undefined || event.button !== 0) return;
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    picture = undefined;
    strokes.push([at(event)]);
    change();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const stroke = strokes[strokes.length - 1];
    for (const point of (event.getCoalescedEvents?.() ?? [event]).map(at)) {
      const last = stroke[stroke.length - 1];
      if (Math.hypot(point[0] - last[0], point[1] - last[1]) >= LEAST_WAY) stroke.push(point);
    }
    change();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => {
      if (/** @type {PointerEvent} */ (event).pointerId === pointer) pointer = undefined;
    });
  }
  redrawOn([canvas], render);

  function change() {
    render();
    onInk(strokes);
  }

  function render() {
    const { ctx, width } = prepare(canvas);
    if (picture) return drawPixels(ctx, picture, width);
    Object.assign(ctx, { strokeStyle: INK, lineWidth: PEN * width, lineCap: "round", lineJoin: "round" });
    for (const stroke of strokes) {
      ctx.beginPath();
      ctx.moveTo(stroke[0][0] * width, stroke[0][1] * width);
      for (const [x, y] of stroke) ctx.lineTo(x * width, y * width);
      ctx.stroke();
    }
  }

  return {
    undo() {
      strokes = strokes.slice(0, -1);
      picture = undefined;
      change();
    },
    clear() {
      strokes = [];
      picture = undefined;
      change();
    },
    /** @param {Stroke[]} ink */
    showInk(ink) {
      strokes = ink.map((stroke) => [...stroke]);
      picture = undefined;
      render();
    },
    /** @param {ArrayLike<number>} pixels looked at until the next stroke */
    showPicture(pixels) {
      strokes = [];
      picture = pixels;
      render();
    },
  };
}

/**
 * @param {CanvasRenderingContext2D} ctx
 * @param {ArrayLike<number>} pixels 784 values from 0 to 1
 * @param {number} size of the square to fill from the origin
 */
export function drawPixels(ctx, pixels, size) {
  const image = new ImageData(SIDE, SIDE);
  for (let i = 0; i < pixels.length; i += 1) image.data.set([245, 243, 238, pixels[i] * 255], 4 * i);
  const small = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  small.getContext("2d")?.putImageData(image, 0, 0);
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(small, 0, 0, size, size);
}
