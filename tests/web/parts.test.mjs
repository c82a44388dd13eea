// The small pure parts: back-off, meter, axes, colours, words.
import assert from "node:assert/strict";
import { test } from "node:test";

import { secondsFor } from "../../web/page/axes.js";
import { targetOf, withTarget } from "../../web/page/address.js";
import { place } from "../../web/page/dial.js";
import { heightOf, hzToMel } from "../../web/page/mel.js";
import { FLOOR_DB, move, RESTING } from "../../web/page/meter.js";
import { palette, RAMPS } from "../../web/page/palette.js";
import { backoff } from "../../web/client/socket.js";
import { mixing, placeOf } from "../../web/page/wheel.js";
import * as strings from "../../web/page/strings.js";

test("back-off stays within 0.5 and 10 s, grows and is spread", () => {
  assert.equal(backoff(0, 0), 0.5);
  for (let attempt = 0; attempt < 2000; attempt += 7) {
    assert.ok(backoff(attempt, 0) >= 0.5 && backoff(attempt, 0.999) <= 10);
  }
  assert.ok(backoff(0, 0.999) <= 1);
  assert.ok(backoff(8, 0.999) > 9.9);
  assert.ok(backoff(5, 0.9) - backoff(5, 0.1) > 5);
});

test("the meter rises at once, falls calmly and holds its peak", () => {
  const loud = move(RESTING, { rms_dbfs: -12, peak_dbfs: -1, clipping: false }, 0.02);
  assert.deepEqual(loud, { rms: -12, peak: -1, peakAge_s: 0 });
  const soon = move(loud, null, 0.1);
  assert.ok(soon.rms < -12 && soon.rms > -20 && soon.peak === -1);
  let later = loud;
  for (let i = 0; i < 600; i++) later = move(later, null, 0.02);
  assert.deepEqual([later.rms, later.peak], [FLOOR_DB, FLOOR_DB]);
});

test("the frequency axis is Slaney's mel scale", () => {
  assert.ok(Math.abs(hzToMel(1000) - 15) < 1e-9);
  assert.ok(Math.abs(hzToMel(6400) - 42) < 1e-9);
  const scale = { low_hz: 0, high_hz: 11_025 };
  assert.deepEqual([heightOf(0, scale), heightOf(11_025, scale)], [0, 1]);
});

test("the dial is logarithmic, and what is off the scale is not drawn", () => {
  assert.ok(Math.abs(place(160) - place(80) - (place(80) - place(40))) < 1e-9);
  assert.deepEqual([place(39), place(241)], [null, null]);
});

test("neighbours on the wheel and the relative key mix, round the end too", () => {
  assert.deepEqual(mixing("8A"), ["7A", "9A", "8B"]);
  assert.deepEqual(mixing("12B"), ["11B", "1B", "12A"]);
  assert.deepEqual(mixing("1A"), ["12A", "2A", "1B"]);
  assert.deepEqual([mixing(""), placeOf("13A"), placeOf("8C"), placeOf("10B")], [[], null, null, { number: 10, ring: "B" }]);
});

test("the target of the loudness meter is in the address, and what is no loudness is not", () => {
  assert.deepEqual(["", "?target=-23", "?target=-18.5", "?target=loud", "?target=3", "?target="].map(targetOf), [-14, -23, -18.5, -14, -14, -14]);
  assert.deepEqual([withTarget("?ratio=half", -23), withTarget("?target=-23", -14)], ["?ratio=half&target=-23", ""]);
});

test("a set is over its target, under it or on it", () => {
  const said = [-13, -14.04, -23].map((lufs) => strings.againstTarget(lufs, -14).replaceAll("\u00a0", " "));
  assert.deepEqual(said, ["−13.0 LUFS, 1.0 LU over", "−14.0 LUFS, on target", "−23.0 LUFS, 9.0 LU under"]);
});

test("narrow pictures show fewer seconds", () => {
  assert.ok(secondsFor(300) < secondsFor(1200));
  assert.equal(secondsFor(0), 4);
  assert.equal(secondsFor(9999), 24);
});

test("lightness of the colours moves one way", () => {
  const luminance = (pixel) => 0.2126 * (pixel & 255) ** 2.2 + 0.7152 * ((pixel >> 8) & 255) ** 2.2 + 0.0722 * ((pixel >> 16) & 255) ** 2.2;
  for (const [name, sign] of [["dark", 1], ["light", -1]]) {
    const colours = palette(RAMPS[name]);
    assert.equal(colours.length, 256);
    for (let level = 4; level < 256; level += 4) {
      assert.ok(sign * (luminance(colours[level]) - luminance(colours[level - 4])) > 0, `${name} ${level}`);
    }
  }
});

test("words for numbers", () => {
  assert.equal(strings.clock(63.9), "01:03");
  assert.equal(strings.clock(3 * 3600 + 5), "3:00:05");
  assert.deepEqual(strings.relation(63.9 / 127.9), { ratio: 0.5, name: "half" });
  assert.equal(strings.relation(150 / 127.9), null);
  assert.equal(strings.age(0.4), "heard just now");
  assert.equal(strings.source({ kind: "demo", name: "demo.ogg" }), "Demo set: demo.ogg");
  for (const { title, advice, tone } of Object.values(strings.SITUATIONS)) assert.ok(title && (advice || tone === "calm"));
});
