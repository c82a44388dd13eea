// @ts-check
/** Slaney's mel scale, for the frequency axis: linear below 1 kHz, logarithmic above. Pure. */

const BREAK_HZ = 1000;
const HZ_PER_MEL = 200 / 3;
const BREAK_MEL = BREAK_HZ / HZ_PER_MEL;
const MELS_PER_NEPER = 27 / Math.log(6.4);

/** @param {number} hz @returns {number} */
export function hzToMel(hz) {
  return hz < BREAK_HZ ? hz / HZ_PER_MEL : BREAK_MEL + Math.log(hz / BREAK_HZ) * MELS_PER_NEPER;
}

/**
 * Where a frequency lies on the axis, 0 at the bottom and 1 at the top.
 * @param {number} hz
 * @param {{low_hz: number, high_hz: number}} scale
 */
export function heightOf(hz, { low_hz, high_hz }) {
  const low = hzToMel(low_hz);
  return (hzToMel(hz) - low) / (hzToMel(high_hz) - low);
}
