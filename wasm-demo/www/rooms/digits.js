/** The room of digits: draw or pick one, compare what the networks answer and how they see it. */
import { byId, element, fillTerms, percent, radios, showProblem } from "../dom.js";
import { fillLegend } from "../legend.js";
import { messageOf } from "../session.js";
import { choiceFrom } from "../state.js";
import { debounced, latest } from "../timing.js";
import { createAnswer } from "./answers.js";
import { createEmbedding, embeddingLegend } from "./embedding.js";
import { decodeInk, encodeInk, rasterise } from "./ink.js";
import { createPad, drawPixels } from "./pad.js";
import { createSamples } from "./samples.js";

/** @typedef {import("../types.js").Domain} Domain */
/** @typedef {import("./embedding.js").Colouring} Colouring */
/** @typedef {{domain: Domain, index: number, pixels: Float32Array, label: number}} Sample */

/**
 * @typedef {object} Network a loaded model and its places on the page
 * @property {string} name
 * @property {ReturnType<typeof createAnswer>} answer
 * @property {ReturnType<typeof createEmbedding>} embedding
 * @property {boolean} embedded
 */

const BUILT_IN = [
  { name: "Source only", file: "../models/source-only.safetensors" },
  { name: "Adapted", file: "../models/adapted.safetensors" },
];
/** Rows a domain in the plane. */
const EMBEDDED_ROWS = 400;
/** How many target samples are tried to find one on which the two networks disagree. */
const TRIED = 80;
/** @type {readonly Colouring[]} */
const COLOURINGS = ["domain", "class", "errors"];
const COLLECTIONS = { source: "MNIST", target: "UCI digits" };

/**
 * @param {() => void} changed called when the address should follow
 * @returns {import("../main.js").Room}
 */
export function createDigits(changed) {
  /** @type {import("../engine.js").Engine | undefined} */
  let engine;
  /** @type {string[]} */
  let classes = [];
  /** @type {Network[]} */
  const networks = [];
  /** @type {import("./ink.js").Stroke[]} */
  let strokes = [];
  /** @type {Sample | undefined} */
  let sample;
  /** A sample that the address names, until the collections are there. */
  let namedSample = "";
  /** @type {Colouring} */
  let colouring = "domain";

  const pad = createPad(byId("pad"), (ink) => {
    strokes = ink;
    sample = undefined;
    showInput();
  });
  byId("undo").addEventListener("click", pad.undo);
  byId("clear").addEventListener("click", pad.clear);
  for (const radio of radios("colour")) {
    radio.addEventListener("change", () => {
      setColouring(/** @type {Colouring} */ (radio.value));
      changed();
    });
  }
  const samples = createSamples((picked) => pick(picked));
  listenForModels((file) => addOwn(file));

  /** @param {Colouring} by */
  function setColouring(by) {
    colouring = by;
    for (const radio of radios("colour")) radio.checked = radio.value === by;
    for (const { embedding } of networks) embedding.colourBy(by);
    if (classes.length) fillLegend(byId("embedding-legend"), embeddingLegend(by, classes));
  }

  /** @param {Sample} picked @param {string} [remark] */
  function pick(picked, remark) {
    sample = picked;
    strokes = [];
    pad.showPicture(picked.pixels);
    showInput(remark);
  }

  const pixels = () => sample?.pixels ?? (strokes.length ? rasterise(strokes) : undefined);

  /** Shows the input everywhere, then asks the networks. @param {string} [remark] */
  function showInput(remark = "") {
    const seen = pixels();
    drawSeen(seen);
    samples.mark(sample);
    const name = inputName();
    byId("input-name").textContent = `${name} ${remark}`;
    byId("pad").setAttribute("aria-label", `Drawing pad: ${name}`);
    ask();
    changed();
  }

  function inputName() {
    if (sample) return `${COLLECTIONS[sample.domain]}, sample ${sample.index}: a ${classes[sample.label]}.`;
    return strokes.length ? "Your drawing." : "Nothing is drawn yet.";
  }

  const ask = latest(async () => {
    const seen = pixels();
    const truth = sample?.label;
    const sentences = [];
    for (const network of networks) {
      try {
        const answer = seen && (await engine?.call("digits.predict", network.name, seen));
        network.answer.show(answer, truth);
        if (answer) sentences.push(sentence(network.name, answer));
        if (network.embedded)
          network.embedding.showPlace(seen && (await engine?.call("digits.place", network.name, seen)));
      } catch (error) {
        network.answer.fail(messageOf(error));
      }
    }
    announceSoon(sentences.join(" "));
  });

  /** @param {string} name @param {import("../types.js").Answer} answer */
  const sentence = (name, { label, probabilities }) =>
    `${name} says ${classes[label]} with ${percent(probabilities[label])}.`;

  /**
   * Takes a model into the page, or throws and leaves everything as it was.
   * @param {string} name @param {Uint8Array} bytes
   */
  async function load(name, bytes) {
    const card = await engine?.call("digits.load", name, bytes);
    remove(name);
    const answer = createAnswer(name, card.classes);
    const embedding = createEmbedding(name, card.classes);
    networks.push({ name, answer, embedding, embedded: false });
    byId("answers").append(answer.box);
    byId("embeddings").append(embedding.box);
    byId("model-cards").append(modelCard(name, card));
    answer.show(undefined, undefined);
    embedding.colourBy(colouring);
  }

  /** @param {string} name */
  function remove(name) {
    const at = networks.findIndex((network) => network.name === name);
    if (at < 0) return;
    const [gone] = networks.splice(at, 1);
    gone.answer.box.remove();
    gone.embedding.box.remove();
    for (const card of byId("model-cards").querySelectorAll("details"))
      if (card.dataset.model === name) card.remove();
  }

  /** Computes the planes that are missing, one network after the other. */
  async function embedAll() {
    for (const network of networks.filter(({ embedded }) => !embedded)) {
      try {
        network.embedding.show(await engine?.call("digits.embed", network.name, EMBEDDED_ROWS));
        network.embedded = true;
      } catch (error) {
        network.embedding.fail(messageOf(error));
      }
    }
    ask();
  }

  /** @param {File} file */
  async function addOwn(file) {
    showProblem(byId("model-error"), "");
    try {
      await load(file.name, new Uint8Array(await file.arrayBuffer()));
      ask();
      await embedAll();
    } catch (error) {
      showProblem(byId("model-error"), `Not loaded: ${messageOf(error)}`);
    }
  }

  /** @param {{name: string, file: string}} model */
  async function loadBuiltIn({ name, file }) {
    try {
      const reply = await fetch(new URL(file, import.meta.url));
      if (!reply.ok) throw new Error(`its file is missing (${reply.status})`);
      await load(name, new Uint8Array(await reply.arrayBuffer()));
    } catch (error) {
      const answer = createAnswer(name, classes);
      answer.fail(`This network could not be loaded: ${messageOf(error)}`);
      byId("answers").append(answer.box);
    }
  }

  /** A target sample that tells the networks apart: the first read wrongly by one and rightly by the other. */
  async function pickTelling() {
    const indices = Array.from({ length: Math.min(TRIED, samples.count("target")) }, (_, i) => i);
    for (const candidate of await samples.fetch("target", indices)) {
      const answers = [];
      for (const { name } of networks)
        answers.push(await engine?.call("digits.predict", name, candidate.pixels));
      const [first, second] = answers.map(({ label }) => label === candidate.label);
      if (!first && second) return pick(candidate, "Picked because the two networks disagree on it.");
    }
  }

  /**
   * Picks the sample that the address names, as `target.17`.
   * @returns {Promise<boolean>} whether there is one
   */
  async function pickNamed() {
    const [domain, index] = namedSample.split(".");
    namedSample = "";
    if ((domain !== "source" && domain !== "target") || !/^\d+$/.test(index ?? "")) return false;
    if (Number(index) >= samples.count(domain)) return false;
    pick((await samples.fetch(domain, [Number(index)]))[0]);
    return true;
  }

  return {
    title: "Digits",
    defaults: { ink: "", sample: "", colour: "domain" },
    view: () => ({
      ink: encodeInk(strokes),
      sample: sample ? `${sample.domain}.${sample.index}` : namedSample,
      colour: colouring,
    }),
    apply(params) {
      setColouring(choiceFrom(params, "colour", COLOURINGS, colouring));
      const ink = decodeInk(params.get("ink") ?? "");
      if (ink.length) {
        strokes = ink;
        sample = undefined;
        pad.showInk(ink);
        showInput();
      }
      namedSample = ink.length ? "" : (params.get("sample") ?? "");
      if (engine) pickNamed();
    },
    async connect(ready) {
      const collections = await ready.call("digits.collections");
      classes = collections.classes;
      engine = ready;
      setColouring(colouring);
      await samples.connect(ready, collections);
      for (const model of BUILT_IN) await loadBuiltIn(model);
      /** @type {HTMLButtonElement} */ (byId("choose-model")).disabled = false;
      if (strokes.length) ask();
      else if (!(await pickNamed()) && !sample && networks.length === BUILT_IN.length) await pickTelling();
      await embedAll();
    },
    leave() {},
  };
}

