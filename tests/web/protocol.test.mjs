// The wire as the page reads it: what is well formed comes through, everything else is refused without an error.
import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeBinary, decodeText } from "../../web/client/protocol.js";

const envelope = (type, data, more = {}) => JSON.stringify({ v: 1, type, session: "k3f9", seq: 7, nth: 3, time_s: 63.48, data, ...more });
const TEMPO = { bpm: 127.9, confidence: 0.83, state: "locked", age_s: 0, alternatives: [{ bpm: 63.95, salience: 0.31 }], beats_in_bar: 4, bar_phase: 0.25 };
const BEAT = { beat_s: 63.43, number: 2, beats_in_bar: 4, confidence: 0.9, next_s: 63.9, bpm: 127.9 };

function columns({ bands = 4, count = 3, version = 1, kind = 1, nth = 65_535, seq = 9n, time_s = 12.5, bytes = bands * count } = {}) {
  const buffer = new ArrayBuffer(24 + bytes);
  const view = new DataView(buffer);
  view.setUint8(0, version);
  view.setUint8(1, kind);
  view.setUint16(2, bands, true);
  view.setUint16(4, count, true);
  view.setUint16(6, nth, true);
  view.setBigUint64(8, seq, true);
  view.setFloat64(16, time_s, true);
  new Uint8Array(buffer, 24).forEach((_, i, levels) => (levels[i] = i));
  return buffer;
}

test("a tempo comes through with its place in the session", () => {
  assert.deepEqual(decodeText(envelope("tempo", TEMPO)), { type: "tempo", session: "k3f9", seq: 7, nth: 3, time_s: 63.48, data: TEMPO });
});

test("a key comes through, and none too; one in an unknown state does not", () => {
  const key = { label: "A minor", camelot: "8A", confidence: 0.7, state: "clear", age_s: 0, tuning_cents: -3, top: [{ label: "A minor", p: 0.7 }] };
  assert.deepEqual(decodeText(envelope("key", key)).data, key);
  const none = decodeText(envelope("key", { ...key, label: null, camelot: null, state: "unclear" })).data;
  assert.deepEqual([none.label, none.camelot], ["", ""]);
  assert.equal(decodeText(envelope("key", { ...key, state: "modal" })), null);
});

test("energy and moments come through; without a number, or with an unknown turn, they do not", () => {
  const energy = { value: 0.72, bass_dbfs: -18, onsets_per_s: 4.5, brightness_hz: 912 };
  const moment = { turn: "drop", at_s: 63.4, confidence: 0.9 };
  assert.deepEqual(decodeText(envelope("energy", energy)).data, energy);
  assert.deepEqual(decodeText(envelope("moment", moment)).data, moment);
  assert.equal(decodeText(envelope("energy", { ...energy, value: "high" })), null);
  assert.equal(decodeText(envelope("moment", { ...moment, turn: "twist" })), null);
});

test("loudness comes through, before there is any too; without a number it does not", () => {
  const loudness = { momentary_lufs: -12, short_term_lufs: -13, integrated_lufs: null, range_lu: 0, true_peak_dbtp: -1 };
  for (const data of [loudness, { ...loudness, integrated_lufs: -14 }]) assert.deepEqual(decodeText(envelope("loudness", data)).data, data);
  assert.equal(decodeText(envelope("loudness", { ...loudness, range_lu: "wide" })), null);
});

test("a beat comes through, and one whose bar is unknown too; one without a time does not", () => {
  const unknown = { ...BEAT, number: null, beats_in_bar: null };
  for (const data of [BEAT, unknown]) assert.deepEqual(decodeText(envelope("beat", data)).data, data);
  for (const wrong of [{ beat_s: "now" }, { next_s: undefined }, { number: "2" }]) assert.equal(decodeText(envelope("beat", { ...BEAT, ...wrong })), null);
});

test("unknown fields and types are ignored", () => {
  assert.deepEqual(decodeText(envelope("tempo", { ...TEMPO, swing: 0.6 }, { extra: 1 })).data, TEMPO);
  for (const type of ["replay", "rumour", "__proto__", "constructor", "toString"]) assert.equal(decodeText(envelope(type, {})), null, type);
});

test("hello needs little and gives a scale in Hz", () => {
  const { data } = decodeText(envelope("hello", { feature: { sample_rate_hz: 22_050 }, models: [{ name: "tempo", window_s: 10 }] }));
  assert.equal(data.spectrum.high_hz, 11_025);
  assert.deepEqual(data.models, [{ name: "tempo", version: "", task: "", window_s: 10, first_s: 0 }]);
  assert.equal(decodeText(envelope("hello", {})).data.source.name, "");
});

test("a summary comes through, with nothing found too", () => {
  const found = { tempo: { bpm: 120, confidence: 0.5, alternatives: [] }, genre: { label: "Jazz", confidence: 0.7, scores: { Jazz: 0.7 } } };
  const loudness = { integrated_lufs: -14, range_lu: 4, true_peak_dbtp: -1 };
  const key = { label: "A minor", camelot: "8A", confidence: 0.5 };
  for (const part of [{ ...found, key, loudness }, { tempo: null, genre: null, key: null, loudness: null }]) {
    const data = { duration_s: 9, music: 0.5, drops_s: [3.5], ...part };
    assert.deepEqual(decodeText(envelope("summary", data)).data, data);
  }
  assert.equal(decodeText(envelope("summary", { duration_s: 9, music: 0.5, tempo: {}, genre: null })), null);
});

test("what is malformed is refused", () => {
  const bad = ["", "{", "null", "[]", "1", envelope("tempo", null), envelope("tempo", {}), envelope("tempo", TEMPO, { v: 2 })];
  bad.push(envelope("tempo", { ...TEMPO, bpm: "fast" }), envelope("tempo", { ...TEMPO, state: "asleep" }));
  bad.push(envelope("tempo", { ...TEMPO, alternatives: [null] }), envelope("status", { state: "gone" }), envelope("genre", { label: 3 }));
  for (const json of bad) assert.equal(decodeText(json), null, json);
});

test("columns come through as a view of the frame", () => {
  const { data, ...place } = decodeBinary(columns(), "k3f9");
  assert.deepEqual(place, { type: "spectrum", session: "k3f9", seq: 9, nth: 65_535, time_s: 12.5 });
  assert.deepEqual({ ...data, levels: [...data.levels] }, { bands: 4, columns: 3, levels: [...Array(12).keys()] });
});

test("a binary frame of another kind, version or length is refused", () => {
  const bad = [new ArrayBuffer(0), new ArrayBuffer(23), columns({ version: 2 }), columns({ kind: 2 }), columns({ bytes: 11 })];
  bad.push(columns({ bytes: 13 }), columns({ bands: 0, count: 3 }), columns({ time_s: Number.NaN }));
  for (const buffer of bad) assert.equal(decodeBinary(buffer), null);
});
