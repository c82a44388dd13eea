// The reducer and the questions asked of it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { age_s, INITIAL, reduce, situation } from "../../web/page/state.js";

const GENRE = { label: "House", confidence: 0.7, state: "music", age_s: 0, music: 0.98, top: ["House", "Techno", "Disco"].map((label) => ({ label, p: 0.3 })) };
const TEMPO = { bpm: 128, confidence: 0.8, state: "locked", age_s: 0, alternatives: [] };
const LEVEL = { rms_dbfs: -20, peak_dbfs: -6, clipping: false };
const status = (state) => ({ state, detail: "", lag_s: 0, lost_s: 0, nonfinite: 0, clients: 1 });

/** Play [type, data, at, more] into a page whose line is open. */
function play(...messages) {
  let state = reduce(INITIAL, { kind: "open", at: 0 });
  let seq = 0;
  for (const [type, data, at, more] of messages) {
    const message = { type, data, session: "a", seq: type === "hello" ? 0 : ++seq, time_s: 10 + at / 1000, ...more };
    state = reduce(state, { kind: "message", at, message });
  }
  return state;
}

test("a state is never changed, only followed by another", () => {
  const frozen = Object.freeze(play(["status", status("live"), 0]));
  assert.notEqual(reduce(frozen, { kind: "lost", at: 5, wait_s: 1 }), frozen);
  assert.equal(frozen.line, "open");
});

test("the worst is said first", () => {
  const clipped = ["level", { ...LEVEL, clipping: true }, 100];
  const speech = ["genre", { ...GENRE, state: "not_music" }, 100];
  const cases = [
    ["connecting", INITIAL],
    ["connecting", play()],
    ["live", play(["status", status("live"), 100])],
    ["warming", play(["status", status("warming"), 100])],
    ["silent", play(["status", status("silent"), 100], speech)],
    ["clipping", play(["status", status("degraded"), 100], clipped, speech)],
    ["degraded", play(["status", status("degraded"), 100], speech)],
    ["not_music", play(["status", status("live"), 100], speech)],
    ["cancelling", play(["status", status("cancelling"), 100], speech)],
    ["hum", play(["status", { ...status("steady"), detail: "only a hum that does not move: no music" }, 100], speech)],
    ["tone", play(["status", { ...status("steady"), detail: "only a tone that does not move: no music" }, 100])],
    ["noise", play(["status", status("steady"), 100])],
    ["clipping", play(["status", status("steady"), 100], clipped)],
    ["device_lost", play(["status", status("device_lost"), 100], clipped)],
    ["offline", reduce(play(["status", status("device_lost"), 100]), { kind: "lost", at: 100, wait_s: 1 })],
    ["ended", reduce(play(["status", status("ended"), 100]), { kind: "lost", at: 100, wait_s: 1 })],
    ["locked", reduce(play(), { kind: "lost", at: 100, wait_s: 1, code: 1008 })],
    ["full", reduce(play(["status", status("live"), 100]), { kind: "lost", at: 100, wait_s: 1, code: 1013 })],
  ];
  for (const [expected, state] of cases) assert.equal(situation(state, 200), expected);
});

test("clipping is shown for a while after it was heard", () => {
  const state = play(["status", status("live"), 0], ["level", { ...LEVEL, clipping: true }, 0], ["level", LEVEL, 1900]);
  assert.equal(situation(state, 2000), "clipping");
  assert.equal(situation(state, 3000), "live");
});

test("a clock that stands still is no live sound", () => {
  const state = play(["status", status("live"), 0]);
  assert.equal(situation(state, 2900), "live");
  assert.equal(situation(state, 3100), "stalled");
  const repeated = reduce(state, { kind: "message", at: 3000, message: { type: "status", session: "a", seq: 5, time_s: 10, data: status("live") } });
  assert.equal(situation(repeated, 3100), "stalled");
});

test("age is what the analyzer said and what has passed since", () => {
  const { tempo } = play(["tempo", { ...TEMPO, age_s: 2 }, 1000]);
  assert.equal(age_s(tempo, 1500), 2);
  assert.equal(age_s(tempo, 5000), 6);
});

test("another session starts from nothing", () => {
  const state = play(["hello", {}, 0], ["tempo", TEMPO, 10], ["genre", GENRE, 10], ["hello", {}, 20, { session: "b" }]);
  assert.deepEqual([state.tempo, state.genre, state.session, state.line], [null, null, "b", "open"]);
});

test("skipped messages are counted", () => {
  const state = [3, 4].reduce((before, missed) => reduce(before, { kind: "gap", missed }), play());
  assert.equal(state.skipped, 7);
});
