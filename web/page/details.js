// @ts-check
/** The panel that says in a sentence each what the numbers mean, with their present values. */

/** @import {State} from "./state.js" */

import { byId } from "./elements.js";
import * as strings from "./strings.js";


export class Details {
  #dialog = /** @type {HTMLDialogElement} */ (byId("details"));
  /** @type {HTMLElement[]} */ #values = [];

  constructor() {
    for (const { term, sentence } of strings.DETAILS) {
      const title = document.createElement("dt");
      title.textContent = term;
      const value = document.createElement("span");
      title.append(" ", value);
      const meaning = document.createElement("dd");
      meaning.textContent = sentence;
      byId("details-list").append(title, meaning);
      this.#values.push(value);
    }
    byId("details-open").addEventListener("click", () => this.#dialog.showModal());
    byId("details-close").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("click", (event) => event.target === this.#dialog && this.#dialog.close());
  }

  /** @param {State} state @param {number | null} latency_s */
  show(state, latency_s) {
    if (!this.#dialog.open) return;
    strings.DETAILS.forEach(({ value }, i) => {
      const words = value(state, latency_s);
      if (this.#values[i].textContent !== words) this.#values[i].textContent = words;
    });
  }
}
