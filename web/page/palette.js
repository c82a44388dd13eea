// @ts-check
/**
 * The colours of the spectrogram: 256 steps of even lightness from the colour of the panel, through a few hues, to light
 * (or, on a light panel, to ink). Computed in OKLab (Ottosson 2020), so equal steps of level look equal. Pure.
 */

/** @typedef {{from: number, to: number, stops: readonly (readonly [hue: number, chroma: number])[]}} Ramp */

/** Lightness from and to; hue in degrees and chroma at evenly spaced stops between. @type {Record<"dark" | "light", Ramp>} */
export const RAMPS = {
  dark: { from: 0.16, to: 0.95, stops: [[300, 0.01], [295, 0.11], [335, 0.16], [20, 0.19], [48, 0.17], [75, 0.13], [95, 0.06]] },
  light: { from: 0.93, to: 0.2, stops: [[85, 0.014], [75, 0.07], [52, 0.14], [28, 0.17], [355, 0.15], [325, 0.12], [300, 0.07]] },
};

/** @param {number} linear @returns {number} 0..255 */
function encode(linear) {
  const x = Math.min(1, Math.max(0, linear));
  return Math.round(255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055));
}

/**
 * An OKLab colour as a little-endian RGBA pixel.
 * @param {number} L @param {number} a @param {number} b
 */
function pixel(L, a, b) {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const red = encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
  const green = encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
  const blue = encode(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s);
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/**
 * One pixel for each level 0..255.
 * @param {Ramp} ramp
 * @returns {Uint32Array}
 */
export function palette({ from, to, stops }) {
  const lab = stops.map(([hue, chroma]) => {
    const angle = (hue * Math.PI) / 180;
    return [chroma * Math.cos(angle), chroma * Math.sin(angle)];
  });
  return Uint32Array.from({ length: 256 }, (_, level) => {
    const t = level / 255;
    const place = t * (lab.length - 1);
    const i = Math.min(lab.length - 2, Math.floor(place));
    const f = place - i;
    const mix = (/** @type {0 | 1} */ axis) => lab[i][axis] * (1 - f) + lab[i + 1][axis] * f;
    return pixel(from + (to - from) * t, mix(0), mix(1));
  });
}
