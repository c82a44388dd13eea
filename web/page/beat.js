// @ts-check
/**
 * The beat: a lamp that lights when the beat is heard, the count, and the bar as dots. Each beat foretells the next one, and
 * no other: so the lamp is on time, and goes out by itself when beats end.
 */

/** @import {Beat, Message} from "../client/protocol.js" */

import { SampleClock } from "../client/clock.js";
import { byId } from "./elements.js";

const LATE_S = 0.12; // what is later would be seen beside the beat
const FRAME_S = 0.012; // from a change to the screen
const GLOW_MS = 320;
const MOST_DOTS = 8; // of a longer bar the count tells enough
const MOST_WAIT = 1.9; // beats after the last one that is known; then the count is taken away
const NO_BEATS = ["silent", "steady", "device_lost", "ended"];

/** The beat that follows, as it is foretold. @param {Beat} beat @returns {Beat} */
function following(beat) {
  const { beat_s, next_s, number, beats_in_bar } = beat;
  return { ...beat, beat_s: next_s, next_s: 2 * next_s - beat_s, number: number && beats_in_bar ? (number % beats_in_bar) + 1 : null };
}

/** Which beat to strike, and when. State: the sample clock, the beat that is expected, and when the last one fell that was struck. */
export class Beats {
  clock = new SampleClock();
  /** @type {Beat | null} */ expected = null;
  #struck_s = -Infinity;

  /** Take note of a message that came at `now_s`; gives a beat to strike at once. @param {Message} message @param {number} now_s @returns {Beat | null} */
  hear(message, now_s) {
    this.clock.hear(message, now_s);
    if (message.type !== "beat") return null;
    const beat = message.data;
    const struck = Math.abs(beat.beat_s - this.#struck_s) < (beat.next_s - beat.beat_s) / 2;
    this.expected = following(beat);
    if (this.wait_s(now_s) < 0) this.expected = following(this.expected);
    return struck || now_s - this.clock.at_s(beat.beat_s) > LATE_S ? null : beat;
  }

  /** Seconds until the expected beat. @param {number} now_s */
  wait_s(now_s) {
    return this.expected ? this.clock.at_s(this.expected.beat_s) - now_s : Infinity;
  }

  /** Strike the expected beat: only the analyzer can tell of the next, for beats may have ended. */
  strike() {
    const beat = this.expected;
    this.expected = null;
    if (beat) this.#struck_s = beat.beat_s;
    return beat;
  }
}

/** Whether a message says that there are no beats. @param {Message} message */
const ends = (message) => message.type === "hello" || (message.type === "status" && NO_BEATS.includes(message.data.state));

/** Beats on the page. */
export class BeatLamp {
  #beats = new Beats();
  #calm;
  #next = 0;
  #rest = 0;
  #root = byId("beat");
  #lamp = byId("beat-lamp");
  #bar = byId("beat-bar");

  /** @param {MediaQueryList} calm whether nothing shall flash or move: then the count alone changes */
  constructor(calm) {
    this.#calm = calm;
  }

  /** Half the round trip to the analyzer. @param {number} seconds */
  set trip_s(seconds) {
    this.#beats.clock.trip_s = seconds;
  }

  /** @param {Message} message */
  hear(message) {
    if (message.type === "hello") this.#root.hidden = !message.data.types.includes("beat");
    if (ends(message)) this.stop();
    const beat = this.#beats.hear(message, performance.now() / 1000);
    if (beat) this.#strike(beat);
    if (message.type === "beat") this.#wait(message.data);
  }

  /** Nobody knows of a next beat any more. */
  stop() {
    clearTimeout(this.#next);
    clearTimeout(this.#rest);
    this.#beats.expected = null;
    this.#show(null);
  }

  /** Wait for the beat after this one, and for what is said of it. @param {Beat} beat */
  #wait({ beat_s, next_s }) {
    const now_s = performance.now() / 1000;
    clearTimeout(this.#next);
    clearTimeout(this.#rest);
    this.#next = setTimeout(() => {
      const beat = this.#beats.strike();
      if (beat) this.#strike(beat);
    }, 1000 * (this.#beats.wait_s(now_s) - FRAME_S));
    this.#rest = setTimeout(() => this.stop(), 1000 * (this.#beats.clock.at_s(beat_s + MOST_WAIT * (next_s - beat_s)) - now_s));
  }

  /** @param {Beat} beat */
  #strike(beat) {
    if (document.hidden) return;
    this.#show(beat);
    if (this.#calm.matches) return;
    const strong = beat.number === 1 ? 1 : 0.7;
    this.#lamp.animate({ opacity: [strong * (0.3 + 0.7 * beat.confidence), 0] }, { duration: GLOW_MS, easing: "ease-out" });
  }

  /** The count, and the dot of this beat. @param {Beat | null} beat null when there is none */
  #show(beat) {
    byId("beat-count").textContent = String(beat?.number ?? "");
    const bar = beat ? (beat.beats_in_bar ?? 0) : this.#bar.childElementCount;
    const dots = bar > MOST_DOTS ? 0 : bar;
    while (this.#bar.childElementCount > dots) this.#bar.lastElementChild?.remove();
    while (this.#bar.childElementCount < dots) this.#bar.append(document.createElement("i"));
    const here = beat && !this.#calm.matches ? beat.number : null;
    [...this.#bar.children].forEach((dot, i) => dot.classList.toggle("here", i + 1 === here));
  }
}
