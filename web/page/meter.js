// @ts-check
/** The level meter: a fast rise, a calm fall, and a peak that is held before it drops. Times in s, levels in dBFS. */

/** @import {Level} from "../client/protocol.js" */

export const FLOOR_DB = -60;
const FALL_DB_PER_S = 26;
const HOLD_S = 1.6;
const PEAK_FALL_DB_PER_S = 18;
const HOLD_FRESH_S = 0.5; // a level older than this is not the present level

/** @typedef {{rms: number, peak: number, peakAge_s: number}} Needle */

/** @type {Readonly<Needle>} */
export const RESTING = Object.freeze({ rms: FLOOR_DB, peak: FLOOR_DB, peakAge_s: 0 });

/**
 * Where the meter stands `elapsed_s` later. Pure.
 * @param {Needle} needle
 * @param {Level | null} level what is heard now
 * @param {number} elapsed_s
 * @returns {Needle}
 */
export function move(needle, level, elapsed_s) {
  const heard = level ?? { rms_dbfs: FLOOR_DB, peak_dbfs: FLOOR_DB };
  const rms = Math.max(FLOOR_DB, heard.rms_dbfs, needle.rms - FALL_DB_PER_S * elapsed_s);
  const peakAge_s = needle.peakAge_s + elapsed_s;
  const fallen = peakAge_s > HOLD_S ? needle.peak - PEAK_FALL_DB_PER_S * elapsed_s : needle.peak;
  if (heard.peak_dbfs >= fallen) return { rms, peak: Math.max(FLOOR_DB, heard.peak_dbfs), peakAge_s: 0 };
  return { rms, peak: Math.max(FLOOR_DB, fallen), peakAge_s };
}

/** Fraction of the scale, 0 at the floor and 1 at full scale. @param {number} dbfs */
const place = (dbfs) => Math.min(1, Math.max(0, 1 - dbfs / FLOOR_DB));

/** The meter on the page: a full bar, a cover drawn back from it, and a line, moved in steps like a row of lamps. */
export class Meter {
  #cover;
  #peak;
  #needle = RESTING;
  #lastFrame = 0;

  /** @param {HTMLElement} cover @param {HTMLElement} peak */
  constructor(cover, peak) {
    this.#cover = cover;
    this.#peak = peak;
  }

  /**
   * Draw the meter at `now` (ms).
   * @param {{data: Level, at: number} | null} received
   * @param {number} now
   * @returns {boolean} whether it still moves
   */
  draw(received, now) {
    const elapsed_s = Math.min(0.5, Math.max(0, (now - this.#lastFrame) / 1000));
    this.#lastFrame = now;
    const fresh = received && now - received.at < HOLD_FRESH_S * 1000 ? received.data : null;
    this.#needle = move(this.#needle, fresh, elapsed_s);
    this.#cover.style.transform = `scaleY(${(1 - place(this.#needle.rms)).toFixed(3)})`;
    this.#peak.style.transform = `translateY(${(100 * (1 - place(this.#needle.peak))).toFixed(1)}%)`;
    return this.#needle.peak > FLOOR_DB;
  }
}
