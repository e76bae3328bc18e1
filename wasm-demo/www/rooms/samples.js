/** The two rows of thumbnails: a few pictures of each collection, and more on demand. */
import { element } from "../dom.js";
import { SIDE } from "./ink.js";
import { drawPixels } from "./pad.js";

/** @typedef {import("../types.js").Domain} Domain */
/** @typedef {import("./digits.js").Sample} Sample */

const SHOWN = 10;
/** @type {Domain[]} */
const DOMAINS = ["source", "target"];

/** @param {(sample: Sample) => void} onPick */
export function createSamples(onPick) {
  /** @type {import("../engine.js").Engine | undefined} */
  let engine;
  /** @type {Record<Domain, number>} */
  const counts = { source: 0, target: 0 };
  /** @type {Record<Domain, number>} */
  const first = { source: 0, target: 0 };
  /** @type {Map<string, HTMLButtonElement>} */
  const buttons = new Map();
  let marked = "";

  for (const domain of DOMAINS) {
    const waiting = Array.from({ length: SHOWN }, () => element("li", { className: "waiting" }));
    part(domain, "thumbs").replaceChildren(...waiting);
    part(domain, "more").addEventListener("click", () => {
      first[domain] = (first[domain] + SHOWN) % counts[domain];
      showRow(domain);
    });
  }

  /** @param {Domain} domain @param {number[]} indices @returns {Promise<Sample[]>} */
  async function fetch(domain, indices) {
    /** @type {Omit<Sample, "domain">[]} */
    const found = await engine?.call("digits.samples", domain, indices);
    return found.map((sample) => ({ domain, ...sample }));
  }

  /** @param {Domain} domain */
  async function showRow(domain) {
    const indices = Array.from({ length: SHOWN }, (_, i) => (first[domain] + i) % counts[domain]);
    const row = await fetch(domain, indices);
    for (const key of buttons.keys()) if (key.startsWith(domain)) buttons.delete(key);
    part(domain, "thumbs").replaceChildren(...row.map((sample) => element("li", {}, thumbnail(sample))));
  }

  /** @param {Sample} sample */
  function thumbnail(sample) {
    const key = keyOf(sample);
    const canvas = element("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" });
    drawPixels(canvas.getContext("2d"), sample.pixels, SIDE);
    const button = element(
      "button",
      {
        type: "button",
        "aria-label": `${sample.domain} sample ${sample.index}, a ${sample.label}`,
        "aria-pressed": String(key === marked),
      },
      canvas,
    );
    button.addEventListener("click", () => onPick(sample));
    buttons.set(key, button);
    return button;
  }

  return {
    fetch,
    /** @param {Domain} domain */
    count: (domain) => counts[domain],
    /** Presses the picked sample's button, if it is in view. @param {Sample | undefined} sample */
    mark(sample) {
      marked = sample ? keyOf(sample) : "";
      for (const [key, button] of buttons) button.setAttribute("aria-pressed", String(key === marked));
    },
    /** @param {import("../engine.js").Engine} ready @param {Record<Domain, number>} sizes */
    async connect(ready, sizes) {
      engine = ready;
      for (const domain of DOMAINS) {
        counts[domain] = sizes[domain];
        await showRow(domain);
        /** @type {HTMLButtonElement} */ (part(domain, "more")).disabled = false;
      }
    },
  };
}

/** @param {{domain: Domain, index: number}} sample */
const keyOf = ({ domain, index }) => `${domain}.${index}`;

/** @param {Domain} domain @param {string} name @returns {HTMLElement} */
function part(domain, name) {
  return /** @type {HTMLElement} */ (document.querySelector(`.samples[data-domain="${domain}"] .${name}`));
}
