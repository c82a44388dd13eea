// @ts-check
/**
 * All inputs small, side by side, where there are several: what plays on each, and the choice of the one shown large, by
 * click or by the keys 1 to 9. Each tile has a line of its own, which brings little and seldom, but for the one that is large:
 * so a page is one viewer of each input.
 */

/** @import {State} from "./state.js" */

import { Stream } from "../client/client.js";
import { byId } from "./elements.js";
import { INITIAL, reduce, situation } from "./state.js";
import * as strings from "./strings.js";

/** @type {import("../client/protocol.js").MessageType[]} */
const TYPES = ["tempo", "genre", "key", "level", "status"];
const HZ = 2;
const QUIETEST_DB = -48;
const MOST_KEYS = 9;

/** One input. State: what is known of it. */
class Tile {
  root = document.createElement("li");
  #button = document.createElement("button");
  #parts = new Map(["state", "tempo", "genre", "key"].map((name) => [name, document.createElement("span")]));
  #level = document.createElement("i");
  /** @type {Stream | null} */ #stream = null;
  /** @type {State} */ #state = INITIAL;

  /** @param {string} name @param {number} place from 1 @param {(name: string) => void} choose */
  constructor(name, place, choose) {
    this.name = name;
    const title = document.createElement("b");
    title.textContent = name;
    this.#button.type = "button";
    if (place <= MOST_KEYS) this.#button.setAttribute("aria-keyshortcuts", String(place));
    for (const [part, element] of this.#parts) element.className = part;
    this.#level.className = "level";
    this.#button.append(title, ...this.#parts.values(), this.#level);
    this.#button.addEventListener("click", () => choose(name));
    this.root.append(this.#button);
  }

  /** Have a line of its own from now on. */
  follow() {
    if (this.#stream) return;
    const took = (/** @type {import("./state.js").Action} */ action) => (this.#state = reduce(this.#state, action));
    this.#stream = new Stream(new URL("ws", location.href).href, {
      open: () => took({ kind: "open", at: performance.now() }),
      lost: (wait_s, _reason, code) => took({ kind: "lost", at: performance.now(), wait_s, code }),
      message: (message) => took({ kind: "message", at: performance.now(), message }),
    }, { types: TYPES, hz: HZ, input: this.name, resume: false });
  }

  /** Have none. */
  leave() {
    this.#stream?.close();
    this.#stream = null;
  }

  /** Show it as it is at `now` (ms). @param {number} now @param {State | null} large what is known of it if it is the large one */
  show(now, large) {
    if (large) this.#state = large;
    const { tempo, genre, key, level } = this.#state;
    const { title, tone } = strings.SITUATIONS[situation(this.#state, now)];
    this.root.dataset.tone = tone;
    this.#button.setAttribute("aria-pressed", String(large !== null));
    this.#write("state", title);
    this.#write("tempo", tempo ? `${strings.bpm(tempo.data.bpm)}\u00a0BPM` : "");
    this.#write("genre", genre?.data.label ? (genre.data.sure ? strings.genre(genre.data.label) : strings.UNCERTAIN) : "");
    this.#write("key", key?.data.label && key.data.state !== "searching" ? key.data.camelot : "");
    const heard = level && now - level.at < 1500 ? 1 - level.data.rms_dbfs / QUIETEST_DB : 0;
    this.#level.style.setProperty("--level", Math.min(1, Math.max(0, heard)).toFixed(2));
  }

  /** Go. */
  end() {
    this.leave();
    this.root.remove();
  }

  /** @param {string} part @param {string} text */
  #write(part, text) {
    const element = this.#parts.get(part);
    if (element && element.textContent !== text) element.textContent = text;
  }
}

export class Inputs {
  /** @type {Tile[]} */ #tiles = [];
  #choose;
  #large = "";

  /** @param {(name: string) => void} choose what to do when a viewer wants to see another input large */
  constructor(choose) {
    this.#choose = (/** @type {string} */ name) => name !== this.#large && choose(name);
    addEventListener("keydown", (event) => this.#key(event));
  }

  /** Show these inputs; one alone needs no choice, and some views have no place for it. @param {readonly string[]} names @param {string} large */
  set(names, large) {
    this.#large = large;
    const shown = names.length > 1 && !document.documentElement.dataset.view ? names : [];
    if (shown.join() !== this.#tiles.map((tile) => tile.name).join()) {
      for (const tile of this.#tiles) tile.end();
      this.#tiles = shown.map((name, i) => new Tile(name, i + 1, this.#choose));
      byId("inputs").hidden = shown.length === 0;
      byId("inputs-list").append(...this.#tiles.map((tile) => tile.root));
    }
    for (const tile of this.#tiles) tile.name === large ? tile.leave() : tile.follow();
  }

  /** @param {number} now @param {State} state of the large one */
  show(now, state) {
    for (const tile of this.#tiles) tile.show(now, tile.name === this.#large ? state : null);
  }

  /** @param {KeyboardEvent} event */
  #key({ key, target, ctrlKey, altKey, metaKey }) {
    const writes = target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
    const tile = /^[1-9]$/.test(key) && !(ctrlKey || altKey || metaKey || writes) ? this.#tiles[Number(key) - 1] : undefined;
    if (tile) this.#choose(tile.name);
  }
}
