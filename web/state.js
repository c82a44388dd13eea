// @ts-check
/**
 * Everything the page knows, as one value that a pure reducer makes from messages; and the questions the view asks of it.
 * `now` and `at` are milliseconds of the browser's clock and only ever measure ages.
 */

/** @import {Genre, Hello, Level, Message, Status, Tempo} from "./protocol.js" */

/**
 * @template T
 * @typedef {{data: T, at: number}} Received a value and when it came
 */

/**
 * @typedef {object} State
 * @property {"connecting" | "open" | "lost"} line
 * @property {number} retryAt when the next attempt to connect comes; meaningful while the line is lost
 * @property {number} lostAt when the line went; meaningful while it is lost
 * @property {string} session
 * @property {number} time_s sample clock of the newest message
 * @property {Hello | null} hello
 * @property {Received<Tempo> | null} tempo
 * @property {Received<Genre> | null} genre
 * @property {Received<Level> | null} level
 * @property {Received<Status> | null} status
 * @property {readonly string[]} slots genre labels in the order of their bars
 * @property {number} clippedAt when clipping was last heard
 */

/**
 * @typedef {{kind: "open", at: number} | {kind: "lost", at: number, wait_s: number}
 *   | {kind: "message", at: number, message: Message}} Action
 *
 * @typedef {"connecting" | "offline" | "device_lost" | "ended" | "starting" | "silent" | "clipping" | "degraded"
 *   | "not_music" | "warming" | "live"} Situation
 */

const SLOTS = 5;
const CLIPPING_SHOWN_MS = 2500;

/** @type {Readonly<State>} */
export const INITIAL = Object.freeze({
  line: "connecting",
  retryAt: 0,
  lostAt: 0,
  session: "",
  time_s: 0,
  hello: null,
  tempo: null,
  genre: null,
  level: null,
  status: null,
  slots: Object.freeze([]),
  clippedAt: -Infinity,
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
      return { ...state, line: "lost", lostAt, retryAt: action.at + action.wait_s * 1000 };
    }
    case "message":
      return receive(state, action.message, action.at);
  }
}

/** @param {State} state @param {Message} message @param {number} at @returns {State} */
function receive(state, message, at) {
  const { session, time_s } = message;
  switch (message.type) {
    case "hello": {
      const known = session === state.session ? state : { ...INITIAL, line: state.line };
      return { ...known, session, hello: message.data };
    }
    case "tempo":
      return { ...state, time_s, tempo: { data: message.data, at } };
    case "genre": {
      const slots = stableSlots(state.slots, message.data.top.map((score) => score.label));
      return { ...state, time_s, slots, genre: { data: message.data, at } };
    }
    case "level":
      return { ...state, time_s, clippedAt: message.data.clipping ? at : state.clippedAt, level: { data: message.data, at } };
    case "status":
      return { ...state, time_s, status: { data: message.data, at } };
  }
}

/**
 * The order of the bars: a label keeps its row for as long as it is among the likeliest, a newcomer takes a row that came free.
 * @param {readonly string[]} before
 * @param {readonly string[]} likeliest best first
 * @returns {readonly string[]}
 */
export function stableSlots(before, likeliest) {
  const wanted = likeliest.slice(0, SLOTS);
  const newcomers = wanted.filter((label) => !before.includes(label));
  if (newcomers.length === 0 && before.length === wanted.length) return before;
  const kept = before.map((label) => (wanted.includes(label) ? label : newcomers.shift())).filter((label) => label !== undefined);
  return [...kept, ...newcomers].slice(0, SLOTS);
}

/**
 * The one thing to say about the whole, worst first.
 * @param {State} state
 * @param {number} now
 * @returns {Situation}
 */
export function situation(state, now) {
  if (state.line === "lost") return "offline";
  const status = state.status?.data.state;
  if (state.line === "connecting" || !status) return "connecting";
  if (status === "device_lost" || status === "ended" || status === "starting" || status === "silent") return status;
  if (now - state.clippedAt < CLIPPING_SHOWN_MS) return "clipping";
  if (status === "degraded" || status === "warming") return status;
  return state.genre && state.genre.data.music < 0.5 ? "not_music" : "live";
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
