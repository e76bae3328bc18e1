/** Legends below the charts: small drawings with their meaning, in the colours of the style sheet. */
import { element } from "./dom.js";

/**
 * @param {HTMLElement} place
 * @param {[drawing: string, meaning: string][]} entries
 */
export function fillLegend(place, entries) {
  place.replaceChildren(
    ...entries.map(([drawing, meaning]) => {
      const entry = element("span");
      entry.innerHTML = `<svg width="24" height="14" viewBox="0 0 24 14" aria-hidden="true">${drawing}</svg>`;
      entry.append(meaning);
      return entry;
    }),
  );
}

/** @param {string} colour name of a colour in the style sheet @param {string} [dash] */
export const lineKey = (colour, dash = "none") =>
  `<path d="M1 7h22" fill="none" stroke="var(--${colour})" stroke-width="2.5" stroke-dasharray="${dash}"/>`;

/** @param {string} colour */
export const circleKey = (colour) => `<circle cx="12" cy="7" r="4.5" fill="var(--${colour})"/>`;

/** @param {string} colour @param {string} [outline] */
export const triangleKey = (colour, outline = "none") =>
  `<path d="M12 1l6 11H6z" fill="var(--${colour})" stroke="var(--${outline})" stroke-width="1.2"/>`;

/** @param {string} colour */
export const patchKey = (colour) =>
  `<rect x="5" y="1" width="14" height="12" rx="3" fill="var(--${colour})"/>`;

/** @param {string} colour */
export const crossKey = (colour) =>
  `<path d="M8 3l8 8M16 3l-8 8" stroke="var(--${colour})" stroke-width="2.4" stroke-linecap="round"/>`;

/** @param {string} colour */
export const plusKey = (colour) =>
  `<path d="M12 2v10M7 7h10" stroke="var(--${colour})" stroke-width="2.4" stroke-linecap="round"/>`;

/** @param {string} colour */
export const stemKey = (colour) =>
  `<path d="M6 13V8M12 13V2M18 13V6" stroke="var(--${colour})" stroke-width="2.4"/>`;

/** The mark of the visitor's own digit. */
export const diamondKey = `<path d="M12 1l6 6-6 6-6-6z" fill="var(--ink)"/>`;
