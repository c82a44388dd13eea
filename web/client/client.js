// @ts-check
/**
 * Follow an analyzer from any page or from Node:
 *
 *     for await (const { type, data } of subscribe("ws://127.0.0.1:8765/ws", { types: ["tempo"] })) ...
 *
 * Comes back by itself, goes on after the last message that came, and tells what is missing. This file, socket.js and
 * protocol.js are all it takes.
 */

/** @import {Message, MessageType} from "./protocol.js" */

import { decodeBinary, decodeText } from "./protocol.js";
import { Socket } from "./socket.js";

/**
 * @typedef {{session: string, seq: number}} Place of the newest message before
 * @typedef {Place & {type: "lost", data: {reason: string, retry_s: number}}} Lost there is no line; the next attempt comes in
 *   `retry_s`, and a hello when it succeeds
 * @typedef {Place & {type: "gap", data: {kind: MessageType | null, missed: number | null}}} Gap so many messages of a kind were
 *   sent and did not come, directly before the next of that kind; both are null after a restart of the analyzer
 * @typedef {Message | Lost | Gap} Received
 */

/**
 * @typedef {object} Options
 * @property {readonly MessageType[]} [types] those wanted; all but the spectrum if not given
 * @property {string} [input] of an analyzer with several inputs the one to follow, the first if not given; a hello names them all
 * @property {number} [hz] at most so many of each type a second; what is thinned out is no gap
 * @property {string} [token] what an analyzer asks for that is open to the network
 * @property {boolean} [resume] after a loss, get what was sent meanwhile; true if not given
 * @property {AbortSignal} [signal] ends it
 * @property {typeof WebSocket} [WebSocket] where there is none built in, as in Node before 22
 */

/** @type {readonly MessageType[]} */
export const TYPES = ["tempo", "beat", "genre", "key", "loudness", "energy", "moment", "level", "status", "spectrum", "summary", "mark"];
const TEXT_TYPES = TYPES.filter((type) => type !== "spectrum");
const STALE_MS = 2000;
const MOST_WAITING = 4096; // more than a whole replay; only what runs amok sends more in that time
const POLICY = 1008;
const NTH_MASK = 0xffff; // the count of a spectrum frame goes round

/**
 * Follow an analyzer for as long as you iterate. Whoever takes more than 2 s for one message finds the newest of each type
 * next, and a gap for the rest. Throws where the analyzer refuses the token.
 * @param {string} url of the stream or of the page: ws, wss, http or https
 * @param {Options} [options]
 * @returns {AsyncGenerator<Received, void, void>}
 */
export function subscribe(url, options = {}) {
  streamUrl(url, options);
  return follow(url, options);
}

/** @param {string} url @param {Options} options @returns {AsyncGenerator<Received, void, void>} */
async function* follow(url, options) {
  const { signal } = options;
  const inbox = new Inbox();
  const follower = new Follower(options);
  const stream = new Stream(url, {
    message: (message) => inbox.put(message),
    lost: (retry_s, reason, code) => {
      if (code === POLICY) inbox.end(new Error(`${url} refuses: ${reason}; ${options.token ? "check the token" : "it asks for a token"}`));
      inbox.put({ ...stream.place, type: "lost", data: { reason, retry_s } });
    },
  }, options);
  const end = () => inbox.end();
  signal?.addEventListener("abort", end);
  try {
    if (signal?.aborted) end();
    for (let event = await inbox.take(); event; event = await inbox.take()) yield* follower.follow(event);
  } finally {
    signal?.removeEventListener("abort", end);
    stream.close();
  }
}

/**
 * The same for callbacks, as the page uses it: everything at once and as it comes, also what is repeated.
 *
 * @typedef {object} StreamListener
 * @property {() => void} [open] the line is up
 * @property {(retry_s: number, reason: string, code: number) => void} lost the line is down; the next attempt comes in `retry_s`
 * @property {(message: Message) => void} message
 */
export class Stream {
  /** The newest message that came. @type {Place} */ place = { session: "", seq: 0 };
  #socket;

  /** @param {string} url @param {StreamListener} listener @param {Options} [options] */
  constructor(url, listener, options = {}) {
    const { hz, token, resume = true, types = TEXT_TYPES } = options;
    /** @param {Message | null} message */
    const pass = (message) => {
      if (!message) return; // malformed or unknown: as if it never came
      const { session, type } = message;
      const seq = session === this.place.session ? Math.max(this.place.seq, message.seq) : message.seq;
      this.place = { session, seq };
      if (type === "hello" || types.includes(type)) listener.message(message);
    };
    this.#socket = new Socket(() => streamUrl(url, options, resume && this.place.session ? this.place : null), {
      open: () => listener.open?.(),
      lost: (wait_s, reason, code) => listener.lost(wait_s, reason, code),
      text: (json) => pass(decodeText(json)),
      binary: (buffer) => pass(decodeBinary(buffer, this.place.session)),
    }, { silence_s: hz ? 1 / hz : 0, greeting: token && JSON.stringify({ token }), WebSocket: options.WebSocket });
  }

  /** Wish to hear another channel of the device, from 1; granted to a page opened on the analyzer's own machine alone. @param {number} channel */
  listenTo(channel) {
    this.#socket.send(JSON.stringify({ listen_to: channel }));
  }

  /** Try at once instead of waiting for the next attempt. */
  retryNow() {
    this.#socket.retryNow();
  }

  /** End it. */
  close() {
    this.#socket.close();
  }
}

