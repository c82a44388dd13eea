// @ts-check
/** Every word on the page that code puts there. */

/** @import {Situation} from "./state.js" */
/** @import {TempoState} from "./protocol.js" */

/** @type {Record<Situation, {title: string, advice: string, tone: "calm" | "wait" | "warn" | "alarm"}>} */
export const SITUATIONS = {
  connecting: { tone: "wait", title: "Connecting", advice: "Looking for the analyzer." },
  offline: { tone: "alarm", title: "No connection", advice: "The analyzer does not answer. Is it still running?" },
  device_lost: { tone: "alarm", title: "Device lost", advice: "Reconnecting by itself. Check the cable." },
  ended: { tone: "warn", title: "Ended", advice: "The sound has come to its end. Start the analyzer again for more." },
  starting: { tone: "wait", title: "Starting", advice: "Opening the sound." },
  silent: { tone: "warn", title: "Too quiet", advice: "Nothing to hear. Turn the input up or choose another device." },
  stalled: { tone: "alarm", title: "No sound arrives", advice: "The source is open and sends nothing. Is it paused?" },
  clipping: { tone: "warn", title: "Clipping", advice: "The sound is cut off at the top. Turn the input down." },
  degraded: { tone: "warn", title: "Audio dropped", advice: "Some sound was lost. The numbers settle within a few seconds." },
  not_music: { tone: "warn", title: "Not music", advice: "This does not sound like music. Tempo and genre may mean nothing." },
  warming: { tone: "wait", title: "Listening", advice: "The first tempo and genre come after a few seconds of sound." },
  live: { tone: "calm", title: "Live", advice: "" },
};

/** @type {Record<TempoState, string>} */
export const TEMPO_STATES = {
  searching: "Searching",
  locked: "Locked",
  holding: "Holding",
  unsteady: "Unsteady",
};

/** @type {Record<string, string>} */
const SOURCES = { demo: "Demo set", file: "File", device: "Sound device", stdin: "Standard input" };

/** Ratios of another tempo to the shown one, and their names. @type {readonly (readonly [number, string])[]} */
const RELATIONS = [
  [1 / 3, "a third"],
  [1 / 2, "half"],
  [2 / 3, "two thirds"],
  [3 / 4, "three quarters"],
  [4 / 3, "four thirds"],
  [3 / 2, "three halves"],
  [2, "double"],
  [3, "triple"],
];

/** Genres whose name is more than their label with a capital letter. @type {Record<string, string>} */
const GENRES = { hiphop: "Hip-Hop", "hip-hop": "Hip-Hop", rnb: "R&B", "drum and bass": "Drum & Bass" };

/** @param {string} label */
export const genre = (label) => GENRES[label] ?? label.charAt(0).toUpperCase() + label.slice(1);

export const UNSURE = "Not sure yet";
export const NONE = "–";
export const NOW = "now";

/** @param {number} bpm */
export const bpm = (bpm) => bpm.toFixed(1);

/** @param {number} part 0..1 */
export const percent = (part) => `${Math.round(100 * part)}\u00a0%`;

/** @param {number} part 0..1 */
export const sure = (part) => `${percent(part)} sure`;

/** @param {number} seconds */
export function age(seconds) {
  if (seconds < 1) return "heard just now";
  if (seconds < 60) return `heard ${Math.floor(seconds)}\u00a0s ago`;
  return `heard ${Math.floor(seconds / 60)}\u00a0min ago`;
}

/** @param {number} part */
export const music = (part) => `${percent(part)} music`;

/** What another tempo is to the shown one. @param {number} other @param {number} shown */
export function relation(other, shown) {
  const ratio = other / shown;
  const known = RELATIONS.find(([value]) => Math.abs(ratio / value - 1) < 0.03);
  return known ? known[1] : "or";
}

/** A length of time as minutes and seconds, with hours when there are any. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const minutes = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return whole < 3600 ? minutes : `${Math.floor(whole / 3600)}:${minutes}`;
}

/** @param {number} seconds */
export const seconds = (seconds) => `${seconds.toFixed(seconds < 10 ? 1 : 0)}\u00a0s`;

/** @param {number} first_s seconds of sound until every model has given its first answer */
export const first = (first_s) => `The first tempo and genre come after ${Math.ceil(first_s)}\u00a0s of sound.`;

/** @param {number} wait_s */
export const retry = (wait_s) => (wait_s >= 1 ? `Trying again in ${Math.ceil(wait_s)}\u00a0s.` : "Trying again.");

/** @param {{kind: string, name: string}} source */
export function source({ kind, name }) {
  const word = SOURCES[kind] ?? kind;
  return name && name !== kind ? `${word}: ${name}` : word;
}

/** @param {{rate_hz: number, channels: number}} source */
export function format({ rate_hz, channels }) {
  if (!rate_hz) return NONE;
  const layout = channels === 1 ? "mono" : channels === 2 ? "stereo" : `${channels} channels`;
  return `${rate_hz / 1000}\u00a0kHz ${layout}`;
}

/** @param {string} task @param {number} window_s */
export const hears = (task, window_s) => `${task} hears ${Math.round(window_s)}\u00a0s`;

/** @param {number} db */
export const decibels = (db) => db.toFixed(0).replace("-", "−");

/** @param {number} hz */
export const frequency = (hz) => (hz < 1000 ? String(hz) : `${hz / 1000}k`);

/** One sentence for a screen reader. @param {string} title @param {string} advice @param {number | null} tempo @param {string} genre */
export function spoken(title, advice, tempo, genre) {
  const numbers = tempo === null ? [] : [`${bpm(tempo)} beats per minute`];
  return [`${title}.`, advice, [...numbers, genre].filter(Boolean).join(", ")].filter(Boolean).join(" ");
}
