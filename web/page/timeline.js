// @ts-check
/** The session so far as rows, one for each second or longer span: taken over from the server, prolonged by messages. Pure. */

/** @import {Energy, Genre, Key, Score, Tempo, TempoState} from "../client/protocol.js" */

/**
 * @typedef {object} Row
 * @property {number} time_s the second it begins with
 * @property {number} span_s how many seconds it stands for
 * @property {number} bpm 0 without a tempo
 * @property {number} confidence 0..1
 * @property {TempoState} state
 * @property {readonly Score[]} top empty without music
 * @property {string} key "" without one that is clear
 * @property {number | null} energy 0..1, null where it is not known
 * @property {boolean} drop whether one fell
 *
 * @typedef {{time_s: number, text: string}} Moment that somebody marked
 * @typedef {{time_s: number, kind: "tempo" | "genre", from: string, to: string}} Transition
 */

const LONGEST = 6000; // rows; the server sends half of that, a new page asks it again now and then
const LASTS_S = 8; // what is shorter is a moment, not a transition
const ONE_TURN_S = 10;
const SAME_TEMPO = 1.04;

/** @param {unknown} value @returns {value is number} */
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/**
 * Decode what GET /timeline gave; null when it is of another form. `offset_s` leads from its times to those of the set.
 * @param {any} json
 * @returns {{session: string, offset_s: number, rows: Row[], marks: Moment[]} | null}
 */
export function decodeTimeline(json) {
  if (json?.v !== 1 || typeof json.session !== "string") return null;
  const { states, labels, time_s, top } = json;
  const columns = [json.span_s, json.bpm, json.confidence, json.state];
  if (![states, labels, time_s, top, ...columns].every(Array.isArray) || !time_s.every(isNumber)) return null;
  if (![...columns, top].every((column) => column.length === time_s.length) || !columns.flat().every(isNumber)) return null;
  const rows = time_s.map((/** @type {number} */ second, /** @type {number} */ i) => ({
    time_s: second,
    span_s: json.span_s[i],
    bpm: json.bpm[i],
    confidence: json.confidence[i] / 100,
    state: states[json.state[i]] ?? "searching",
    top: scores(top[i], labels),
    key: String(json.keys?.[json.key?.[i]] ?? ""),
    energy: isNumber(json.energy?.[i]) ? json.energy[i] / 100 : null,
    drop: json.drop?.[i] === 1,
  }));
  return { session: json.session, offset_s: isNumber(json.offset_s) ? json.offset_s : 0, rows, marks: moments(json.marks) };
}

/** @param {unknown} marks @returns {Moment[]} */
function moments(marks) {
  const found = Array.isArray(marks) ? marks : [];
  return found.filter((mark) => isNumber(mark?.time_s) && typeof mark.text === "string").map(({ time_s, text }) => ({ time_s, text }));
}

/** @param {unknown} flat label, percent, label, percent, ... @param {readonly string[]} labels @returns {Score[]} */
function scores(flat, labels) {
  if (!Array.isArray(flat)) return [];
  const made = [];
  for (let i = 0; i + 1 < flat.length; i += 2) {
    if (typeof labels[flat[i]] === "string" && isNumber(flat[i + 1])) made.push({ label: labels[flat[i]], p: flat[i + 1] / 100 });
  }
  return made;
}

/**
 * The rows with what came by message; a value that is only held, and what is no music, leaves no row.
 * @param {readonly Row[]} rows
 * @param {{type: "tempo", data: Tempo} | {type: "genre", data: Genre}} message
 * @param {number} time_s
 * @returns {readonly Row[]}
 */
export function prolong(rows, message, time_s) {
  const second = Math.floor(time_s);
  const last = rows.at(-1);
  const rejected = message.type === "genre" && message.data.state === "not_music";
  if (rejected || message.data.age_s > 0 || (last && second < last.time_s)) return rows;
  const open = last?.time_s === second ? last : { ...EMPTY, time_s: second };
  const value = message.type === "tempo" ? tempoOf(message.data) : { top: message.data.top };
  const before = open === last ? rows.slice(0, -1) : rows.slice(-LONGEST);
  return [...before, { ...open, ...value }];
}

/**
 * The rows with more of the present second, if that has a tempo or a genre.
 * @param {readonly Row[]} rows
 * @param {Partial<Row>} more
 * @param {number} time_s
 */
function add(rows, more, time_s) {
  const last = rows.at(-1);
  return last?.time_s === Math.floor(time_s) ? [...rows.slice(0, -1), { ...last, ...more }] : rows;
}

