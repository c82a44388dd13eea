// @ts-check
/**
 * Everything the page knows, as one value that a pure reducer makes from messages; and the questions the view asks of it.
 * `now` and `at` are milliseconds of the browser's clock and only ever measure ages.
 */

/** @import {Beat, Energy, Genre, Hello, Key, Level, Loudness, Message, Moment as Turning, Silence, Status, Tempo} from "../client/protocol.js" */
/** @import {Moment, Row} from "./timeline.js" */

import { drive, drop, join, prolong, tune } from "./timeline.js";

/**
 * @template T
 * @typedef {{data: T, at: number}} Received a value, and when it came
 */

/**
 * @typedef {object} State
 * @property {"connecting" | "open" | "lost"} line
 * @property {number} retryAt when the next attempt to connect comes; meaningful while the line is lost
 * @property {number} lostAt when the line went; meaningful while it is lost
 * @property {"" | "locked" | "full"} refusal why the analyzer does not let this page in, if that is why there is no line
 * @property {string} session
 * @property {number} time_s sample clock of the newest message
 * @property {number} movedAt when that clock last moved
 * @property {number} skipped messages that this page was too slow to be sent
 * @property {Hello | null} hello
 * @property {Received<Tempo> | null} tempo
 * @property {Received<Beat> | null} beat
 * @property {Received<Genre> | null} genre
 * @property {Received<Key> | null} key
 * @property {Received<Loudness> | null} loudness
 * @property {Received<Energy> | null} energy
 * @property {Received<Turning> | null} moment
 * @property {Received<Level> | null} level
 * @property {Received<Status> | null} status
 * @property {number} clippedAt when clipping was last heard
 * @property {readonly Row[]} rows the set so far, on the sample clock of this session
 * @property {readonly Moment[]} marks of the set, on the same clock
 * @property {number} offset_s where in the set that clock began
 * @property {number} target_lufs this viewer's choice: the loudness that the meter marks
 * @property {number} ratio this viewer's choice: what the shown tempo is to the one that was heard
 */

/**
 * @typedef {{kind: "open", at: number} | {kind: "lost", at: number, wait_s: number, code?: number}
 *   | {kind: "message", at: number, message: Message} | {kind: "gap", missed: number}
 *   | {kind: "timeline", session: string, offset_s: number, rows: readonly Row[], marks: readonly Moment[]} | {kind: "show", ratio: number} | {kind: "aim", target_lufs: number}} Action
 *
 * @typedef {"connecting" | "offline" | "locked" | "full" | "device_lost" | "ended" | "starting" | "silent" | "zeros" | "elsewhere" | "hum" | "tone"
 *   | "noise" | "stalled" | "clipping" | "degraded" | "cancelling" | "not_music" | "warming" | "live"} Situation
 */

const CLIPPING_SHOWN_MS = 2500;
const STALLED_MS = 3000;
/** @type {Situation[]} */
const STEADY = ["hum", "tone", "noise"];
const NEEDS_TOKEN = 1008; // close codes
const COME_LATER = 1013;

/** @type {Record<Silence, Situation>} */
const SILENCES = { none: "silent", quiet: "silent", zeros: "zeros", elsewhere: "elsewhere" };

/** @type {Readonly<State>} */
export const INITIAL = Object.freeze({
  line: "connecting",
  retryAt: 0,
  lostAt: 0,
  refusal: "",
  session: "",
  time_s: 0,
  movedAt: -Infinity,
  skipped: 0,
  hello: null,
  tempo: null,
  beat: null,
  genre: null,
  key: null,
  loudness: null,
  energy: null,
  moment: null,
  level: null,
  status: null,
  clippedAt: -Infinity,
  rows: Object.freeze([]),
  marks: Object.freeze([]),
  offset_s: 0,
  ratio: 1,
  target_lufs: -14,
});

/**
 * The next state; the given one is left as it is.
 * @param {State} state
 * @param {Action} action
 * @returns {State}
 */
