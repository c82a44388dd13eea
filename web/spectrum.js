// @ts-check
/**
 * The scrolling spectrogram. Columns are kept as levels in a ring and painted once each into an off-screen picture; a frame
 * then costs two copies of that picture and one transform, and the browser's compositor does the scaling.
 * Playback runs a little behind what has arrived, so that columns coming in bunches still move evenly.
 */

/** @import {SpectrumFrame, SpectrumScale} from "./protocol.js" */

const KEPT_S = 26;
const BEHIND_S = 0.16; // playback delay: one and a half bunches of columns
const CATCH_UP = 0.02; // change of speed for each column too early or too late
const JUMP_S = 0.6;
const SLACK_S = 0.2; // frames and the steps they come in don't end together; more than this apart is a gap
const SHOWN_DB = [-45, 34]; // between the first and the last colour
const CONTRAST = 1.6; // above 1 keeps the background dark without hiding what is faint

export class Spectrum {
  #canvas;
  #context;
  #scale;
  #capacity;
  #levels;
  #heard; // 1 where a column was received, 0 in a gap
  #picture;
  #pictureContext;
  #pixels = new Uint32Array(256);
  #visible = 100;
  #head = 0; // columns since the start; the ring holds the last `capacity`
  #painted = 0;
  #shown = 0; // the column at the right edge, with its fraction
  #drawnEnd = -1;
  #stalled = true;
  #expected_s = Number.NaN; // the sample clock at the head
  #lastFrame = 0;
  #reducedMotion = false;

  /** @param {HTMLCanvasElement} canvas @param {SpectrumScale} scale */
  constructor(canvas, scale) {
    this.#canvas = canvas;
    this.#context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.#scale = scale;
    this.#capacity = Math.ceil(KEPT_S * scale.columns_per_s);
    this.#levels = new Uint8Array(this.#capacity * scale.bands);
    this.#heard = new Uint8Array(this.#capacity);
    this.#picture = document.createElement("canvas");
    this.#picture.width = this.#capacity;
    this.#picture.height = scale.bands;
    this.#pictureContext = /** @type {CanvasRenderingContext2D} */ (this.#picture.getContext("2d"));
  }

  /** Show the last `seconds` over the width. @param {number} seconds */
  span(seconds) {
    this.#visible = Math.min(this.#capacity - 60, Math.round(seconds * this.#scale.columns_per_s));
    this.#canvas.width = this.#visible + 1;
    this.#canvas.height = this.#scale.bands;
    this.#canvas.style.width = `${(100 * (this.#visible + 1)) / this.#visible}%`;
    this.#drawnEnd = -1;
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
    this.#painted = Math.max(0, this.#head - this.#capacity);
    this.#drawnEnd = -1;
  }

  /** Step once a second instead of scrolling. @param {boolean} reduced */
  reduceMotion(reduced) {
    this.#reducedMotion = reduced;
  }

  /** Take in columns; audio that is missing between them becomes a gap of its length. @param {SpectrumFrame} frame */
  push({ time_s, bands, columns, levels }) {
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
    this.#painted = Math.max(this.#painted, this.#head - this.#capacity);
  }

  /** Another session begins: its clock has nothing to do with the one before. */
  cut() {
    if (!Number.isNaN(this.#expected_s)) this.#gap(-1);
    this.#expected_s = Number.NaN;
  }

  /** @param {number} missing columns; negative when the clock went back, which is marked by a thin gap */
  #gap(missing) {
    const width = missing < 0 ? 3 : Math.min(missing, this.#capacity);
    for (let column = 0; column < width; column++) this.#heard[this.#head++ % this.#capacity] = 0;
  }

  /**
   * Draw what is due at `now` (ms).
   * @param {number} now
   * @returns {boolean} whether the picture will move on by itself
   */
  draw(now) {
    const moving = this.#advance(now);
    const rate = this.#scale.columns_per_s;
    const shown = this.#reducedMotion ? Math.floor(this.#shown / rate) * rate : this.#shown;
    const end = Math.ceil(shown);
    this.#paint();
    if (end !== this.#drawnEnd) this.#copy(end);
    const shift = (100 * (end - shown)) / (this.#visible + 1);
    this.#canvas.style.transform = `translateX(${shift.toFixed(3)}%)`;
    return moving;
  }

  /** Move playback to `now`. @param {number} now */
  #advance(now) {
    const rate = this.#scale.columns_per_s;
    const behind = BEHIND_S * rate;
    const elapsed_s = Math.min(0.1, Math.max(0, (now - this.#lastFrame) / 1000));
    this.#lastFrame = now;
    const waiting = this.#head - this.#shown;
    if (waiting > behind + JUMP_S * rate) this.#shown = this.#head - behind;
    if (this.#stalled && waiting < behind) return false; // the next columns will wake it
    const speed = rate * Math.max(0, 1 + CATCH_UP * (waiting - behind));
    this.#shown = Math.min(this.#head, this.#shown + elapsed_s * speed);
    this.#stalled = this.#shown >= this.#head;
    return !this.#stalled;
  }

  /** Paint the columns that came since the last frame into the off-screen picture. */
  #paint() {
    while (this.#painted < this.#head) {
      const slot = this.#painted % this.#capacity;
      const count = Math.min(this.#head - this.#painted, this.#capacity - slot);
      this.#pictureContext.putImageData(this.#image(slot, count), slot, 0);
      this.#painted += count;
      this.#drawnEnd = -1;
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

  /** Copy the columns that end at `end` from the ring onto the canvas, in its two pieces. @param {number} end */
  #copy(end) {
    const { bands } = this.#scale;
    const width = this.#visible + 1;
    const first = Math.max(0, end - width, this.#head - this.#capacity);
    this.#context.clearRect(0, 0, width, bands);
    for (let column = first; column < end; ) {
      const slot = column % this.#capacity;
      const count = Math.min(end - column, this.#capacity - slot);
      this.#context.drawImage(this.#picture, slot, 0, count, bands, width - end + column, 0, count, bands);
      column += count;
    }
    this.#drawnEnd = end;
  }
}
