/** The parts of the page that need no browser. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeInk, encodeInk, quantise, rasterise } from "../www/rooms/ink.js";
import { numberFrom, choiceFrom, readHash, writeHash } from "../www/state.js";
import { latest, nextSteps } from "../www/timing.js";

/** Mass and its centre, in pixels. */
function moments(pixels) {
  let [mass, x, y] = [0, 0, 0];
  pixels.forEach((value, i) => {
    mass += value;
    x += value * ((i % 28) + 0.5);
    y += value * (Math.floor(i / 28) + 0.5);
  });
  return { mass, x: x / mass, y: y / mass };
}

test("ink is centred by mass and fills the box of twenty, wherever and however large it was drawn", () => {
  const seven = [
    [0.1, 0.1],
    [0.9, 0.1],
    [0.4, 0.9],
  ];
  for (const [scale, shift] of [
    [1, 0],
    [0.5, 0.05],
    [0.3, 0.6],
  ]) {
    const pixels = rasterise([seven.map(([x, y]) => [x * scale + shift, y * scale + shift])]);
    const { x, y } = moments(pixels);
    assert.ok(Math.abs(x - 14) < 0.05 && Math.abs(y - 14) < 0.05, `centre (${x}, ${y})`);
    const rows = Array.from({ length: 28 }, (_, row) =>
      pixels.slice(28 * row, 28 * row + 28).some((v) => v > 0.5),
    );
    const height = rows.lastIndexOf(true) - rows.indexOf(true) + 1;
    assert.ok(height >= 19 && height <= 21, `height ${height}`);
  }
});

test("thickness does not depend on the size drawn", () => {
  const bar = (length) =>
    moments(
      rasterise([
        [
          [0.5, 0.5 - length / 2],
          [0.5, 0.5 + length / 2],
        ],
      ]),
    ).mass;
  assert.ok(Math.abs(bar(0.8) - bar(0.4)) < 1e-3);
});

test("no ink gives an empty picture, and a dot stays small", () => {
  assert.equal(rasterise([]).some(Boolean), false);
  const { mass } = moments(rasterise([[[0.2, 0.9]]]));
  assert.ok(mass > 1 && mass < 12, `mass ${mass}`);
});

test("strokes survive the address exactly, and bad text gives none", () => {
  const strokes = [
    [
      [0, 0.5],
      [0.25, 0.99999],
    ],
    [[0.123, 0.456]],
  ].map((stroke) => stroke.map((point) => point.map(quantise)));
  assert.deepEqual(decodeInk(encodeInk(strokes)), strokes);
  for (const bad of ["", "abc", "AAAA.", "AA+A", "AAAA..AAAA"]) assert.deepEqual(decodeInk(bad), []);
});

test("the address leaves defaults out and reads itself", () => {
  const defaults = { seed: 0, method: "dann" };
  assert.equal(writeHash("moons", { seed: 0, method: "dann" }, defaults), "#moons");
  const hash = writeHash("moons", { seed: 3, method: "dan" }, defaults);
  const { room, params } = readHash(hash, ["digits", "moons"]);
  assert.equal(room, "moons");
  assert.equal(numberFrom(params, "seed", { min: 0, max: 9, fallback: 0 }), 3);
  assert.equal(choiceFrom(params, "method", ["dann", "dan"], "dann"), "dan");
});

test("bad values of an address are ignored", () => {
  assert.equal(readHash("#nowhere?x", ["digits", "moons"]).room, "digits");
  const range = { min: 0, max: 180, fallback: 35, whole: true };
  for (const text of ["", " ", "abc", "-1", "181", "NaN", "1.5", "Infinity"]) {
    assert.equal(numberFrom(new URLSearchParams({ rotation: text }), "rotation", range), 35, text);
  }
  assert.equal(choiceFrom(new URLSearchParams("method=x"), "method", ["a"], "a"), "a");
});

test("steps follow the time that they take, within their limits", () => {
  const limits = { budget: 12, most: 8 };
  assert.equal(nextSteps(4, 6, limits), 8);
  assert.equal(nextSteps(4, 24, limits), 2);
  assert.equal(nextSteps(1, 500, limits), 1);
  assert.equal(nextSteps(8, 0, limits), 8);
});

test("of what arrives during a task only the last is done", async () => {
  const done = [];
  let release = () => {};
  const run = latest(async (value) => {
    done.push(value);
    await new Promise((resolve) => (release = resolve));
  });
  for (const value of [1, 2, 3]) run(value);
  release();
  await new Promise(setImmediate);
  release();
  assert.deepEqual(done, [1, 3]);
});
