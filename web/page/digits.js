// @ts-check
/**
 * Numerals drawn with one pen, so that the BPM looks the same on every machine and its weight can show how sure we are:
 * a hairline for a guess, full weight for certainty. Each numeral is the middle line of a stroke in a box of 60 by 100.
 */

/** @type {Record<string, string>} */
const PEN = {
  0: "M30 8A22 22 0 0 1 52 30V70A22 22 0 0 1 8 70V30A22 22 0 0 1 30 8Z",
  1: "M14 25L33 8V92",
  2: "M8.5 29A21.6 21.6 0 1 1 47 42.5L9 92H53",
  3: "M9 8H50L27 42A25 25 0 1 1 5.3 79.5",
  4: "M36 8L7 67H55M42 44V92",
  5: "M48 8H15L11.6 47.3A25 25 0 1 1 5.3 79.5",
  6: "M40.4 8L10.95 59M52 70A22 22 0 1 1 8 70A22 22 0 1 1 52 70Z",
  7: "M8 8H52L24 92",
  8: "M50 28A20 20 0 1 1 10 28A20 20 0 1 1 50 28ZM52 70A22 22 0 1 1 8 70A22 22 0 1 1 52 70Z",
  9: "M19.6 92L49.05 41M8 30A22 22 0 1 1 52 30A22 22 0 1 1 8 30Z",
  "-": "M12 50H48",
};

const SVG = "http://www.w3.org/2000/svg";
const ADVANCE = 74;
const LEADING_ONE = 8; // its empty left side would look like an indent
const SMALL = 0.5; // the digit after the point
const POINT = 26;
const WIDTH = 3 * ADVANCE + POINT + 60 * SMALL;
const THINNEST = 2.5;
const THICKEST = 14;
const WEIGHT_STEP = 0.5; // finer differences can't be seen, and each is a drawing

/** @param {string} name @param {Record<string, string | number>} attributes */
function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

/** A number up to 999.9 in an SVG element. */
export class Digits {
  #svg;
  #shown = "";
  #weight = -1;

  /** @param {SVGSVGElement} svg */
  constructor(svg) {
    this.#svg = svg;
    svg.setAttribute("viewBox", `0 0 ${WIDTH} 100`);
  }

  /**
   * @param {number | null} value null shows a dash for each digit
   * @param {number} confidence 0..1, the weight of the pen
   */
  show(value, confidence) {
    const shown = value === null ? "---" : value.toFixed(1);
    if (shown !== this.#shown) this.#draw(shown);
    this.#shown = shown;
    const fine = THINNEST + Math.min(1, Math.max(0, confidence)) * (THICKEST - THINNEST);
    if (Math.abs(fine - this.#weight) < WEIGHT_STEP) return;
    const weight = Math.round(fine / WEIGHT_STEP) * WEIGHT_STEP;
    this.#weight = weight;
    this.#svg.style.setProperty("--pen", weight.toFixed(2));
  }

  /** @param {string} shown */
  #draw(shown) {
    const [whole, tenth] = shown.split(".");
    const left = whole.startsWith("1") ? -LEADING_ONE : 0;
    const parts = [...whole].map((digit, i) => element("path", { d: PEN[digit], transform: `translate(${left + i * ADVANCE} 0)` }));
    if (tenth !== undefined) {
      const x = left + whole.length * ADVANCE;
      const place = `translate(${x + POINT - 4} ${96 - 92 * SMALL}) scale(${SMALL})`;
      parts.push(element("circle", { class: "point", cx: x + 3, cy: 91, r: 8 }));
      parts.push(element("path", { class: "tenth", d: PEN[tenth], transform: place }));
    }
    this.#svg.replaceChildren(...parts);
  }
}
