// @ts-check
/**
 * When a moment of the sample clock, such as a beat's `next_s`, is heard on this machine's own clock:
 *
 *     clock.hear(message, performance.now() / 1000); // each that comes
 *     setTimeout(flash, 1000 * (clock.at_s(message.data.next_s) - performance.now() / 1000));
 *
 * A message comes after the end of its sound, never too early and now and then late: so the one of the last seconds that
 * came earliest tells how the clocks stand. What the analyzer itself took, its status says.
 */

/** @import {Received} from "./client.js" */

const STEP_S = 0.1;
const LOOKS_BACK_S = 3;

export class SampleClock {
  /** Half the round trip to the analyzer, if it is known. */ trip_s = 0;
  /** Messages that may be the earliest, that one first: when each came, and how long after its sound. @type {[number, number][]} */
  #leads = [];
  #latency_s = 0;

  /** Take note of a message that came at `now_s`. @param {Received} message @param {number} now_s */
  hear(message, now_s) {
    if (message.type === "lost" || message.type === "gap") return;
    if (message.type === "hello") this.#leads = []; // it may begin a session, and with it another sample clock
    if (message.type === "status") this.#latency_s = message.data.latency_s;
    if (message.type === "hello" || message.time_s <= 0) return;
    const lead_s = now_s - message.time_s;
    this.#leads = this.#leads.filter(([at_s, other_s]) => other_s < lead_s && at_s >= now_s - LOOKS_BACK_S);
    this.#leads.push([now_s, lead_s]);
  }

  /** When the sound of `time_s` comes to the analyzer, or came; infinity before any message. @param {number} time_s */
  at_s(time_s) {
    // What is measured begins, on average, in the middle of a step; the sound of `time_s` is at its end.
    const took_s = Math.max(0, this.#latency_s - STEP_S / 2);
    return this.#leads.length ? this.#leads[0][1] + time_s - took_s - this.trip_s : Infinity;
  }
}
