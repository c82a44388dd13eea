// @ts-check
/**
 * The scrolling spectrogram: a strip of columns, painted once each, that the browser's compositor moves by itself, so that
 * the page has work only when columns come. Playback runs a little behind what has arrived, for columns come in bunches;
 * its speed follows the analyzer's clock.
 */

/** @import {Spectrum as Columns, SpectrumScale} from "../client/protocol.js" */

const KEPT_S = 26;
const AHEAD_S = 20; // room on the strip for what is to come; then it starts anew
const BEHIND_S = 0.16; // playback delay: one and a half bunches of columns
const JUMP_S = 0.6;
const SLACK_S = 0.2; // frames and the steps they come in don't end together; more than this apart is a gap
const OFF_COLUMNS = 2.5; // so much too early or late, on average, changes the speed
const SPEED_PER_COLUMN = 0.01;
const MOST_SPEED = 0.1;
const AVERAGED = 0.1;
const SHOWN_DB = [-45, 34]; // between the first and the last colour
const CONTRAST = 1.6; // above 1 keeps the background dark without hiding what is faint

export class Spectrum {
  #canvas;
  #context;
  #scale;
  #capacity;
  #levels;
  #heard; // 1 where a column was received, 0 in a gap
  #pixels = new Uint32Array(256);
  #visible = 0; // columns over the width
  #head = 0; // columns since the start; the ring holds the last `capacity`
  #painted = 0;
  #origin = 0; // the column at the left end of the strip
  #expected_s = Number.NaN; // the sample clock at the head
  /** @type {Animation | null} */ #motion = null;
  #running = false;
  #still = 0; // the column at the right edge while nothing moves
  #off = 0;
  #timer = 0;
  #reducedMotion = false;

  /** @param {HTMLCanvasElement} canvas @param {SpectrumScale} scale */
  constructor(canvas, scale) {
    this.#canvas = canvas;
    this.#context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.#scale = scale;
    this.#capacity = Math.ceil(KEPT_S * scale.columns_per_s);
    this.#levels = new Uint8Array(this.#capacity * scale.bands);
    this.#heard = new Uint8Array(this.#capacity);
  }