/** Finds what is missing or repeated. State: the session and, of each type, the newest message. */
export class Follower {
  #session = "";
  #resume;
  #tellsGaps;
  /** @type {Map<string, Message>} */ #newest = new Map();
  /** @type {Set<string>} those that came on this connection */ #here = new Set();

  /** @param {Pick<Options, "hz" | "resume">} [options] */
  constructor({ hz, resume = true } = {}) {
    this.#resume = resume;
    this.#tellsGaps = !hz;
  }

  /** What an event means: itself, unless it was there before, after the gap before it. @param {Message | Lost} event @returns {Received[]} */
  follow(event) {
    if (event.type === "lost") return [event];
    /** @type {Received[]} */
    const received = [];
    const { type, session, seq, nth } = event;
    if (session !== this.#session) {
      if (this.#session && this.#resume) received.push(this.#gap(null, null));
      this.#session = session;
      this.#newest.clear();
    }
    if (type === "hello") this.#here.clear();
    const before = this.#newest.get(type);
    if (before && type !== "hello") {
      if (seq <= before.seq) return received; // the last of each type is repeated on every connection
      const missed = (nth - before.nth - 1) & NTH_MASK;
      const counts = this.#tellsGaps && (this.#resume || this.#here.has(type));
      if (missed && counts) received.push(this.#gap(type, missed));
    }
    this.#here.add(type);
    this.#newest.set(type, event);
    received.push(event);
    return received;
  }

  /** @param {MessageType | null} kind @param {number | null} missed @returns {Gap} */
  #gap(kind, missed) {
    const seq = Math.max(0, ...[...this.#newest.values()].map((message) => message.seq));
    return { type: "gap", session: this.#session, seq, data: { kind, missed } };
  }
}

/** What came and was not taken yet. Once it is too much or too old, only the newest of each type is kept. */
class Inbox {
  /** @type {{at: number, event: Message | Lost}[]} */ #waiting = [];
  #ended = false;
  /** @type {Error | null} */ #error = null;
  #wake = () => {};

  /** @param {Message | Lost} event */
  put(event) {
    const at = performance.now();
    this.#waiting.push({ at, event });
    if (at - this.#waiting[0].at > STALE_MS || this.#waiting.length > MOST_WAITING) {
      const newest = new Map(this.#waiting.map((entry) => [entry.event.type, entry]));
      this.#waiting = this.#waiting.filter((entry) => newest.get(entry.event.type) === entry);
    }
    this.#wake();
  }

  /** Let no more be taken. @param {Error | null} [error] why */
  end(error = null) {
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  /** Wait for the oldest, and remove it; null at the end. @returns {Promise<Message | Lost | null>} */
  async take() {
    while (!this.#ended && this.#waiting.length === 0) {
      await new Promise((/** @type {(value?: undefined) => void} */ resolve) => (this.#wake = resolve));
    }
    if (this.#error) throw this.#error;
    return this.#ended ? null : (this.#waiting.shift()?.event ?? null);
  }
}

/**
 * The address to connect to. The status is always asked for: it comes while all else is silent, and shows that the line lives.
 * @param {string} url
 * @param {Options} options
 * @param {Place | null} [since] the newest message that came
 */
function streamUrl(url, { types = TEXT_TYPES, hz, input }, since = null) {
  const address = new URL(url);
  const scheme = { "ws:": "ws:", "wss:": "wss:", "http:": "ws:", "https:": "wss:" }[address.protocol];
  if (!scheme) throw new TypeError(`${url} is no address of a stream; write it like ws://HOST:8765/ws`);
  const unknown = types.filter((type) => !TYPES.includes(type));
  if (unknown.length > 0 || types.length === 0) {
    throw new TypeError(`types: ${unknown.length > 0 ? `there is no ${unknown[0]}` : "none"}; known are ${TYPES.join(", ")}`);
  }
  if (hz !== undefined && !(hz >= 0.1 && hz <= 10)) throw new TypeError(`hz = ${hz} must be a number from 0.1 to 10`);
  address.protocol = scheme;
  address.hash = "";
  if (address.pathname.endsWith("/")) address.pathname += "ws";
  const wanted = TYPES.filter((type) => type === "status" || types.includes(type));
  const given = [`types=${wanted.join(",")}`];
  if (hz !== undefined) given.push(`hz=${hz}`);
  if (input !== undefined) given.push(`input=${encodeURIComponent(input)}`);
  if (since) given.push(`since=${since.session}.${since.seq}`);
  address.search = given.join("&");
  return address.href;
}
