// @ts-check
/** The page of past sets: the list, a search in it, and one set in the view of the live page, whose parts can be named. */

/** @import {About, Night, Part} from "./past.js" */

import { byId } from "./elements.js";
import * as words from "./past.js";
import { SetSoFar } from "./set.js";
import { clock } from "./strings.js";
import { decodeTimeline } from "./timeline.js";

const WAIT_MS = 200; // while somebody types

const search = /** @type {HTMLInputElement} */ (byId("search"));
const dark = matchMedia("(prefers-color-scheme: dark)");
const picture = new SetSoFar([0]);
let asked = 0; // counts questions, so that a late answer to an earlier one is left alone
let waiting = 0;

/** The answer in JSON, or what is to be told instead. @param {string} path @param {Record<string, string>} query @param {RequestInit} [more] */
async function ask(path, query, more) {
  try {
    const answer = await fetch(`sets/${path}?${new URLSearchParams(query)}`, more);
    if (answer.ok) return { data: await answer.json(), told: "" };
    return { data: null, told: { 401: words.LOCKED, 404: words.OFF }[answer.status] ?? (await answer.text()) };
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error;
    return { data: null, told: words.FAILED };
  }
}

/** @param {string} tag @param {string} [text] @param {string} [name] */
function made(tag, text = "", name = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = name;
  return element;
}

async function list() {
  const question = ++asked;
  const query = search.value.trim();
  const { data, told } = await ask("list", query ? { q: query } : {});
  if (question !== asked) return;
  /** @type {About[]} */ const found = data?.sets ?? [];
  byId("sets").replaceChildren(...found.map(row));
  byId("told").textContent = told || (found.length ? words.found(found.length) : query ? words.NONE_FOUND : words.NONE_YET);
  choose();
}

/** @param {About} about */
function row(about) {
  const link = /** @type {HTMLAnchorElement} */ (made("a"));
  link.href = `sets?set=${about.id}`;
  link.dataset.set = String(about.id);
  link.append(made("b", words.when(about)), made("span", clock(about.duration_s)), made("span", about.source), made("span", `${about.parts} part${about.parts === 1 ? "" : "s"}`));
  const item = made("li");
  item.append(link);
  return item;
}

const chosen = () => new URLSearchParams(location.search).get("set") ?? "";

function choose() {
  for (const link of byId("sets").querySelectorAll("a")) link.setAttribute("aria-current", String(link.dataset.set === chosen()));
}

/** Show the set that the address names. */
async function show() {
  const set = chosen();
  choose();
  byId("night").hidden = true;
  if (!set) return;
  const [{ data, told }, rows] = await Promise.all([ask("show", { set }), ask("timeline", { set })]);
  if (set !== chosen()) return;
  if (!data) {
    byId("told").textContent = told;
    return;
  }
  /** @type {Night} */ const night = data;
  byId("night").hidden = false;
  byId("night-title").textContent = words.when(night.set);
  byId("night-facts").textContent = words.facts(night.set);
  byId("parts").replaceChildren(...words.lines(night).map((line) => ("part" in line ? partRow(line.part, set) : asideRow(line))));
  const timeline = decodeTimeline(rows.data);
  picture.layOut();
  picture.show(timeline?.rows ?? [], timeline?.marks ?? [], 0);
}

/** @param {Part} part @param {string} set */
function partRow(part, set) {
  const line = made("tr");
  const numbers = [2, 5];
  line.append(...words.cells(part).map((cell, i) => made("td", cell, numbers.includes(i) ? "figure" : "")));
  const place = made("td");
  const showName = () => {
    const button = /** @type {HTMLButtonElement} */ (made("button", words.nameOf(part) || words.GIVE_NAME));
    button.type = "button";
    button.addEventListener("click", () => edit(place, part, set, showName));
    place.replaceChildren(button);
  };
  showName();
  line.append(place);
  return line;
}

/** Let somebody write title and artist of a part. @param {HTMLElement} place @param {Part} part @param {string} set @param {() => void} done */
function edit(place, part, set, done) {
  const form = /** @type {HTMLFormElement} */ (made("form"));
  const [artist, title] = /** @type {[string, string][]} */ ([[words.ARTIST, part.artist], [words.TITLE, part.title]]).map(([label, value]) => {
    const input = /** @type {HTMLInputElement} */ (made("input"));
    Object.assign(input, { value, placeholder: label, ariaLabel: label, maxLength: 200 });
    return input;
  });
  const save = made("button", words.SAVE);
  form.append(artist, title, save);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { data, told } = await ask("name", { set, start_s: String(part.start_s), title: title.value, artist: artist.value }, { method: "POST" });
    byId("told").textContent = data ? "" : `${words.NOT_NAMED} ${told}`;
    if (data) Object.assign(part, data);
    done();
  });
  form.addEventListener("keydown", (event) => event.key === "Escape" && done());
  place.replaceChildren(form);
  artist.focus();
}

/** @param {{second: number, aside: string}} line */
function asideRow({ second, aside }) {
  const row = made("tr", "", "aside");
  const text = /** @type {HTMLTableCellElement} */ (made("td", aside));
  text.colSpan = 6;
  row.append(made("td", clock(second)), text);
  return row;
}

search.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(list, WAIT_MS);
});
byId("sets").addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  void show();
});
addEventListener("popstate", show);
const colour = () => picture.colour(dark.matches ? "dark" : "light");
dark.addEventListener("change", colour);
new ResizeObserver(() => picture.layOut()).observe(byId("set-plot"));
colour();
void list();
void show();