  /** Let go of the canvas: another takes its place. */
  stop() {
    clearTimeout(this.#timer);
    this.#motion?.cancel();
  }

  /** Seconds that the newest column waits before it is seen. */
  get behind_s() {
    return Math.max(0, this.#head - this.#shown()) / this.#scale.columns_per_s;
  }

  /** Show the last `seconds` over the width. @param {number} seconds */
  span(seconds) {
    const visible = Math.min(this.#capacity - 60, Math.round(seconds * this.#scale.columns_per_s));
    if (visible === this.#visible) return;
    const shown = this.#shown();
    this.#visible = visible;
    this.#canvas.width = this.#visible + AHEAD_S * this.#scale.columns_per_s;
    this.#canvas.height = this.#scale.bands;
    this.#canvas.style.width = `${(100 * this.#canvas.width) / this.#visible}%`;
    this.#startAt(shown);
    this.draw();
  }

  /** Use these colours from the quietest to the loudest, for all that is shown. @param {Uint32Array} palette */
  colour(palette) {
    const { floor_db, ceil_db } = this.#scale;
    const [low, high] = SHOWN_DB;
    this.#pixels = palette.map((_, level) => {
      const db = floor_db + (level / 255) * (ceil_db - floor_db);
      const part = Math.min(1, Math.max(0, (db - low) / (high - low)));
      return palette[Math.round(255 * part ** CONTRAST)];
    });
    this.#painted = this.#origin;
  }

  /** Step once a second instead of scrolling. @param {boolean} reduced */
  reduceMotion(reduced) {
    this.#reducedMotion = reduced;
    this.#startAt(this.#shown());
  }

  /** Take in columns; audio that is missing between them becomes a gap of its length. @param {{time_s: number, data: Columns}} message */
  push({ time_s, data: { bands, columns, levels } }) {
    if (bands !== this.#scale.bands) return;
    this.#expected_s += columns / this.#scale.columns_per_s;
    const missing_s = time_s - this.#expected_s;
    if (!(Math.abs(missing_s) <= SLACK_S)) {
      if (!Number.isNaN(missing_s)) this.#gap(Math.round(missing_s * this.#scale.columns_per_s));
      this.#expected_s = time_s;
    }
    for (let column = 0; column < columns; column++) {
      const slot = this.#head++ % this.#capacity;
      this.#levels.set(levels.subarray(column * bands, (column + 1) * bands), slot * bands);
      this.#heard[slot] = 1;
    }
    this.#follow();
  }

  /** Another session begins: its clock has nothing to do with the one before. */
  cut() {
    if (!Number.isNaN(this.#expected_s)) this.#gap(-1);
    this.#expected_s = Number.NaN;
  }

  /** Paint the columns that came since the last time. */
  draw() {
    const first = Math.max(0, this.#painted, this.#head - this.#capacity);
    for (let column = first; column < this.#head; ) {
      const slot = column % this.#capacity;
      const count = Math.min(this.#head - column, this.#capacity - slot);
      this.#context.putImageData(this.#image(slot, count), column - this.#origin, 0);
      column += count;
    }
    this.#painted = this.#head;
  }

  /** @param {number} missing columns; negative when the clock went back, which is marked by a thin gap */
  #gap(missing) {
    const width = missing < 0 ? 3 : Math.min(missing, this.#capacity);
    for (let column = 0; column < width; column++) this.#heard[this.#head++ % this.#capacity] = 0;
  }

  /** The column at the right edge, with its fraction. */
  #shown() {
    if (!this.#running || !this.#motion) return this.#still;
    const moved_s = Number(this.#motion.currentTime ?? 0) / 1000;
    return Math.min(this.#head, this.#origin + this.#visible + moved_s * this.#scale.columns_per_s);
  }

  /** Keep playback a little behind the head: start, jump, or change speed. */
  #follow() {
    const rate = this.#scale.columns_per_s;
    if (this.#reducedMotion) {
      const whole = Math.floor(this.#head / rate) * rate;
      if (whole !== this.#still || this.#head < rate) this.#startAt(whole);
      return;
    }
    const behind = BEHIND_S * rate;
    const waiting = this.#head - this.#shown();
    const full = this.#head - this.#origin > this.#canvas.width - rate;
    if (waiting > behind + JUMP_S * rate) this.#startAt(this.#head - behind);
    else if (!this.#running && waiting >= behind) this.#startAt(this.#still);
    else if (full) this.#startAt(this.#shown());
    else if (this.#running) this.#steer(waiting - behind);
  }

  /** @param {number} off columns too late (or early, below 0) */
  #steer(off) {
    this.#off += AVERAGED * (off - this.#off);
    const speed = this.#motion?.playbackRate ?? 1;
    const wanted = Math.abs(this.#off) < OFF_COLUMNS ? speed : 1 + Math.min(MOST_SPEED, Math.max(-MOST_SPEED, this.#off * SPEED_PER_COLUMN));
    const settled = speed !== 1 && Math.abs(this.#off) < 0.5;
    if (settled) this.#motion?.updatePlaybackRate(1);
    else if (Math.abs(wanted - speed) > 0.01) this.#motion?.updatePlaybackRate(wanted);
  }

  /** Begin the strip anew, with `shown` at the right edge of what is seen. @param {number} shown */
  #startAt(shown) {
    if (!this.#visible) return;
    const rate = this.#scale.columns_per_s;
    this.#motion?.cancel();
    this.#motion = null;
    this.#still = shown;
    this.#origin = Math.floor(shown) - this.#visible;
    this.#painted = this.#origin;
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#off = 0;
    const width = this.#canvas.width;
    const place = (/** @type {number} */ columns) => `translateX(${((-100 * columns) / width).toFixed(4)}%)`;
    const rest = shown - Math.floor(shown);
    this.#canvas.style.transform = place(rest);
    this.#running = !this.#reducedMotion && this.#head - shown >= 1;
    if (!this.#running) return;
    const length = width - this.#visible;
    this.#motion = this.#canvas.animate({ transform: [place(0), place(length)] }, { duration: (1000 * length) / rate, fill: "forwards" });
    this.#motion.startTime = Number(document.timeline.currentTime) - (1000 * rest) / rate;
    this.#watch();
  }

  /** Stand still where the columns end. */
  #watch() {
    clearTimeout(this.#timer);
    const left_s = (this.#head - this.#shown()) / this.#scale.columns_per_s;
    if (left_s > 0.004) {
      this.#timer = setTimeout(() => this.#watch(), left_s * 1000);
    } else {
      this.#startAt(this.#head);
      this.draw();
    }
  }

  /** @param {number} slot @param {number} count @returns {ImageData} */
  #image(slot, count) {
    const { bands } = this.#scale;
    const image = new ImageData(count, bands);
    const pixels = new Uint32Array(image.data.buffer);
    for (let column = 0; column < count; column++) {
      if (!this.#heard[slot + column]) continue;
      const start = (slot + column) * bands;
      for (let band = 0; band < bands; band++) {
        pixels[(bands - 1 - band) * count + column] = this.#pixels[this.#levels[start + band]];
      }
    }
    return image;
  }
}