export function reduce(state, action) {
  switch (action.kind) {
    case "open":
      return { ...state, line: "open" };
    case "lost": {
      const lostAt = state.line === "lost" ? state.lostAt : action.at;
      const refusal = action.code === NEEDS_TOKEN ? "locked" : action.code === COME_LATER ? "full" : "";
      return { ...state, line: "lost", lostAt, refusal, retryAt: action.at + action.wait_s * 1000 };
    }
    case "message":
      return receive(state, action.message, action.at);
    case "gap":
      return { ...state, skipped: state.skipped + action.missed };
    case "timeline":
      return action.session === state.session ? { ...state, offset_s: action.offset_s, marks: action.marks, rows: join(action.rows, state.rows) } : state;
    case "show":
      return { ...state, ratio: action.ratio };
    case "aim":
      return { ...state, target_lufs: action.target_lufs };
  }
}

/** @param {State} state @param {number} time_s @param {number} at */
function clock(state, time_s, at) {
  return time_s > state.time_s ? { time_s, movedAt: at } : {};
}

/** @param {State} state @param {Message} message @param {number} at @returns {State} */
function receive(state, message, at) {
  const { type, session } = message;
  if (type === "hello") {
    const known = session === state.session ? state : { ...INITIAL, line: state.line, ratio: state.ratio, target_lufs: state.target_lufs };
    return { ...known, session, refusal: "", hello: message.data };
  }
  return { ...state, ...clock(state, message.time_s, at), ...value(state, message, at) };
}

/** What a message changes. @param {State} state @param {Exclude<Message, {type: "hello"}>} message @param {number} at @returns {Partial<State>} */
function value(state, message, at) {
  switch (message.type) {
    case "tempo":
      return { tempo: { data: message.data, at }, rows: prolong(state.rows, message, message.time_s) };
    case "genre":
      return { genre: { data: message.data, at }, rows: prolong(state.rows, message, message.time_s) };
    case "key":
      return { key: { data: message.data, at }, rows: tune(state.rows, message.data, message.time_s) };
    case "loudness":
      return { loudness: { data: message.data, at } };
    case "energy":
      return { energy: { data: message.data, at }, rows: drive(state.rows, message.data, message.time_s) };
    case "moment":
      return { moment: { data: message.data, at }, rows: message.data.turn === "drop" ? drop(state.rows, message.time_s) : state.rows };
    case "level":
      return { clippedAt: message.data.clipping ? at : state.clippedAt, level: { data: message.data, at } };
    case "status":
      return { status: { data: message.data, at } };
    case "beat":
      return { beat: { data: message.data, at } };
    case "mark":
      return { marks: [...state.marks, { time_s: message.time_s, text: message.data.text }] };
    case "spectrum":
    case "summary":
      return {};
  }
}

/**
 * The one thing to say about the whole, worst first.
 * @param {State} state
 * @param {number} now
 * @returns {Situation}
 */
export function situation(state, now) {
  const status = state.status?.data.state;
  if (state.line === "lost") return state.refusal || (status === "ended" ? "ended" : "offline");
  if (state.line === "connecting" || !status) return state.refusal || "connecting";
  if (status === "device_lost" || status === "ended" || status === "starting") return status;
  if (now - state.movedAt > STALLED_MS) return "stalled";
  if (status === "silent") return SILENCES[state.status?.data.silence ?? "none"];
  if (now - state.clippedAt < CLIPPING_SHOWN_MS) return "clipping";
  if (status === "steady") return STEADY.find((sound) => state.status?.data.detail.includes(sound)) ?? "noise";
  if (status === "degraded" || status === "warming" || status === "cancelling") return status;
  return state.genre?.data.state === "not_music" ? "not_music" : "live";
}

/**
 * Seconds from a sound to what the page shows of it, or null while no sound comes: what the analyzer measured and what this
 * page adds.
 * @param {State} state
 * @param {number} now
 * @param {number} here_s
 */
export function latency({ status, movedAt }, now, here_s) {
  return status && status.data.latency_s > 0 && now - movedAt < STALLED_MS ? status.data.latency_s + here_s : null;
}

/**
 * Seconds since the sound last supported a value: what the analyzer said, and what has passed since it said so.
 * The first second and a half after a message counts as nothing, for that is how far apart messages come.
 * @param {Received<{age_s: number}>} received
 * @param {number} now
 */
export function age_s(received, now) {
  const waited_s = (now - received.at) / 1000;
  return received.data.age_s + (waited_s > 1.5 ? waited_s : 0);
}

/** Whether the analyzer has what it takes to say it. @param {State} state @param {string} type */
export const comes = ({ hello }, type) => !hello?.types.length || hello.types.includes(type);
