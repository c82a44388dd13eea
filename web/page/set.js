// @ts-check
/** The set so far: tempo curve, names and genre ribbon on one canvas, drawn when a row came; a cursor that reads values. */

/** @import {Moment, Row, Transition} from "./timeline.js" */

import { colourOf } from "./families.js";
import { byId } from "./elements.js";
import * as strings from "./strings.js";
import { leader, range, rowAt, together, transitions } from "./timeline.js";

const ZOOMS_S = [300, 1800, 0];
const CURVE = 0.42; // parts of the height: curve, energy below it, then names, then ribbon
const ENERGY = 0.22;
const LEAST_SPREAD = 1.12; // the curve shows at least this ratio of tempi
const GUIDES_BPM = [40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150, 160, 170, 180, 200, 220, 240];
const TICKS_S = [10, 30, 60, 300, 600, 1800, 3600, 7200, 14_400];
const MOST_TICKS = 6;
const STEPS = 60; // of the cursor across the picture


export class SetSoFar {
  #plot = byId("set-plot");
  #canvas = /** @type {HTMLCanvasElement} */ (byId("set-canvas"));
  #context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d"));
  #cursor = byId("set-cursor");
  /** @type {HTMLElement[]} */ #zooms = [];
  #zooms_s;
  /** @type {readonly Row[]} */ #rows = [];
  /** @type {Transition[]} */ #turns = [];
  /** @type {"dark" | "light"} */ #scheme = "dark";
  #zoom_s;
  /** @type {readonly Moment[]} */ #moments = [];
  #offset_s = 0;
  #view = { from_s: 0, to_s: 60 };
  /** @type {number | null} */ #reading_s = null;
  #width = 0;
  #height = 0;
  #inks = { ink: "", mute: "", rule: "", light: "", font: "" };

