// @ts-check
/** The axes of the spectrogram: frequencies at its side, seconds below it, and the stretch of sound each model hears. */

/** @import {Model, SpectrumScale} from "../client/protocol.js" */

import { heightOf } from "./mel.js";
import * as strings from "./strings.js";

const FREQUENCIES_HZ = [200, 500, 1000, 2000, 4000, 8000];
const PIXELS_PER_S = 46;
const LONGEST_S = 24;
const SHORTEST_S = 4;

/** How many seconds fit on a picture so wide that they can be told apart. @param {number} width_px */
export const secondsFor = (width_px) => Math.min(LONGEST_S, Math.max(SHORTEST_S, width_px / PIXELS_PER_S));

/** @param {string} name @param {string} text */
function label(name, text) {
  const made = document.createElement("span");
  made.className = name;
  made.textContent = text;
  return made;
}

/** @param {HTMLElement} root @param {SpectrumScale} scale */
export function frequencyAxis(root, scale) {
  const inside = FREQUENCIES_HZ.filter((hz) => hz > scale.low_hz && hz < scale.high_hz);
  root.replaceChildren(
    ...inside.map((hz) => {
      const tick = label("hz", strings.frequency(hz));
      tick.style.bottom = `${(100 * heightOf(hz, scale)).toFixed(2)}%`;
      return tick;
    }),
  );
}

/** @param {HTMLElement} root @param {number} span_s */
export function timeAxis(root, span_s) {
  const ticks = [];
  const every_s = span_s < 8 ? 1 : span_s < 18 ? 2 : 4;
  for (let ago_s = 0; ago_s < span_s - 0.5; ago_s += every_s) {
    const tick = label("ago", ago_s === 0 ? strings.NOW : `−${ago_s}`);
    tick.style.right = `${((100 * ago_s) / span_s).toFixed(2)}%`;
    ticks.push(tick);
  }
  root.replaceChildren(...ticks);
}

/** @param {HTMLElement} root @param {readonly Model[]} models @param {number} span_s */
export function windows(root, models, span_s) {
  root.replaceChildren(
    ...models.filter((model) => model.window_s > 0).map((model) => {
      const bracket = label("window", strings.hears(model.task || model.name, model.window_s));
      bracket.classList.toggle("open", model.window_s > span_s);
      bracket.style.width = `${Math.min(100, (100 * model.window_s) / span_s).toFixed(2)}%`;
      return bracket;
    }),
  );
}
