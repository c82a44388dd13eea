// @ts-check
/**
 * What the page's address asks for: ?ratio=half shows every tempo at half, ?target=-23 marks that loudness. A viewer's own
 * choice goes there too, so that it lives through a reload, can be kept as a bookmark, and is no other tab's.
 */

/** Names of ratios in the address. @type {Readonly<Record<string, number>>} */
const RATIOS = {
  third: 1 / 3,
  half: 1 / 2,
  "two-thirds": 2 / 3,
  "three-quarters": 3 / 4,
  "four-thirds": 4 / 3,
  "three-halves": 3 / 2,
  double: 2,
  triple: 3,
};

/** The ratio that a query asks for; 1 without one, or for a name that is none. @param {string} query */
export function ratioOf(query) {
  const name = new URLSearchParams(query).get("ratio") ?? "";
  return Object.hasOwn(RATIOS, name) ? RATIOS[name] : 1;
}

/** The query with another ratio; 1 leaves it out. @param {string} query @param {number} ratio */
export function withRatio(query, ratio) {
  const parameters = new URLSearchParams(query);
  const name = Object.keys(RATIOS).find((key) => RATIOS[key] === ratio);
  if (name) parameters.set("ratio", name);
  else parameters.delete("ratio");
  return parameters.size ? `?${parameters}` : "";
}

/** The input that a query asks for, of several; none given: the analyzer's first. @param {string} query */
export const inputOf = (query) => new URLSearchParams(query).get("input") ?? undefined;

/** The query with another input. @param {string} query @param {string} name */
export function withInput(query, name) {
  const parameters = new URLSearchParams(query);
  parameters.set("input", name);
  return `?${parameters}`;
}

/** Loudness in LUFS that sets are made for: of music services, of podcasts, of European broadcasting. */
export const TARGETS_LUFS = [-14, -16, -23];

/** The loudness that a query asks the meter to mark; that of music services without one, or for what is no loudness. @param {string} query */
export function targetOf(query) {
  const target = new URLSearchParams(query).get("target");
  const lufs = Number(target);
  return target && lufs <= 0 && lufs >= -40 ? lufs : TARGETS_LUFS[0];
}

/** The query with another loudness to mark. @param {string} query @param {number} target_lufs */
export function withTarget(query, target_lufs) {
  const parameters = new URLSearchParams(query);
  if (target_lufs === TARGETS_LUFS[0]) parameters.delete("target");
  else parameters.set("target", String(target_lufs));
  return parameters.size ? `?${parameters}` : "";
}
