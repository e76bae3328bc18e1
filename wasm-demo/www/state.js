/**
 * The view in the address: `#moons?rotation=40&seed=2`. What is missing or bad there is ignored, and
 * what equals the room's default is left out.
 */

/**
 * @param {string} hash with its leading `#`
 * @param {string[]} rooms the names that exist, the default first
 * @returns {{room: string, params: URLSearchParams}}
 */
export function readHash(hash, rooms) {
  const [name, query = ""] = hash.replace(/^#/, "").split("?", 2);
  return { room: rooms.includes(name) ? name : rooms[0], params: new URLSearchParams(query) };
}

/**
 * @param {string} room
 * @param {Record<string, string | number>} values
 * @param {Record<string, string | number>} defaults
 */
export function writeHash(room, values, defaults) {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    if (value !== defaults[key]) params.set(key, String(value));
  }
  const query = params.toString();
  return query ? `#${room}?${query}` : `#${room}`;
}

/**
 * A number of the address, if it lies in the range of the control that it sets.
 * @param {URLSearchParams} params
 * @param {string} key
 * @param {{min: number, max: number, fallback: number, whole?: boolean}} range
 */
export function numberFrom(params, key, { min, max, fallback, whole = false }) {
  const text = params.get(key);
  const value = text === null || text.trim() === "" ? NaN : Number(text);
  const fits = value >= min && value <= max && (!whole || Number.isInteger(value));
  return fits ? value : fallback;
}

/**
 * A word of the address, if it is one of the choices.
 * @template {string} T
 * @param {URLSearchParams} params
 * @param {string} key
 * @param {readonly T[]} choices
 * @param {T} fallback
 */
export function choiceFrom(params, key, choices, fallback) {
  const text = /** @type {T} */ (params.get(key));
  return choices.includes(text) ? text : fallback;
}