  /** @param {readonly number[]} zooms_s stretches that can be chosen, in seconds, the first to begin with; 0 is all */
  constructor(zooms_s = ZOOMS_S) {
    this.#zoom_s = zooms_s[0];
    this.#zooms_s = zooms_s;
    this.#zooms = zooms_s.map((zoom_s) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = strings.zoom(zoom_s);
      button.addEventListener("click", () => this.#zoomTo(zoom_s));
      return button;
    });
    byId("set-zoom").append(...this.#zooms);
    this.#zoomTo(this.#zoom_s);
    this.#plot.addEventListener("pointermove", (event) => this.#point(event));
    this.#plot.addEventListener("pointerdown", (event) => this.#point(event));
    this.#plot.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.#read(null));
    this.#plot.addEventListener("blur", () => this.#read(null));
    this.#plot.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Fit the picture to its place. */
  layOut() {
    const { clientWidth, clientHeight } = this.#plot;
    const scale = window.devicePixelRatio;
    this.#width = clientWidth;
    this.#height = clientHeight;
    this.#canvas.width = Math.round(clientWidth * scale);
    this.#canvas.height = Math.round(clientHeight * scale);
    this.#context.setTransform(scale, 0, 0, scale, 0, 0);
    this.#draw();
  }

  /** Take over the colours of the page. @param {"dark" | "light"} scheme */
  colour(scheme) {
    const style = getComputedStyle(this.#plot);
    const of = (/** @type {string} */ name) => style.getPropertyValue(name);
    this.#scheme = scheme;
    this.#inks = { ink: of("--ink"), mute: of("--mute"), rule: of("--rule"), light: of("--light"), font: `${style.fontSize} ${style.fontFamily}` };
    this.#draw();
  }

  /**
   * @param {readonly Row[]} rows
   * @param {readonly Moment[]} marks
   * @param {number} offset_s what to add to their times to get those of the set
   */
  show(rows, marks, offset_s) {
    if (rows === this.#rows && marks === this.#moments) return;
    this.#rows = rows;
    this.#moments = marks;
    this.#offset_s = offset_s;
    this.#turns = transitions(rows);
    this.#draw();
    this.#read(this.#reading_s);
  }

  /** The present energy, or the turn that was just heard; nothing where it does not come. @param {number | null} value @param {string} turn */
  drive(value, turn) {
    const line = byId("energy-now");
    const words = value === null ? "" : turn ? `${strings.energy(value)}, ${strings.TURNS[turn].toLowerCase()}:` : `${strings.energy(value)}:`;
    if (line.textContent === words) return;
    line.textContent = words;
    line.parentElement?.toggleAttribute("hidden", value === null);
  }

  /** @param {number} zoom_s */
  #zoomTo(zoom_s) {
    this.#zoom_s = zoom_s;
    this.#zooms.forEach((button, i) => button.setAttribute("aria-pressed", String(this.#zooms_s[i] === zoom_s)));
    this.#draw();
    this.#read(null);
  }

  /** @param {number} time_s */
  #x(time_s) {
    return (this.#width * (time_s - this.#view.from_s)) / (this.#view.to_s - this.#view.from_s);
  }

  /** The same on the grid of the screen's pixels, so that neighbours touch without a seam. @param {number} time_s */
  #pixel(time_s) {
    return Math.round(this.#x(time_s) * window.devicePixelRatio) / window.devicePixelRatio;
  }

  #draw() {
    if (!this.#width || !this.#height) return;
    this.#view = range(this.#rows, this.#zoom_s);
    this.#context.clearRect(0, 0, this.#width, this.#height);
    this.#context.font = this.#inks.font;
    const rows = this.#rows.filter((row) => row.time_s + row.span_s > this.#view.from_s);
    const em = parseFloat(this.#inks.font) || 12;
    const known = rows.some((row) => row.energy !== null);
    const room = this.#height - 2.2 * em;
    const curveEnd = room * CURVE;
    const energyEnd = room * (CURVE + (known ? ENERGY : 0.08));
    const ribbonStart = energyEnd + 2.2 * em;
    this.#marks();
    this.#curve(rows, em * 0.5, curveEnd);
    if (known) this.#energy(rows, curveEnd + 0.3 * em, energyEnd);
    this.#ribbon(rows, ribbonStart, this.#height);
    this.#names(rows, ribbonStart - 0.75 * em, em);
    this.#ticks();
    this.#flags();
  }

  /** A flag where somebody set a mark, with its text where there is room. */
  #flags() {
    const context = this.#context;
    const em = parseFloat(this.#inks.font) || 12;
    context.textBaseline = "top";
    this.#moments.forEach(({ time_s, text }, i) => {
      const x = Math.round(this.#x(time_s));
      if (x < 0) return;
      const room = (i + 1 < this.#moments.length ? this.#x(this.#moments[i + 1].time_s) : this.#width) - x;
      context.fillStyle = this.#inks.ink;
      context.fillRect(x, 0, 1, this.#height);
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x + 0.6 * em, 0.3 * em);
      context.lineTo(x, 0.6 * em);
      context.fill();
      if (context.measureText(text).width + 0.9 * em < room) context.fillText(text, x + 0.8 * em, 0);
    });
  }

  /** A line where the music turned. */
  #marks() {
    const context = this.#context;
    context.fillStyle = this.#inks.light;
    for (const { time_s } of together(this.#turns)) {
      const x = Math.round(this.#x(time_s));
      if (x <= 1) continue;
      context.globalAlpha = 0.55;
      context.fillRect(x, 0, 1, this.#height);
      context.globalAlpha = 1;
      context.fillRect(x - 2, 0, 5, 4);
    }
  }

  /** @param {readonly Row[]} rows @param {number} top @param {number} bottom */
  #curve(rows, top, bottom) {
    const context = this.#context;
    const tempi = rows.filter((row) => row.bpm > 0);
    if (tempi.length === 0) return;
    const all = tempi.map((row) => row.bpm);
    const [least, most] = [Math.min(...all), Math.max(...all)];
    const spread = Math.max(1.04, Math.sqrt(Math.max(1, (LEAST_SPREAD * least) / most)));
    const [low, high] = [Math.log(least / spread), Math.log(most * spread)];
    const y = (/** @type {number} */ bpm) => bottom - ((bottom - top) * (Math.log(bpm) - low)) / (high - low);
    this.#guides(y, Math.exp(low), Math.exp(high));
    for (const { time_s, span_s, bpm, state } of tempi) {
      const x = this.#pixel(time_s);
      context.fillStyle = state === "locked" ? this.#inks.ink : this.#inks.mute;
      const thick = (state === "locked" ? 0.25 : 0.17) * (parseFloat(this.#inks.font) || 12);
      context.fillRect(x, y(bpm) - thick / 2, Math.max(1.5, this.#pixel(time_s + span_s) - x), thick);
    }
  }

  /** How much it drove, as a filled curve, with a line where a drop fell. @param {readonly Row[]} rows @param {number} top @param {number} bottom */
  #energy(rows, top, bottom) {
    const context = this.#context;
    for (const { time_s, span_s, energy, drop } of rows) {
      const x = this.#pixel(time_s);
      const height = (energy ?? 0) * (bottom - top);
      context.fillStyle = this.#inks.mute;
      context.fillRect(x, bottom - height, Math.max(1, this.#pixel(time_s + span_s) - x), height);
      if (!drop) continue;
      context.fillStyle = this.#inks.light;
      context.fillRect(x - 1, top, 3, bottom - top);
    }
    context.fillStyle = this.#inks.rule;
    context.fillRect(0, bottom, this.#width, 1);
  }

  /** Thin lines at round tempi, as few as can be read. @param {(bpm: number) => number} y @param {number} low @param {number} high */
  #guides(y, low, high) {
    const context = this.#context;
    const inside = GUIDES_BPM.filter((bpm) => bpm > low && bpm < high);
    const every = Math.ceil(inside.length / 3);
    context.textBaseline = "bottom";
    for (const bpm of inside.filter((_, i) => i % every === every - 1 || inside.length === 1)) {
      context.fillStyle = this.#inks.rule;
      context.fillRect(0, Math.round(y(bpm)), this.#width, 1);
      context.fillStyle = this.#inks.mute;
      if (y(bpm) > parseFloat(this.#inks.font)) context.fillText(String(bpm), 0, y(bpm));
    }
  }

  /** @param {readonly Row[]} rows @param {number} top @param {number} bottom */
  #ribbon(rows, top, bottom) {
    const context = this.#context;
    const order = this.#order(rows);
    context.fillStyle = this.#inks.rule;
    context.fillRect(0, bottom - 1, this.#width, 1);
    for (const row of rows) {
      if (!leader(row)) continue;
      const x = this.#pixel(row.time_s);
      const width = Math.max(1, this.#pixel(row.time_s + row.span_s) - x);
      const shares = new Map(row.top.map((score) => [score.label, score.p]));
      let base = bottom;
      for (const [label, colour] of order) {
        const height = (shares.get(label) ?? 0) * (bottom - top);
        if (!height) continue;
        context.fillStyle = colour;
        context.fillRect(x, base - height, width, height);
        base -= height;
      }
    }
  }

  /** Labels from the one that was heard most, with their colours: the stack keeps one order. @param {readonly Row[]} rows @returns {[string, string][]} */
  #order(rows) {
    /** @type {Map<string, number>} */ const sums = new Map();
    for (const row of rows) for (const { label, p } of row.top) sums.set(label, (sums.get(label) ?? 0) + p * row.span_s);
    return [...sums].sort((a, b) => b[1] - a[1]).map(([label]) => [label, colourOf(label, this.#scheme)]);
  }

  /** The name of what leads, from each turn to the next, where there is room. @param {readonly Row[]} rows @param {number} y @param {number} em */
  #names(rows, y, em) {
    const context = this.#context;
    const turns = this.#turns.filter((turn) => turn.kind === "genre" && turn.time_s > this.#view.from_s);
    const past = this.#turns.findLast((turn) => turn.kind === "genre" && turn.time_s <= this.#view.from_s);
    const first = past?.to ?? turns[0]?.from ?? mostOften(rows.map(leader).filter(Boolean));
    const starts = [{ time_s: Math.max(this.#view.from_s, rows[0]?.time_s ?? 0), to: first }, ...turns];
    context.textBaseline = "middle";
    starts.forEach(({ time_s, to }, i) => {
      const x = this.#x(time_s) + (i ? 0.4 * em : 0);
      const room = (i + 1 < starts.length ? this.#x(starts[i + 1].time_s) : this.#width) - x;
      const name = strings.genre(to ?? "");
      if (!name || context.measureText(name).width + 1.2 * em > room) return;
      context.fillStyle = colourOf(to, this.#scheme);
      context.fillRect(x, y - 0.3 * em, 0.6 * em, 0.6 * em);
      context.fillStyle = this.#inks.ink;
      context.fillText(name, x + 0.95 * em, y + 0.04 * em);
    });
  }

  #ticks() {
    const { from_s, to_s } = this.#view;
    const every_s = TICKS_S.find((step) => (to_s - from_s) / step <= MOST_TICKS) ?? 28_800;
    const ticks = [];
    const first_s = Math.ceil((from_s + this.#offset_s) / every_s) * every_s - this.#offset_s;
    for (let time_s = first_s; time_s <= to_s; time_s += every_s) {
      const part = (time_s - from_s) / (to_s - from_s);
      if (part > 0.96) continue;
      const tick = document.createElement("span");
      tick.className = "ago";
      tick.textContent = strings.clock(time_s + this.#offset_s);
      tick.style.right = `${(100 * (1 - part)).toFixed(2)}%`;
      tick.classList.toggle("start", part < 0.04);
      ticks.push(tick);
    }
    byId("set-times").replaceChildren(...ticks);
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const part = (event.clientX - this.#plot.getBoundingClientRect().left) / Math.max(1, this.#width);
    this.#read(this.#view.from_s + Math.min(1, Math.max(0, part)) * (this.#view.to_s - this.#view.from_s));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { from_s, to_s } = this.#view;
    const step = (to_s - from_s) / STEPS;
    const at = this.#reading_s ?? to_s;
    /** @type {Record<string, number | null>} */
    const moves = { ArrowLeft: at - step, ArrowDown: at - step, ArrowRight: at + step, ArrowUp: at + step, Home: from_s, End: to_s, Escape: null };
    moves.PageUp = at + 6 * step;
    moves.PageDown = at - 6 * step;
    if (!(event.key in moves)) return;
    event.preventDefault();
    const next = moves[event.key];
    this.#read(next === null ? null : Math.min(to_s - 0.01, Math.max(from_s, next)));
  }

  /** Read the values at a time, or sum up when nobody points. @param {number | null} time_s */
  #read(time_s) {
    this.#reading_s = time_s;
    const row = time_s === null ? null : rowAt(this.#rows, time_s);
    const words = time_s === null ? strings.changes(together(this.#turns).length) : strings.reading(time_s + this.#offset_s, row);
    byId("set-reading").textContent = words;
    this.#plot.setAttribute("aria-valuemax", String(Math.round(this.#view.to_s)));
    this.#plot.setAttribute("aria-valuenow", String(Math.round(time_s ?? this.#view.to_s)));
    this.#plot.setAttribute("aria-valuetext", words);
    this.#cursor.hidden = time_s === null;
    if (time_s !== null) this.#cursor.style.transform = `translateX(${this.#x(time_s).toFixed(1)}px)`;
  }
}

/** @param {readonly string[]} words */
function mostOften(words) {
  /** @type {Map<string, number>} */ const counts = new Map();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
}
