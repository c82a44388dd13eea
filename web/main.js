// @ts-check
/** Wires the page: socket -> protocol -> state -> one drawing per animation frame, and none while nobody can see it. */

/** @import {SpectrumScale} from "./protocol.js" */

import { frequencyAxis, secondsFor, timeAxis, windows } from "./axes.js";
import { Meter } from "./meter.js";
import { palette, RAMPS } from "./palette.js";
import { decodeBinary, decodeText } from "./protocol.js";
import { Socket } from "./socket.js";
import { Spectrum } from "./spectrum.js";
import { INITIAL, reduce } from "./state.js";
import { byId, View } from "./view.js";

/** @import {Action, State} from "./state.js" */

const TEXT_EVERY_MS = 200; // words and bars: as often as anyone can read them, and to let ages grow

/** @type {State} */
let state = INITIAL;
let frame = 0;
let shownAt = -Infinity;

const view = new View();
const meter = new Meter(byId("meter-cover"), byId("meter-peak"));
const dark = matchMedia("(prefers-color-scheme: dark)");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
/** @type {SpectrumScale} */
let scale = { low_hz: 0, high_hz: 11_025, floor_db: -60, ceil_db: 40, bands: 128, columns_per_s: 50 };
let spectrum = newSpectrum();

/** @param {Action} action */
function dispatch(action) {
  const before = state;
  state = reduce(state, action);
  if (state.hello !== before.hello && state.hello) greet(before.session);
  wake();
}

/** A hello came: take over its scale and the windows of its models. @param {string} sessionBefore */
function greet(sessionBefore) {
  if (!state.hello) return;
  if (JSON.stringify(state.hello.spectrum) !== JSON.stringify(scale)) {
    scale = state.hello.spectrum;
    spectrum = newSpectrum();
  }
  if (state.session !== sessionBefore) spectrum.cut();
  layOut();
}

function newSpectrum() {
  const made = new Spectrum(/** @type {HTMLCanvasElement} */ (byId("spectrum")), scale);
  made.colour(palette(dark.matches ? RAMPS.dark : RAMPS.light));
  made.reduceMotion(calm.matches);
  return made;
}

/** Fit the time axis to the width there is. */
function layOut() {
  const span_s = secondsFor(byId("waterfall").clientWidth);
  spectrum.span(span_s);
  frequencyAxis(byId("frequencies"), scale);
  timeAxis(byId("seconds"), span_s);
  windows(byId("windows"), state.hello?.models ?? [], span_s);
  wake();
}

/** Ask for a frame. A hidden page is given none by the browser. */
function wake() {
  frame ||= requestAnimationFrame(draw);
}

/** @param {number} now */
function draw(now) {
  frame = 0;
  const clock = Math.max(now, performance.now()); // a message may be newer than the frame's own time
  const scrolling = spectrum.draw(now);
  const falling = meter.draw(state.level, clock);
  if (now - shownAt >= TEXT_EVERY_MS) {
    view.show(state, clock);
    shownAt = now;
  }
  if (scrolling || falling) wake();
}

const url = new URL("ws", location.href);
url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
const socket = new Socket(url.href, {
  open: () => dispatch({ kind: "open", at: performance.now() }),
  lost: (wait_s) => dispatch({ kind: "lost", at: performance.now(), wait_s }),
  text: (json) => {
    const message = decodeText(json);
    if (message) dispatch({ kind: "message", at: performance.now(), message });
  },
  binary: (buffer) => {
    const columns = decodeBinary(buffer);
    if (!columns) return;
    spectrum.push(columns);
    dispatch({ kind: "columns", at: performance.now(), seq: columns.seq, time_s: columns.time_s });
  },
});

new ResizeObserver(layOut).observe(byId("waterfall"));
dark.addEventListener("change", () => {
  spectrum.colour(palette(dark.matches ? RAMPS.dark : RAMPS.light));
  wake();
});
calm.addEventListener("change", () => spectrum.reduceMotion(calm.matches));
addEventListener("online", () => socket.retryNow());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  socket.retryNow();
  wake();
});
setInterval(() => document.hidden || wake(), TEXT_EVERY_MS);
wake();
