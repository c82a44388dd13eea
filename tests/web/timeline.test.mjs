// The set so far: the server's columns, rows from messages, transitions, colours.
import assert from "node:assert/strict";
import { test } from "node:test";

import { colourOf } from "../../web/page/families.js";
import { INITIAL, latency, reduce } from "../../web/page/state.js";
import { decodeTimeline, drive, drop, join, leader, prolong, range, rowAt, together, transitions, tune } from "../../web/page/timeline.js";

const COLUMNS = {
  v: 1, session: "a", states: ["searching", "locked"], labels: ["House", "Jazz"],
  time_s: [0, 4, 8], span_s: [4, 4, 1], bpm: [120, 0, 121.5], confidence: [80, 0, 90], state: [1, 0, 1],
  top: [[0, 60, 1, 20], [], [1, 50]],
};
const tempo = (bpm, age_s = 0) => ({ type: "tempo", data: { bpm, confidence: 0.8, state: "locked", age_s, alternatives: [] } });
const genre = (label, age_s = 0, state = "music") => ({ type: "genre", data: { label, confidence: 0.7, state, age_s, music: 0.9, top: [{ label, p: 0.7 }], sub_genre: null } });

/** Rows of one second each: [genre, bpm] for so many seconds. */
function rows(...parts) {
  let made = [];
  for (const [label, bpm, seconds] of parts) {
    for (let i = 0; i < seconds; i++) {
      const at = made.length;
      made = prolong(prolong(made, tempo(bpm), at + 0.2), genre(label), at + 0.4);
    }
  }
  return made;
}

test("the server's columns become rows", () => {
  const { session, rows: made } = decodeTimeline(COLUMNS);
  assert.equal(session, "a");
  assert.deepEqual(made[0], { time_s: 0, span_s: 4, bpm: 120, confidence: 0.8, state: "locked", top: [{ label: "House", p: 0.6 }, { label: "Jazz", p: 0.2 }], key: "", energy: null, drop: false });
  assert.deepEqual(made.map(leader), ["House", "", "Jazz"]);
});

test("key, energy and drops come with the rows where they are known", () => {
  const { rows: made } = decodeTimeline({ ...COLUMNS, keys: ["A minor"], key: [null, 0, 7], energy: [null, 72, "x"], drop: [0, 1, 2] });
  assert.deepEqual(made.map(({ key, energy, drop }) => [key, energy, drop]), [["", null, false], ["A minor", 0.72, true], ["", null, false]]);
});

test("energy, key and drops go with the present second, and make none", () => {
  assert.deepEqual(drive([], { value: 0.7 }, 3.2), []);
  let made = prolong([], tempo(120), 3.2);
  made = drop(tune(drive(made, { value: 0.7 }, 3.3), { label: "A minor", state: "clear" }, 3.4), 3.5);
  assert.deepEqual(made.map(({ key, energy, drop }) => [key, energy, drop]), [["A minor", 0.7, true]]);
  assert.equal(drive(made, { value: 0.1 }, 3.6), made, "the first of many counts");
  assert.equal(tune(made, { label: "B minor", state: "holding" }, 3.7), made);
  assert.equal(drop(made, 4.1), made, "nothing else is known of that second");
});

test("columns of another form are refused", () => {
  const bad = [null, 3, [], {}, { ...COLUMNS, v: 2 }, { ...COLUMNS, bpm: [1, 2] }, { ...COLUMNS, time_s: ["0", 4, 8] }, { ...COLUMNS, labels: null }];
  bad.push({ ...COLUMNS, state: [1, null, 2] }, { ...COLUMNS, session: 7 });
  for (const json of bad) assert.equal(decodeTimeline(json), null);
  assert.deepEqual(decodeTimeline({ ...COLUMNS, top: [[9, 60], ["x"], null] }).rows.map((row) => row.top), [[], [], []]);
});

test("messages of one second become one row; what is held becomes none", () => {
  let made = prolong([], tempo(120), 3.2);
  made = prolong(made, tempo(121), 3.7);
  made = prolong(made, genre("House"), 3.9);
  assert.deepEqual(made.map(({ time_s, bpm, top }) => [time_s, bpm, top[0].label]), [[3, 121, "House"]]);
  assert.equal(prolong(made, tempo(99, 2), 5), made);
  assert.equal(prolong(made, tempo(99), 2), made, "the clock went back");
  assert.equal(prolong(made, genre("", 0, "not_music"), 5), made, "no music");
});

test("rows are bounded however long the set is", () => {
  let made = [];
  for (let second = 0; second < 9000; second++) made = prolong(made, tempo(120), second);
  assert.ok(made.length <= 6001);
  assert.equal(made.at(-1).time_s, 8999);
});

test("what the server has kept comes before what the page has heard", () => {
  const kept = decodeTimeline(COLUMNS).rows;
  const joined = join(kept, rows(["House", 120, 12]));
  assert.deepEqual(joined.map((row) => row.time_s), [0, 4, 8, 9, 10, 11]);
  const state = reduce({ ...INITIAL, session: "a" }, { kind: "timeline", session: "a", offset_s: 0, rows: kept, marks: [] });
  assert.equal(state.rows.length, 3);
  assert.equal(reduce(state, { kind: "timeline", session: "b", offset_s: 0, rows: [], marks: [] }), state, "another session's");
});

test("the view is the last minutes or all, a minute at least", () => {
  const made = rows(["House", 120, 400]);
  assert.deepEqual(range(made, 300), { from_s: 100, to_s: 400 });
  assert.deepEqual(range(made, 0), { from_s: 0, to_s: 400 });
  const before = [{ ...made[0], time_s: -500 }, ...made];
  assert.deepEqual(range(before, 0), { from_s: -500, to_s: 400 }, "a set that goes on with one of before");
  assert.deepEqual(range([before[0]], 300), { from_s: -499 - 1, to_s: -440 }, "never before its begin");
  assert.deepEqual(range([], 300), { from_s: 0, to_s: 60 });
});

test("a gap has no row", () => {
  const made = [...rows(["House", 120, 3]), { ...rows(["Jazz", 90, 1])[0], time_s: 20 }];
  assert.equal(rowAt(made, 2.9).time_s, 2);
  assert.equal(rowAt(made, 3.1), null);
  assert.equal(rowAt(made, 20.5).time_s, 20);
});

test("transitions are changes that last; moments and octaves are none", () => {
  const made = rows(["House", 120, 30], ["Jazz", 120, 3], ["House", 240, 30], ["Jazz", 90, 30]);
  assert.deepEqual(
    transitions(made).map(({ time_s, kind, from, to }) => [time_s, kind, from, to]),
    [[63, "genre", "House", "Jazz"], [63, "tempo", "120.0", "90.0"]],
  );
  assert.equal(together(transitions(made)).length, 1);
  assert.deepEqual(transitions([]), []);
});

test("a family has one hue, its members differ a little", () => {
  const hue = (label) => colourOf(label, "dark").split(" ").at(-1);
  assert.equal(hue("Techno"), hue("house"));
  assert.notEqual(hue("Jazz"), hue("Rock"));
  assert.match(colourOf("whatever", "light"), /^oklch\(/);
});

test("latency is known only while sound comes", () => {
  const status = { data: { latency_s: 0.06 }, at: 0, seq: 1 };
  const state = { ...INITIAL, status, movedAt: 1000 };
  assert.ok(Math.abs(latency(state, 1500, 0.1) - 0.16) < 1e-9);
  assert.equal(latency(state, 9000, 0.1), null);
  assert.equal(latency(INITIAL, 0, 0.1), null);
});
