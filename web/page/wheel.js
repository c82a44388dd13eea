// @ts-check
/** The Camelot wheel: major keys outside, their relative minor ones inside, a fifth from place to place. What lies side by side mixes. */

const SVG = "http://www.w3.org/2000/svg";
const PLACES = 12;
const RINGS = { B: { inner: 34, outer: 49 }, A: { inner: 19, outer: 34 } };

/** @typedef {"here" | "mixes" | ""} Part */

/** A code as number and ring, null for what is none. @param {string} code */
export function placeOf(code) {
  const found = /^(1[0-2]|[1-9])([AB])$/.exec(code);
  return found ? { number: Number(found[1]), ring: /** @type {"A" | "B"} */ (found[2]) } : null;
}

/** The codes that mix with one: itself left out, its neighbours and its relative key. @param {string} code @returns {string[]} */
export function mixing(code) {
  const place = placeOf(code);
  if (!place) return [];
  const { number, ring } = place;
  const before = ((number + PLACES - 2) % PLACES) + 1;
  return [`${before}${ring}`, `${(number % PLACES) + 1}${ring}`, `${number}${ring === "A" ? "B" : "A"}`];
}

/** A point of the wheel; 12 is on top. @param {number} number @param {number} radius */
function point(number, radius) {
  const turn = (2 * Math.PI * number) / PLACES;
  return `${(50 + radius * Math.sin(turn)).toFixed(2)} ${(50 - radius * Math.cos(turn)).toFixed(2)}`;
}

/** @param {string} name @param {Record<string, string>} attributes */
function make(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export class Wheel {
  /** @type {Map<string, SVGElement>} */ #parts = new Map();
  #shown = "";

  /** @param {Element} root an svg of 100 by 100 */
  constructor(root) {
    for (const [ring, { inner, outer }] of Object.entries(RINGS)) {
      for (let number = 1; number <= PLACES; number++) {
        const [from, to] = [number - 0.5, number + 0.5];
        const path = `M${point(from, outer)}A${outer} ${outer} 0 0 1 ${point(to, outer)}L${point(to, inner)}A${inner} ${inner} 0 0 0 ${point(from, inner)}Z`;
        const [x, y] = point(number, (inner + outer) / 2).split(" ");
        const text = make("text", { x, y, "text-anchor": "middle", "dominant-baseline": "central" });
        text.textContent = `${number}${ring}`;
        const part = make("g", {});
        part.append(make("path", { d: path }), text);
        this.#parts.set(`${number}${ring}`, part);
      }
    }
    root.append(...this.#parts.values());
  }

  /** Light a code and what mixes with it; none for "". @param {string} code */
  show(code) {
    if (code === this.#shown) return;
    this.#shown = code;
    const near = mixing(code);
    for (const [name, part] of this.#parts) part.setAttribute("class", name === code ? "here" : near.includes(name) ? "mixes" : "");
  }
}
