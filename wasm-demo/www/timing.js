/** Ways to keep slow work from piling up behind quick input. */

/**
 * Runs a task for the newest arguments only, one at a time: what arrives while it runs waits, and
 * only the last of it is kept.
 * @template {any[]} A
 * @param {(...args: A) => Promise<void>} task must not reject
 * @returns {(...args: A) => void}
 */
export function latest(task) {
  /** @type {A | undefined} */
  let next;
  let running = false;
  return async (...args) => {
    next = args;
    if (running) return;
    running = true;
    while (next) {
      const current = next;
      next = undefined;
      await task(...current);
    }
    running = false;
  };
}

/**
 * @template {any[]} A
 * @param {number} milliseconds of silence before the call is made
 * @param {(...args: A) => void} action
 * @returns {(...args: A) => void}
 */
export function debounced(milliseconds, action) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = window.setTimeout(action, milliseconds, ...args);
  };
}

/**
 * How many training steps to ask for at once so that they take about as long as they may.
 * @param {number} steps asked for last time
 * @param {number} took milliseconds for them
 * @param {{budget: number, most: number}} limits milliseconds to aim at, and the most steps
 */
export function nextSteps(steps, took, { budget, most }) {
  const wanted = Math.floor((steps * budget) / Math.max(took, 0.5));
  return Math.max(1, Math.min(most, wanted, steps * 2));
}
