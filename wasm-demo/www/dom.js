/** Small helpers for the document. */

/**
 * The element with an id, which the page is known to have.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  return /** @type {T} */ (document.getElementById(id));
}

/**
 * @param {string} tag
 * @param {Record<string, any>} [properties] set on the element; those with a dash, and `role`, as attributes
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else Object.assign(made, { [key]: value });
  }
  made.append(...children);
  return made;
}

/** @param {HTMLElement} place @param {string} message empty to take it away */
export function showProblem(place, message) {
  place.hidden = message === "";
  place.textContent = message;
}

/** @param {HTMLElement} list a `<dl>` @param {Record<string, string>} entries */
export function fillTerms(list, entries) {
  list.replaceChildren(
    ...Object.entries(entries).map(([term, text]) =>
      element("div", {}, element("dt", {}, term), element("dd", {}, text)),
    ),
  );
}

/** @param {string} name of a radio group @returns {HTMLInputElement[]} */
export function radios(name) {
  return [...document.querySelectorAll(/** @type {"input"} */ (`input[name="${name}"]`))];
}

/** @param {number} share from 0 to 1 */
export const percent = (share) => `${Math.round(share * 100)} %`;

/** @param {number} share from 0 to 1 */
export const finePercent = (share) => `${(share * 100).toFixed(1)} %`;
