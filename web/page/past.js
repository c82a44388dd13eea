// @ts-check
/** Words of the page of past sets, and what the server says of them, decoded. Pure. */

import { bpm, clock, genre, lufs } from "./strings.js";

/**
 * @typedef {{id: number, input: string, kind: string, source: string, started_at: number, duration_s: number, parts: number, marks: number}} About
 * @typedef {{number: number, start_s: number, end_s: number, bpm: number | null, key: string | null, camelot: string | null,
 *   genre: string | null, lufs: number | null, title: string, artist: string}} Part
 * @typedef {{set: About, parts: Part[], marks: {second: number, text: string}[], gaps: {second: number, span_s: number, text: string}[]}} Night
 */

export const NONE_YET = "No set yet. The first begins when the analyzer hears something.";
export const NONE_FOUND = "No set is like that.";
export const OFF = "No set is kept here: the log is off.";
export const LOCKED = "Login needed. Open the login link that the analyzer gave at its start.";
export const FAILED = "The analyzer does not answer. Is it still running?";
export const NOT_NAMED = "The name was not kept.";
export const GIVE_NAME = "Name";
export const TITLE = "Title";
export const ARTIST = "Artist";
export const SAVE = "Save";

/** @param {number} count */
export const found = (count) => (count === 1 ? "One set" : `${count} sets`);

/** @param {About} about */
export const when = ({ started_at }) => new Date(started_at * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

/** @param {About} about */
export function facts({ input, source, parts, marks, duration_s }) {
  const name = input === "main" ? source : `${input}: ${source}`;
  return [name, clock(duration_s), `${parts} parts`, ...(marks ? [`${marks} marks`] : [])].join(", ");
}

/** @param {Part} part */
export const nameOf = ({ title, artist }) => [artist, title].filter(Boolean).join(" - ");

/** The cells of a part before its name. @param {Part} part */
export const cells = (part) => [
  clock(part.start_s),
  clock(part.end_s - part.start_s),
  part.bpm === null ? "" : bpm(part.bpm),
  part.key === null ? "" : `${part.camelot ?? ""} ${part.key}`.trim(),
  genre(part.genre ?? ""),
  part.lufs === null ? "" : lufs(part.lufs),
];

/**
 * Parts, marks and gaps in the order of the set.
 * @param {Night} night
 * @returns {({second: number, part: Part} | {second: number, aside: string})[]}
 */
export function lines({ parts, marks, gaps }) {
  const all = [
    ...parts.map((part) => ({ second: part.start_s, part })),
    ...marks.map(({ second, text }) => ({ second, aside: text ? `Mark: ${text}` : "Mark" })),
    ...gaps.map(({ second, span_s, text }) => ({ second, aside: `Gap of ${clock(span_s)}: ${text}` })),
  ];
  return all.sort((a, b) => a.second - b.second);
}
