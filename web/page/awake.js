// @ts-check
/**
 * Keeps the screen on where nobody touches it: on a stage and on a wall. Browsers grant that to visible pages of https and
 * of this machine alone, and take it back when the page is hidden.
 */

const VIEWS = ["stage", "projector"];

/** @type {WakeLockSentinel | null} */
let held = null;

async function ask() {
  if (document.hidden || (held && !held.released)) return;
  try {
    held = await navigator.wakeLock.request("screen");
  } catch (error) {
    if (!(error instanceof DOMException)) throw error; // refused, as with an empty battery: a touch asks again
  }
}

if ("wakeLock" in navigator && VIEWS.includes(document.documentElement.dataset.view ?? "")) {
  document.addEventListener("visibilitychange", ask);
  document.addEventListener("pointerdown", ask);
  void ask();
}