/** Not at every move of the pen: a screen reader would never come to the end of a sentence. */
const announceSoon = debounced(300, (/** @type {string} */ text) => {
  byId("digits-live").textContent = text;
});

/** @param {Float32Array | undefined} pixels the 28 × 28 picture, none while nothing is drawn */
function drawSeen(pixels) {
  const canvas = /** @type {HTMLCanvasElement} */ (byId("seen"));
  const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  ctx.clearRect(0, 0, canvas.width, canvas.height);
  if (pixels) drawPixels(ctx, pixels, canvas.width);
  const inked = pixels ? pixels.filter((value) => value > 0.5).length : 0;
  canvas.setAttribute(
    "aria-label",
    `What the networks see: ${pixels ? `${inked} of 784 pixels inked` : "nothing yet"}`,
  );
}

/** @param {string} name @param {import("../types.js").ModelCard} card */
function modelCard(name, card) {
  const terms = element("dl");
  fillTerms(terms, {
    Backbone: card.backbone,
    Parameters: card.parameters.toLocaleString("en"),
    Input: card.input,
    Classes: card.classes.join(" "),
    ...Object.fromEntries(Object.entries(card.provenance).map(([key, value]) => [key, textOf(value)])),
  });
  const details = element("details", {}, element("summary", {}, name), terms);
  details.dataset.model = name;
  return details;
}

/** @param {unknown} value of a model file's metadata */
const textOf = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/**
 * Model files by the button, or dropped anywhere on its card.
 * @param {(file: File) => void} take
 */
function listenForModels(take) {
  const input = /** @type {HTMLInputElement} */ (byId("model-file"));
  const zone = byId("drop");
  byId("choose-model").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    for (const file of input.files ?? []) take(file);
    input.value = "";
  });
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    for (const file of event.dataTransfer?.files ?? []) take(file);
  });
}