/** The same with its energy, of many values the first. @param {readonly Row[]} rows @param {Energy} energy @param {number} time_s */
export const drive = (rows, { value }, time_s) => (rows.at(-1)?.energy === null ? add(rows, { energy: value }, time_s) : rows);

/** The same with its key, if that is clear. @param {readonly Row[]} rows @param {Key} key @param {number} time_s */
export const tune = (rows, { label, state }, time_s) => (state === "clear" ? add(rows, { key: label }, time_s) : rows);

/** The same with a drop. @param {readonly Row[]} rows @param {number} time_s */
export const drop = (rows, time_s) => add(rows, { drop: true }, time_s);

/** @type {Readonly<Row>} */
const EMPTY = { time_s: 0, span_s: 1, bpm: 0, confidence: 0, state: "searching", top: [], key: "", energy: null, drop: false };

/** @param {Tempo} tempo */
const tempoOf = ({ bpm, confidence, state }) => ({ bpm, confidence, state });

/** The server's rows, and after them what this page has heard since. @param {readonly Row[]} kept @param {readonly Row[]} heard */
export function join(kept, heard) {
  const end_s = kept.at(-1)?.time_s ?? -Infinity;
  return [...kept, ...heard.filter((row) => row.time_s > end_s)];
}

/** The stretch to show: the last `zoom_s` seconds, or all (0), but never less than a minute. @param {readonly Row[]} rows @param {number} zoom_s */
export function range(rows, zoom_s) {
  const last = rows.at(-1);
  const end_s = last ? last.time_s + last.span_s : 0;
  const begin_s = rows[0]?.time_s ?? 0;
  const from_s = zoom_s > 0 ? Math.max(Math.min(0, begin_s), end_s - zoom_s) : begin_s;
  return { from_s, to_s: Math.max(end_s, from_s + 60) };
}

/** The row at a time, or null in a gap. @param {readonly Row[]} rows @param {number} time_s */
export function rowAt(rows, time_s) {
  const row = rows.findLast((one) => one.time_s <= time_s);
  return row && time_s < row.time_s + row.span_s ? row : null;
}

/** What leads at a row; empty when it is no music. @param {Row} row */
export const leader = (row) => row.top[0]?.label ?? "";

/** Whether two tempi are one, or octaves of one. @param {number} a @param {number} b */
function related(a, b) {
  const ratio = Math.max(a, b) / Math.min(a, b);
  return [1, 1.5, 2, 3, 4].some((whole) => Math.max(ratio, whole) / Math.min(ratio, whole) < SAME_TEMPO);
}

/**
 * Where the music turned into other music: another genre or tempo that stayed. Octaves of a tempo are no transition.
 * @param {readonly Row[]} rows
 * @returns {Transition[]} in order
 */
export function transitions(rows) {
  const genres = turns(rows.filter(leader).map((row) => [row, leader(row)]), (a, b) => a === b);
  const tempi = turns(rows.filter((row) => row.bpm > 0 && row.state === "locked").map((row) => [row, row.bpm]), related);
  const all = [
    ...genres.map(({ time_s, from, to }) => ({ time_s, kind: /** @type {const} */ ("genre"), from, to })),
    ...tempi.map(({ time_s, from, to }) => ({ time_s, kind: /** @type {const} */ ("tempo"), from: from.toFixed(1), to: to.toFixed(1) })),
  ];
  return all.sort((a, b) => a.time_s - b.time_s);
}

/** Transitions, each with those soon after it as one: tempo and genre don't turn in the same second. @param {readonly Transition[]} all */
export function together(all) {
  /** @type {Transition[]} */ const kept = [];
  for (const turn of all) if (turn.time_s - (kept.at(-1)?.time_s ?? -Infinity) > ONE_TURN_S) kept.push(turn);
  return kept;
}

/**
 * @template T
 * @param {[Row, T][]} values
 * @param {(a: T, b: T) => boolean} same
 * @returns {{time_s: number, from: T, to: T}[]}
 */
function turns(values, same) {
  const found = [];
  /** @type {T | undefined} */ let now;
  /** @type {{value: T, since_s: number} | null} */ let next = null;
  for (const [row, value] of values) {
    if (now !== undefined && same(now, value)) {
      next = null;
      continue;
    }
    if (!next || !same(next.value, value)) next = { value, since_s: row.time_s };
    if (row.time_s + row.span_s - next.since_s < LASTS_S) continue;
    if (now !== undefined) found.push({ time_s: next.since_s, from: now, to: next.value });
    now = next.value;
    next = null;
  }
  return found;
}
