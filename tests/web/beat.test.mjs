// The sample clock on this machine's own, and which beat the lamp strikes when.
import assert from "node:assert/strict";
import { test } from "node:test";

import { SampleClock } from "../../web/client/clock.js";
import { Beats } from "../../web/page/beat.js";

const message = (type, time_s, data = {}) => ({ type, time_s, data });
const beat = (time_s, more = {}) => message("beat", time_s, { beat_s: time_s - 0.06, number: 4, beats_in_bar: 4, confidence: 0.9, next_s: time_s + 0.44, bpm: 120, ...more });
const near = (one, other) => assert.ok(Math.abs(one - other) < 1e-9, `${one} is not ${other}`);

test("nothing is known before a message", () => {
  const clock = new SampleClock();
  clock.hear(message("hello", 0), 5);
  assert.equal(clock.at_s(1), Infinity);
});

test("sound came before the message that tells of it", () => {
  const clock = new SampleClock();
  clock.trip_s = 0.004;
  clock.hear(message("status", 10, { latency_s: 0.062 }), 110);
  near(clock.at_s(10.5), 110.5 - 0.012 - 0.004); // of 62 ms, 50 are the mean wait for the end of the step
  clock.hear(message("status", 11, { latency_s: 0.01 }), 111);
  near(clock.at_s(11), 110.996);
});

test("messages that come late move nothing, and a clock that runs apart is followed", () => {
  const clock = new SampleClock();
  for (const [step, late_s] of [0, 0.3, 0.1, 0.02, 0.4, 0.01, 0].entries()) {
    clock.hear(message("level", 10 + step / 10), 50 + step / 10 + late_s);
    near(clock.at_s(20), 60);
  }
  for (let step = 7; step < 600; step++) clock.hear(message("level", 10 + step / 10), 50 + (1.001 * step) / 10);
  assert.ok(Math.abs(clock.at_s(69.9) - (50 + 1.001 * 59.9)) < 0.004);
});

test("another session has another clock, and a loss none", () => {
  const clock = new SampleClock();
  clock.hear(message("level", 1000), 1000);
  clock.hear({ type: "lost", data: { reason: "gone", retry_s: 1 } }, 1000.5);
  near(clock.at_s(1001), 1001);
  clock.hear(message("hello", 0), 1001);
  clock.hear(message("level", 0.1), 1001.1);
  near(clock.at_s(1), 1002);
});

test("each beat foretells the next one, and no other", () => {
  const beats = new Beats();
  assert.equal(beats.wait_s(0), Infinity);
  assert.equal(beats.hear(beat(10), 20).number, 4, "the first is struck when it comes");
  near(beats.wait_s(20), 0.44);
  const { number, beat_s } = beats.strike();
  assert.deepEqual([number, beat_s.toFixed(2)], [1, "10.44"], "the downbeat follows the last of the bar");
  assert.equal(beats.strike(), null);
  assert.equal(beats.hear(beat(10.5, { number: 1 }), 20.5), null, "it was struck");
  near(beats.wait_s(20.5), 0.44);
});

test("a beat that is known before it was struck is struck at once, one elsewhere too", () => {
  const beats = new Beats();
  beats.hear(beat(10), 20);
  assert.ok(beats.hear(beat(10.4), 20.4));
  beats.strike();
  assert.ok(beats.hear(beat(11.2), 21.2), "a jump");
});

test("what comes too late is not struck, and the one after it is foretold", () => {
  const beats = new Beats();
  beats.hear(message("level", 10), 20);
  assert.equal(beats.hear(beat(10.5), 21.0), null);
  near(beats.wait_s(21.0), 0.44);
  assert.equal(beats.expected.number, 2, "of 4, 1 is over");
});

test("while the bar is unknown, so is the next number", () => {
  const beats = new Beats();
  beats.hear(beat(10, { number: null, beats_in_bar: null }), 20);
  assert.equal(beats.strike().number, null);
});
