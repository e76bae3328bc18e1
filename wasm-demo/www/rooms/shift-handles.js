/** The two handles on the target density: one at its peak moves it, one at its flank widens it. */
/** @typedef {{mean: number, width: number}} Target */
/** @typedef {{min: number, max: number}} Range */
/** @typedef {{x: import("../plot.js").Scale, peak: [number, number], flank: [number, number]}} Placement in pixels */

/** How far an arrow key goes, and with Shift. */
const NUDGE = 0.05;
const LEAP = 0.25;

/**
 * @param {object} parts
 * @param {HTMLElement} parts.stage the plot; dragging anywhere on it moves the density
 * @param {HTMLElement} parts.meanHandle
 * @param {HTMLElement} parts.widthHandle
 * @param {{mean: Range, width: Range}} parts.limits
 * @param {() => Target} parts.read
 * @param {(target: Target) => void} parts.write takes values inside the limits
 */
export function attachHandles({ stage, meanHandle, widthHandle, limits, read, write }) {
  /** @type {Placement | undefined} */
  let placement;

  /** @param {Target} target */
  const set = ({ mean, width }) =>
    write({ mean: limit(mean, limits.mean), width: limit(width, limits.width) });

  const moveMean = (/** @type {Target} */ start, /** @type {number} */ by) =>
    set({ ...start, mean: start.mean + by });
  const moveWidth = (/** @type {Target} */ start, /** @type {number} */ by) =>
    set({ ...start, width: start.width + by });

  for (const [handle, move] of /** @type {const} */ ([
    [meanHandle, moveMean],
    [stage, moveMean],
    [widthHandle, moveWidth],
  ])) {
    drag(handle, () => placement?.x, read, move);
  }
  onArrows(meanHandle, (by) => moveMean(read(), by));
  onArrows(widthHandle, (by) => moveWidth(read(), by));

  return {
    /** @param {Placement} fresh */
    place(fresh) {
      placement = fresh;
      put(meanHandle, fresh.peak);
      put(widthHandle, fresh.flank);
    },
    /** Says the values to those who do not see the handles. */
    describe() {
      const { mean, width } = read();
      announce(meanHandle, mean, limits.mean);
      announce(widthHandle, width, limits.width);
    },
  };
}

/** @param {number} value @param {Range} range */
function limit(value, { min, max }) {
  return Math.max(min, Math.min(max, Math.round(value * 100) / 100));
}

/** @param {HTMLElement} handle @param {[number, number]} position */
function put(handle, [x, y]) {
  Object.assign(handle.style, { left: `${x}px`, top: `${y}px` });
}

/** @param {HTMLElement} handle @param {number} value @param {Range} range */
function announce(handle, value, { min, max }) {
  handle.setAttribute("aria-valuemin", String(min));
  handle.setAttribute("aria-valuemax", String(max));
  handle.setAttribute("aria-valuenow", value.toFixed(2));
}

/**
 * @param {HTMLElement} handle
 * @param {() => import("../plot.js").Scale | undefined} scale
 * @param {() => Target} read
 * @param {(start: Target, by: number) => void} move
 */
function drag(handle, scale, read, move) {
  // The scale of the start holds for the whole way: the plot's own may widen under the pointer.
  /** @type {{pointer: number, at: number, target: Target, x: import("../plot.js").Scale} | undefined} */
  let start;
  handle.addEventListener("pointerdown", (event) => {
    const x = scale();
    if (!x || start || event.button !== 0) return;
    start = { pointer: event.pointerId, at: event.clientX, target: read(), x };
    handle.setPointerCapture(event.pointerId);
  });
  handle.addEventListener("pointermove", (event) => {
    if (event.pointerId !== start?.pointer) return;
    move(start.target, start.x.invert(event.clientX) - start.x.invert(start.at));
  });
  for (const end of ["pointerup", "pointercancel"]) handle.addEventListener(end, () => (start = undefined));
}

/** @param {HTMLElement} handle @param {(by: number) => void} move */
function onArrows(handle, move) {
  const directions = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 };
  handle.addEventListener("keydown", (event) => {
    const direction = directions[/** @type {keyof typeof directions} */ (event.key)];
    if (!direction) return;
    event.preventDefault();
    move(direction * (event.shiftKey ? LEAP : NUDGE));
  });
}
