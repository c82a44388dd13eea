// @ts-check
/** Puts a state on the page: texts, bars, dial and strip. Touches an element only when what it shows has changed. */

/** @import {Genre, Hello, Key, Tempo} from "../client/protocol.js" */
/** @import {Received, Situation, State} from "./state.js" */

import { Dial } from "./dial.js";
import { Digits } from "./digits.js";
import { byId } from "./elements.js";
import { colourOf } from "./families.js";
import { age_s, comes, situation } from "./state.js";
import * as strings from "./strings.js";
import { mixing, Wheel } from "./wheel.js";

const STALE_S = 4;
const SPOKEN_EVERY_MS = 12_000;
const BARS = 5;
const HERE = ["127.0.0.1", "localhost", "[::1]"];
const CHOICES = [1 / 2, 2]; // offered even when the analyzer names none
const RANGE_BPM = [30, 320];

/** @param {string} id @param {string} text */
function write(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/** One genre's row: name, bar, percentage. */
class Bar {
  root = document.createElement("li");
  #name = document.createElement("span");
  #rail = document.createElement("span");
  #part = document.createElement("span");

  constructor() {
    this.#name.className = "name";
    this.#rail.className = "rail";
    this.#part.className = "part";
    this.root.append(this.#name, this.#rail, this.#part);
  }

  /** @param {string} label @param {number} p @param {boolean} leads @param {"dark" | "light"} scheme */
  show(label, p, leads, scheme) {
    this.#name.style.setProperty("--family", label ? colourOf(label, scheme) : "transparent");
    this.#name.textContent = strings.genre(label);
    this.#part.textContent = label ? strings.percent(p) : "";
    this.#rail.style.setProperty("--p", p.toFixed(2)); // whole percents, so that few bars move at a time
    this.root.classList.toggle("leads", leads);
  }
}

/** Another tempo that can be seen instead: its name and number on a button that stays, so that it keeps the focus. */
class Choice {
  root = document.createElement("li");
  #button = document.createElement("button");
  #value = document.createElement("b");
  #name = document.createTextNode("");

  /** @param {number} ratio @param {(ratio: number) => void} choose */
  constructor(ratio, choose) {
    this.ratio = ratio;
    this.#button.type = "button";
    this.#button.append(this.#name, this.#value);
    this.#button.addEventListener("click", () => choose(ratio));
    this.root.append(this.#button);
  }

  /** @param {number} bpm 0 hides it @param {boolean} chosen */
  show(bpm, chosen) {
    this.root.hidden = bpm === 0 && !chosen;
    this.#name.data = `${strings.relation(this.ratio)?.name ?? strings.OR} `;
    this.#value.textContent = bpm ? strings.bpm(bpm) : "";
    this.#button.setAttribute("aria-pressed", String(chosen));
  }
}

export class View {
  #digits = new Digits(/** @type {any} */ (byId("digits")));
  #dial = new Dial(byId("dial"));
  #wheel = new Wheel(byId("wheel"));
  #bars = Array.from({ length: BARS }, () => new Bar());
  /** @type {State | null} */ #last = null;
  #spokenAt = -Infinity;
  #spokenKey = "";
  /** @type {"dark" | "light"} */ #scheme = "dark";
  #choices;
  #offered = 0;

  /**
   * @param {(ratio: number) => void} choose what to do when a viewer wants to see another tempo
   * @param {(channel: number) => void} listen what to do when one wants to hear another channel
   */
  constructor(choose, listen) {
    byId("listen").addEventListener("click", () => listen(this.#offered));
    byId("bars").append(...this.#bars.map((bar) => bar.root));
    const toggle = (/** @type {number} */ ratio) => choose(ratio === this.#last?.ratio ? 1 : ratio);
    this.#choices = strings.RATIOS.map((ratio) => new Choice(ratio, toggle));
    byId("alternatives").append(...this.#choices.map((choice) => choice.root));
  }

  /** @param {"dark" | "light"} scheme */
  colour(scheme) {
    this.#scheme = scheme;
    this.#genre(this.#last?.genre?.data ?? null);
  }

  /** Show `state` as it is at `now` (ms). @param {State} state @param {number} now @param {number | null} latency_s */
  show(state, now, latency_s) {
    const before = this.#last;
    this.#last = state;
    this.#situation(state, now);
    if (state.tempo !== before?.tempo || state.ratio !== before?.ratio) this.#tempo(state.tempo?.data ?? null, state.ratio);
    if (state.genre !== before?.genre || state.hello !== before?.hello) this.#genre(state.genre?.data ?? null);
    if (state.key !== before?.key || state.hello !== before?.hello) this.#key(state.key?.data ?? null, comes(state, "key"));
    if (state.hello !== before?.hello) this.#hello(state.hello);
    if (state.status !== before?.status || state.hello !== before?.hello) this.#source(state);
    if (state.status !== before?.status || state.skipped !== before?.skipped) this.#counters(state);
    this.#level(state, now);
    this.#tempoState(state, now);
    this.#age("tempo", state.tempo, now);
    this.#age("genre", state.genre?.data.label ? state.genre : null, now);
    this.#age("key", state.key?.data.label ? state.key : null, now);
    write("clock", strings.clock(state.time_s));
    write("latency", strings.milliseconds(latency_s));
    this.#speak(state, now);
  }

  /** @param {State} state @param {number} now */
  #situation(state, now) {
    const key = situation(state, now);
    const { title, tone } = strings.SITUATIONS[key];
    const { dataset } = document.documentElement;
    dataset.tone = tone;
    dataset.situation = key;
    dataset.line = state.line;
    write("situation", title);
    write("advice", this.#advice(state, key, now));
    this.#offer(key === "elsewhere" && HERE.includes(location.hostname) ? (state.status?.data.sound_on ?? 0) : 0);
    byId("meter").classList.toggle("clipping", key === "clipping");
  }

  /** Offer a channel that has sound, which the analyzer grants to a page on its own machine. @param {number} channel 0 for none */
  #offer(channel) {
    this.#offered = channel;
    byId("listen").hidden = !channel;
    if (channel) write("listen", strings.listen(channel));
  }

  /** What to do, with what is known of the case at hand. @param {State} state @param {Situation} key @param {number} now */
  #advice(state, key, now) {
    const { advice } = strings.SITUATIONS[key];
    if (key === "offline") return `${advice} ${strings.retry((state.retryAt - now) / 1000)}`;
    const channel = state.status?.data.sound_on;
    if (key === "elsewhere" && channel) return `${advice} ${strings.elsewhere(channel)}`;
    const first_s = Math.max(0, ...(state.hello?.models ?? []).map((model) => model.first_s));
    return key === "warming" && first_s > 0 ? strings.first(first_s) : advice;
  }

  /** @param {Tempo | null} tempo @param {number} ratio of what is shown to what was heard */
  #tempo(tempo, ratio) {
    const known = tempo !== null && tempo.bpm > 0;
    const heard = known ? tempo.bpm : 0;
    const alternatives = known ? tempo.alternatives : [];
    const shown = heard * ratio;
    this.#digits.show(known ? shown : null, known ? tempo.confidence : 0);
    this.#dial.show(known ? shown : null, ratio === 1 ? alternatives : [...alternatives, { bpm: heard, salience: 1 }]);
    write("bpm", known ? `${strings.bpm(shown)} BPM` : strings.UNSURE);
    write("tempo-confidence", known ? strings.sure(tempo.confidence) : "");
    write("tempo-bar", known && tempo.beats_in_bar ? strings.bar(tempo.beats_in_bar) : "");
    write("choice", known && ratio !== 1 ? strings.choice(ratio, heard) : "");
    byId("tempo").classList.toggle("chosen", ratio !== 1);
    const offered = new Map(CHOICES.map((one) => [one, heard * one]));
    for (const { bpm } of alternatives) {
      const known = strings.relation(bpm / heard);
      if (known) offered.set(known.ratio, bpm);
    }
    for (const choice of this.#choices) {
      const bpm = offered.get(choice.ratio) ?? 0;
      choice.show(bpm >= RANGE_BPM[0] && bpm <= RANGE_BPM[1] ? bpm : 0, choice.ratio === ratio);
    }
  }

  /** A tempo that nothing has confirmed for a while is held, whatever was said of it then. @param {State} state @param {number} now */
  #tempoState(state, now) {
    const { tempo } = state;
    const said = tempo?.data.state ?? "searching";
    const shown = tempo && said !== "searching" && age_s(tempo, now) > STALE_S ? "holding" : said;
    write("tempo-state", comes(state, "tempo") ? strings.TEMPO_STATES[shown] : strings.ABSENT.tempo);
    byId("tempo").dataset.state = shown;
  }

  /** @param {Genre | null} genre */
  #genre(genre) {
    const top = genre?.top ?? [];
    this.#bars.forEach((bar, row) => {
      const { label, p } = top[row] ?? { label: "", p: 0 };
      bar.show(label, p, genre?.sure === true && (label === genre.label || label === genre.second?.label), this.#scheme);
    });
    const rejected = genre?.state === "not_music";
    write("genre-label", this.#genreLabel(genre));
    write("genre-confidence", genre?.label && genre.sure ? strings.sure(genre.confidence + (genre.second?.p ?? 0)) : "");
    write("genre-music", genre ? strings.music(genre.music) : "");
    write("genre-sub", genre?.label ? (genre.sure ? strings.genre(genre.sub_genre?.label ?? "") : strings.perhaps(top)) : "");
    byId("genre").dataset.state = rejected ? (genre.label ? "kept" : "rejected") : genre?.sure && genre.state === "music" ? "sure" : "unsure";
    const says = genre && (genre.state === "holding" || genre.state === "searching" || (rejected && genre.label));
    write("genre-verdict", says ? strings.VERDICTS[genre.state] : "");
  }

  /** What stands large: one label, two that are close, or why there is none. @param {Genre | null} genre */
  #genreLabel(genre) {
    if (!this.#last || !comes(this.#last, "genre")) return strings.ABSENT.genre;
    if (!genre?.label) return genre?.state === "not_music" ? strings.NO_MUSIC : strings.UNSURE;
    if (!genre.sure) return strings.UNCERTAIN;
    const names = [genre.label, ...(genre.second ? [genre.second.label] : [])];
    return names.map(strings.genre).join(` ${strings.OR} `);
  }

  /** A key that is only a guess has no place on the wheel. @param {Key | null} key @param {boolean} comes */
  #key(key, comes) {
    const shown = key && key.label && key.state !== "searching" ? key : null;
    const label = shown ? shown.label : key?.state === "unclear" ? strings.NO_KEY : strings.UNSURE;
    write("key-label", comes ? label : strings.ABSENT.key);
    write("key-camelot", shown?.camelot ?? "");
    const guess = key?.state === "searching" ? strings.perhaps(key.top) : "";
    write("key-confidence", shown ? strings.sure(shown.confidence) : guess);
    write("key-mixes", strings.mixesWith(mixing(shown?.camelot ?? "")));
    byId("key").dataset.state = comes ? (key?.state ?? "searching") : "absent";
    this.#wheel.show(shown?.camelot ?? "");
  }

  /** @param {"tempo" | "genre" | "key"} what @param {Received<{age_s: number}> | null} received @param {number} now */
  #age(what, received, now) {
    const seconds = received ? age_s(received, now) : 0;
    write(`${what}-age`, received ? strings.age(seconds) : "");
    byId(what).classList.toggle("stale", seconds > STALE_S);
  }

  /** @param {Hello | null} hello */
  #hello(hello) {
    if (!hello) return;
    document.documentElement.dataset.source = hello.source.kind;
    write("device", strings.source(hello.source));
    write("format", strings.format(hello.source));
    write("models", hello.models.map(({ name, version }) => `${name} ${version}`).join(", ") || strings.NONE);
    write("version", hello.version);
  }

  /** What plays: the source, and the title where a station tells one. @param {State} state */
  #source({ hello, status }) {
    if (hello) write("source", strings.playing(hello.source, status?.data.title ?? ""));
  }

  /** @param {State} state */
  #counters({ status, session, skipped }) {
    if (!status) return;
    const { lag_s, lost_s, nonfinite, clients } = status.data;
    write("lag", strings.seconds(lag_s));
    write("lost", strings.seconds(lost_s));
    write("nonfinite", String(nonfinite));
    write("clients", String(clients));
    write("session", session);
    byId("lost").parentElement?.classList.toggle("bad", lost_s > 0);
    byId("lag").parentElement?.classList.toggle("bad", lag_s > 0.5);
    write("skipped", String(skipped));
    const broker = strings.broker(status.data);
    write("broker", broker || strings.NONE);
    byId("broker").parentElement?.toggleAttribute("hidden", broker === "");
    const log = strings.log(status.data);
    write("log", log || strings.NONE);
    byId("log").parentElement?.toggleAttribute("hidden", log === "");
    byId("nonfinite").parentElement?.toggleAttribute("hidden", nonfinite === 0);
    byId("skipped").parentElement?.toggleAttribute("hidden", skipped === 0);
  }

  /** @param {State} state @param {number} now */
  #level({ level }, now) {
    const fresh = level !== null && now - level.at < 1000;
    write("rms", fresh ? strings.decibels(level.data.rms_dbfs) : strings.NONE);
  }

  /** Tell a screen reader about a new situation or genre, seldom. @param {State} state @param {number} now */
  #speak(state, now) {
    const { title, advice, tone } = strings.SITUATIONS[situation(state, now)];
    const genre = strings.genre(state.genre?.data.label ?? "");
    const key = `${title} ${genre} ${state.tempo?.data.bpm.toFixed(0)}`;
    const urgent = tone === "alarm" && !this.#spokenKey.startsWith(title);
    if (key === this.#spokenKey || (!urgent && now - this.#spokenAt < SPOKEN_EVERY_MS)) return;
    this.#spokenKey = key;
    this.#spokenAt = now;
    write("spoken", strings.spoken(title, advice, state.tempo ? state.tempo.data.bpm * state.ratio : null, genre));
  }
}
