/** The page's frame: rooms, address, status line; the rooms do the rest. */
import { byId, element } from "./dom.js";
import { openEngine } from "./engine.js";
import { createDigits } from "./rooms/digits.js";
import { createMoons } from "./rooms/moons.js";
import { createShift } from "./rooms/shift.js";
import { messageOf } from "./session.js";
import { readHash, writeHash } from "./state.js";
import { debounced } from "./timing.js";

/**
 * @typedef {object} Room
 * @property {string} title
 * @property {(params: URLSearchParams) => void} apply takes the view that an address describes
 * @property {(engine: import("./engine.js").Engine) => Promise<void>} connect once, when first shown
 * @property {() => void} leave
 * @property {() => Record<string, string | number>} view what the address should hold
 * @property {Record<string, string | number>} defaults the values that it leaves out
 */

const writeSoon = debounced(250, writeAddress);

/** @type {Record<string, Room>} */
const rooms = {
  digits: createDigits(writeSoon),
  moons: createMoons(writeSoon),
  shift: createShift(writeSoon),
};
const names = Object.keys(rooms);
let shown = "";
const connected = new Set();

const engine = openEngine();
engine.then(showReady, showFailure);

addEventListener("hashchange", showAddress);
showAddress();

function showAddress() {
  const { room, params } = readHash(location.hash, names);
  if (shown !== room) switchTo(room);
  if (hashOf(room) !== location.hash) rooms[room].apply(params);
  connect(room);
}

/** @param {string} room @returns {string} the address's end for its view as it is */
function hashOf(room) {
  return writeHash(room, rooms[room].view(), rooms[room].defaults);
}

/** @param {string} room */
function switchTo(room) {
  if (shown) {
    rooms[shown].leave();
    updateLink(shown);
  }
  shown = room;
  for (const name of names) byId(`room-${name}`).hidden = name !== room;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("data-room") === room) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${rooms[room].title} · Transduct`;
}

/** @param {string} room */
async function connect(room) {
  if (connected.has(room)) return;
  connected.add(room);
  const ready = await engine.catch(() => undefined);
  if (!ready) return;
  try {
    await rooms[room].connect(ready);
  } catch (error) {
    addError(`${rooms[room].title}: ${messageOf(error)}`);
  }
}

function writeAddress() {
  history.replaceState(null, "", hashOf(shown));
  updateLink(shown);
}

/** Coming back to a room by its link finds it as it was left. @param {string} room */
function updateLink(room) {
  document.querySelector(`nav a[data-room="${room}"]`)?.setAttribute("href", hashOf(room));
}

/** @param {import("./engine.js").Engine} ready */
function showReady({ version, build, threaded, notes }) {
  byId("loading").hidden = true;
  const where = threaded ? "in a Web Worker" : "in the page";
  const name = { relaxed: "relaxed SIMD", simd: "SIMD", plain: "plain" }[build];
  byId("status-text").textContent = `Ready: ${name} build, running ${where}.`;
  byId("version").textContent = `Version ${version}.`;
  for (const note of notes) addNote(note);
}

/** @param {unknown} error */
function showFailure(error) {
  byId("loading").hidden = true;
  byId("status-text").textContent = "The program is not running.";
  addError(
    `${messageOf(error)} Nothing can be computed without it; you can still read the rooms and draw. ` +
      "Check that WebAssembly is allowed here and that the page’s pkg folder is complete, then reload.",
  );
}

/** @param {string} text */
function addNote(text) {
  byId("notes").append(element("li", {}, text));
}

/** @param {string} text */
function addError(text) {
  byId("errors").append(element("p", { className: "problem" }, text));
}

document.addEventListener(
  "storageblocked",
  () => addNote("Storage is blocked: the theme is forgotten when you leave."),
  {
    once: true,
  },
);

byId("skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("content").focus();
});

byId("copy").addEventListener("click", async () => {
  writeAddress();
  const button = byId("copy");
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Copy it from the address bar";
  }
  setTimeout(() => (button.textContent = "Copy link"), 2500);
});
