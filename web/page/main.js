// @ts-check
/**
 * Wires the page: client -> state -> one drawing in the animation frame after something came, none while nobody
 * can see it. Between two of them the browser's compositor scrolls the spectrogram by itself.
 */

/** @import {Received} from "../client/client.js" */
/** @import {SpectrumScale} from "../client/protocol.js" */
/** @import {Action, State} from "./state.js" */

import { inputOf, ratioOf, targetOf, withInput, withRatio, withTarget } from "./address.js";
import { frequencyAxis, secondsFor, timeAxis, windows } from "./axes.js";
import { Follower, Stream, TYPES } from "../client/client.js";
import { BeatLamp } from "./beat.js";
import { Details } from "./details.js";
import { byId } from "./elements.js";
import { Inputs } from "./inputs.js";
import { LoudnessMeter } from "./loudness.js";
import { Meter } from "./meter.js";
import { palette, RAMPS } from "./palette.js";
import { SetSoFar } from "./set.js";
import { Spectrum } from "./spectrum.js";
import { comes, INITIAL, latency, reduce } from "./state.js";
import { marking } from "./mark.js";
import { PAGE } from "./strings.js";
import { decodeTimeline } from "./timeline.js";
import { View } from "./view.js";

const TEXT_EVERY_MS = 200; // words and bars: as often as anyone can read them, and to let ages grow
const FRESH_MS = 1500; // a value that comes ten times a second is old then
const TURN_SHOWN_MS = 6000;
const TIMELINE_EVERY_MS = 600_000; // the server's rows are thinned with age, this page's own are not

for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-t]"))) {
  element.textContent = PAGE[element.dataset.t ?? ""];
}
for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-label]"))) {
  element.setAttribute("aria-label", PAGE[element.dataset.label ?? ""]);
}

/** @type {State} */
let state = { ...INITIAL, ratio: ratioOf(location.search), target_lufs: targetOf(location.search) };
let frame = 0;
let shownAt = -Infinity;
let soundSeen = true; // some views have neither spectrogram nor meter
let wire_s = 0; // half the shortest round trip to the server

const view = new View((ratio) => {
  history.replaceState(null, "", location.pathname + withRatio(location.search, ratio));
  dispatch({ kind: "show", ratio });
}, (channel) => stream.listenTo(channel));
const loudness = new LoudnessMeter((target_lufs) => {
  history.replaceState(null, "", location.pathname + withTarget(location.search, target_lufs));
  dispatch({ kind: "aim", target_lufs });
});
const inputs = new Inputs((name) => {
  history.replaceState(null, "", location.pathname + withInput(location.search, name));
  stream.close();
  stream = listen();
});
const details = new Details();
const set = new SetSoFar();
const meter = new Meter(byId("meter-cover"), byId("meter-peak"));
const dark = matchMedia("(prefers-color-scheme: dark)");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const lamp = new BeatLamp(calm);
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

/** A hello came: take over its scale, the windows of its models, and what was before. @param {string} sessionBefore */
function greet(sessionBefore) {
  if (!state.hello) return;
  if (JSON.stringify(state.hello.spectrum) !== JSON.stringify(scale)) {
    scale = state.hello.spectrum;
    spectrum.stop();
    spectrum = newSpectrum();
  }
  if (state.session !== sessionBefore) spectrum.cut();
  inputs.set(state.hello.inputs, state.hello.input);
  layOut();
  void recall();
}

/** Ask the server for the set so far. A server that has none, or has just gone, is no trouble: rows come by message too. */
async function recall() {
  try {
    const asked = performance.now();
    const name = inputOf(location.search);
    const answer = await fetch(name === undefined ? "timeline" : `timeline?${new URLSearchParams({ input: name })}`);
    const trip_s = (performance.now() - asked) / 1000;
    lamp.trip_s = wire_s = wire_s ? Math.min(wire_s, trip_s / 2) : trip_s / 2;
    const timeline = answer.ok ? decodeTimeline(await answer.json()) : null;
    if (timeline) dispatch({ kind: "timeline", ...timeline });
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
  }
}

function newSpectrum() {
  const made = new Spectrum(/** @type {HTMLCanvasElement} */ (byId("spectrum")), scale);
  made.colour(palette(dark.matches ? RAMPS.dark : RAMPS.light));
  made.reduceMotion(calm.matches);
  return made;
}

/** Fit the time axes to the width there is. */
function layOut() {
  soundSeen = byId("waterfall").clientWidth > 0;
  const span_s = secondsFor(byId("waterfall").clientWidth);
  spectrum.span(span_s);
  frequencyAxis(byId("frequencies"), scale);
  timeAxis(byId("seconds"), span_s);
  windows(byId("windows"), state.hello?.models ?? [], span_s);
  set.layOut();
  wake();
}

function recolour() {
  const scheme = dark.matches ? "dark" : "light";
  spectrum.colour(palette(RAMPS[scheme]));
  set.colour(scheme);
  view.colour(scheme);
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
  if (soundSeen) {
    spectrum.draw();
    meter.draw(state.level, clock);
  }
  if (now - shownAt < TEXT_EVERY_MS - 20) return;
  const latency_s = latency(state, clock, wire_s + spectrum.behind_s);
  view.show(state, clock, latency_s);
  inputs.show(clock, state);
  details.show(state, latency_s);
  loudness.show(state.loudness, state.target_lufs, comes(state, "loudness"), clock);
  set.show(state.rows, state.marks, state.offset_s);
  set.drive(state.energy && clock - state.energy.at < FRESH_MS ? state.energy.data.value : null, turned(clock));
  shownAt = now;
}

/** The turn of the music that was heard of late, if there was one. @param {number} clock */
const turned = (clock) => (state.moment && clock - state.moment.at < TURN_SHOWN_MS ? state.moment.data.turn : "");

let stream = listen();

/** Follow the input that the address asks for. */
function listen() {
  const follower = new Follower({ resume: false }); // what was meanwhile is told by /timeline
  return new Stream(new URL("ws", location.href).href, {
    open: () => dispatch({ kind: "open", at: performance.now() }),
    lost: (wait_s, _reason, code) => {
      lamp.stop();
      dispatch({ kind: "lost", at: performance.now(), wait_s, code });
    },
    message: (message) => {
      for (const event of follower.follow(message)) receive(event);
    },
  }, { types: TYPES, input: inputOf(location.search), resume: false });
}

/** @param {Received} event */
function receive(event) {
  if (event.type === "lost") return;
  if (event.type === "gap") {
    dispatch({ kind: "gap", missed: event.data.missed ?? 0 });
    return;
  }
  lamp.hear(event);
  if (event.type === "spectrum") spectrum.push(event);
  dispatch({ kind: "message", at: performance.now(), message: event });
}

const places = new ResizeObserver(layOut);
places.observe(byId("waterfall"));
places.observe(byId("set-plot"));
dark.addEventListener("change", recolour);
calm.addEventListener("change", () => spectrum.reduceMotion(calm.matches));
addEventListener("online", () => stream.retryNow());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  stream.retryNow();
  wake();
});
marking(byId("mark"), () => inputOf(location.search));
setInterval(() => document.hidden || wake(), TEXT_EVERY_MS);
setInterval(recall, TIMELINE_EVERY_MS);
recolour();
