// @ts-check
/** The colour of a genre: one hue for each family, a little lighter or darker for each member. Pure. */

/** Hue in degrees of OKLCH, and words that a label of the family holds. @type {readonly (readonly [number, RegExp])[]} */
const FAMILIES = [
  [300, /hip.?hop|rap|trap|r&b|rnb|soul|funk|grime/],
  [255, /electro|techno|house|trance|drum|dub|garage|ambient|edm|dance|break|experimental/],
  [25, /metal|rock|punk|grunge|industrial/],
  [75, /jazz|blues|swing|gospel/],
  [350, /pop|disco|schlager/],
  [145, /folk|country|acoustic|bluegrass|singer/],
  [195, /classic|orchestr|opera|piano|instrumental|soundtrack/],
  [110, /reggae|ska|latin|afro|world|international|samba|cumbia|flamenco/],
];
const GREY = 0.03;
const CHROMA = 0.13;
const LIGHTNESS = { dark: 0.72, light: 0.6 };
const STEP = 0.05;

/** A number 0..4 that depends on the letters alone. @param {string} label */
const shade = (label) => [...label].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 997, 7) % 5;

/** @param {string} label @param {"dark" | "light"} scheme @returns {string} a CSS colour */
export function colourOf(label, scheme) {
  const lower = label.toLowerCase();
  const family = FAMILIES.find(([, words]) => words.test(lower));
  const lightness = LIGHTNESS[scheme] + STEP * (shade(lower) - 2);
  return family ? `oklch(${lightness.toFixed(2)} ${CHROMA} ${family[0]})` : `oklch(${lightness.toFixed(2)} ${GREY} 85)`;
}
