// @ts-check
/** The loudness meter: the last 3 s in numerals, a bar for the last 0.4 s with a line at the target, and the set so far. */

/** @import {Loudness} from "../client/protocol.js" */
/** @import {Received} from "./state.js" */

import { TARGETS_LUFS } from "./address.js";
import { byId } from "./elements.js";
import * as strings from "./strings.js";

const LOW = -40;
const HIGH = 0;
const NUMBERED = [-40, -30, -20, -10, 0];
const FRESH_MS = 1500; // a loudness older than this is not the present one

/** Where a loudness lies on the scale, in percent from the left. @param {number} lufs */
export const place = (lufs) => (100 * (Math.min(HIGH, Math.max(LOW, lufs)) - LOW)) / (HIGH - LOW);

export class LoudnessMeter {
  #cover = byId("loudness-cover");
  #target = byId("loudness-target");
  #mean = byId("loudness-mean");
  /** @type {{lufs: number, button: HTMLElement}[]} */ #targets;

  /** @param {(target_lufs: number) => void} aim what to do when a viewer chooses another target */
  constructor(aim) {
    byId("loudness-scale").append(...NUMBERED.map((lufs) => {
      const made = document.createElement("i");
      made.textContent = strings.decibels(lufs);
      made.style.left = `${place(lufs)}%`;
      return made;
    }));
    this.#targets = TARGETS_LUFS.map((lufs) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = strings.decibels(lufs);
      button.addEventListener("click", () => aim(lufs));
      return { lufs, button };
    });
    byId("loudness-targets").append(...this.#targets.map(({ button }) => button));
  }

  /**
   * Show what was measured; a loudness that is not there or has grown old has no place on the bar.
   * @param {Received<Loudness> | null} received
   * @param {number} target_lufs
   * @param {boolean} comes whether the analyzer measures it
   * @param {number} now
   */
  show(received, target_lufs, comes, now) {
    const heard = received?.data ?? null;
    const fresh = received !== null && now - received.at < FRESH_MS;
    const mean = heard?.integrated_lufs ?? null;
    write("loudness-value", fresh && heard ? strings.lufs(heard.short_term_lufs) : comes ? strings.NONE : strings.ABSENT.loudness);
    byId("loudness").dataset.state = comes ? (fresh ? "live" : "old") : "absent";
    this.#cover.style.transform = `scaleX(${((100 - place(fresh && heard ? heard.momentary_lufs : LOW)) / 100).toFixed(3)})`;
    this.#target.style.left = `${place(target_lufs)}%`;
    this.#mean.hidden = mean === null;
    if (mean !== null) this.#mean.style.left = `${place(mean)}%`;
    write("loudness-integrated", mean === null ? strings.NONE : strings.againstTarget(mean, target_lufs));
    write("loudness-range", heard && mean !== null ? strings.loudnessUnits(heard.range_lu) : strings.NONE);
    write("loudness-peak", heard && mean !== null ? strings.truePeak(heard.true_peak_dbtp) : strings.NONE);
    byId("loudness-peak").classList.toggle("over", mean !== null && heard !== null && heard.true_peak_dbtp > 0);
    for (const { lufs, button } of this.#targets) button.setAttribute("aria-pressed", String(lufs === target_lufs));
  }
}

/** @param {string} id @param {string} text */
function write(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}
