// @ts-check
/** The tempo dial: a logarithmic scale like a radio's, a needle at the tempo and a tick for each other tempo that fits. */

/** @import {Alternative} from "../client/protocol.js" */

const LOW = 40;
const HIGH = 240;
const NUMBERED = [40, 50, 60, 70, 80, 90, 100, 120, 140, 160, 180, 200, 240];
const ODD = [50, 70, 90, 140, 180]; // left out where it is narrow
const STEP = 5;

/** Where a tempo lies on the dial, in percent from the left; null when it is off the scale. @param {number} bpm */
export function place(bpm) {
  if (bpm < LOW || bpm > HIGH) return null;
  return (100 * Math.log(bpm / LOW)) / Math.log(HIGH / LOW);
}

/** @param {string} name @param {number} bpm @param {string} [text] */
function mark(name, bpm, text = "") {
  const made = document.createElement("i");
  made.className = name;
  made.textContent = text;
  made.style.left = `${(place(bpm) ?? 0).toFixed(3)}%`;
  return made;
}

export class Dial {
  #needle = mark("needle", LOW);
  /** @type {HTMLElement[]} */ #others = [];
  #root;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#root = root;
    for (let bpm = LOW; bpm <= HIGH; bpm += STEP) {
      const numbered = NUMBERED.includes(bpm);
      root.append(mark(numbered ? "tick numbered" : "tick", bpm));
      if (numbered) root.append(mark(ODD.includes(bpm) ? "number odd" : "number", bpm, String(bpm)));
    }
    this.#needle.hidden = true;
    root.append(this.#needle);
  }

  /** @param {number | null} bpm @param {readonly Alternative[]} alternatives */
  show(bpm, alternatives) {
    const at = bpm === null ? null : place(bpm);
    this.#needle.hidden = at === null;
    if (at !== null) this.#needle.style.left = `${at.toFixed(3)}%`;
    for (const old of this.#others) old.remove();
    this.#others = alternatives.filter((other) => place(other.bpm) !== null).map((other) => {
      const tick = mark("other", other.bpm);
      tick.style.setProperty("--salience", Math.min(1, Math.max(0.15, other.salience)).toFixed(2));
      return tick;
    });
    this.#root.append(...this.#others);
  }
}
