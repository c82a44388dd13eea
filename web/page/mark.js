// @ts-check
/** The key M and a button mark the present moment: the server tells all pages, this one too, so that nothing is drawn here. */

import { MARKED, NOT_MARKED } from "./strings.js";

/** @param {HTMLElement} button @param {() => string | undefined} input the one to mark, undefined for the first */
export function marking(button, input) {
  const word = button.textContent;
  let told = 0;
  const mark = async () => {
    let good = false;
    try {
      const name = input();
      const query = name === undefined ? "" : `?${new URLSearchParams({ input: name })}`;
      good = (await fetch(`marks${query}`, { method: "POST" })).ok;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // the server is gone, which the page shows
    }
    button.textContent = good ? MARKED : NOT_MARKED;
    clearTimeout(told);
    told = setTimeout(() => (button.textContent = word), 2000);
  };
  button.addEventListener("click", mark);
  addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey || event.repeat;
    if (event.key.toLowerCase() === "m" && !typing && !document.querySelector("dialog[open]")) void mark();
  });
}
