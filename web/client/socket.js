// @ts-check
/**
 * One WebSocket that comes back by itself: back-off with jitter when it is lost, and a watchdog for a line that is open
 * and silent. That one is renewed without a word, since a source that has paused looks just like a line that died.
 */

const SHORTEST_S = 0.5;
const LONGEST_S = 10;
const ABNORMAL = 1006; // of whatever went wrong a browser tells a page no more
const SILENCE_S = 6; // several times as long as the analyzer is ever quiet

/**
 * Seconds to wait before attempt number `attempt` (0 for the first after a loss): between 0.5 s and a bound that doubles
 * up to 10 s, drawn evenly so that many pages don't come back at the same instant.
 * @param {number} attempt
 * @param {number} random in [0, 1)
 */
export function backoff(attempt, random) {
  const bound = Math.min(LONGEST_S, SHORTEST_S * 2 ** Math.min(attempt + 1, 10));
  return SHORTEST_S + random * (bound - SHORTEST_S);
}

/**
 * @typedef {object} Listener
 * @property {() => void} open the line is up
 * @property {(wait_s: number, reason: string, code: number) => void} lost the line is down; the next attempt comes in `wait_s`
 * @property {(json: string) => void} text
 * @property {(buffer: ArrayBuffer) => void} binary
 *
 * @typedef {object} SocketOptions
 * @property {number} [silence_s] how much longer than usual the line may be silent
 * @property {string} [greeting] what is said first
 * @property {typeof WebSocket} [WebSocket]
 */

export class Socket {
  /** @type {WebSocket | null} */ #line = null;
  #attempt = 0;
  #retry = 0;
  #watchdog = 0;
  #url;
  #listener;
  #options;

  /** @param {() => string} url asked before each attempt @param {Listener} listener @param {SocketOptions} [options] */
  constructor(url, listener, options = {}) {
    this.#url = url;
    this.#listener = listener;
    this.#options = options;
    this.#connect();
  }

  /** End it: no attempt follows. */
  close() {
    clearTimeout(this.#retry);
    if (this.#line) this.#drop(this.#line);
  }

  /** Say something, if there is a line. @param {string} text */
  send(text) {
    if (this.#line?.readyState === this.#line?.OPEN) this.#line?.send(text);
  }

  /** Try at once instead of waiting out the back-off; nothing happens while a line is up or being set up. */
  retryNow() {
    if (this.#line) return;
    clearTimeout(this.#retry);
    this.#connect();
  }

  #connect() {
    const line = new (this.#options.WebSocket ?? WebSocket)(this.#url());
    this.#line = line;
    line.binaryType = "arraybuffer";
    line.onopen = () => {
      if (this.#options.greeting) line.send(this.#options.greeting);
      this.#listener.open();
      this.#listen();
    };
    line.onmessage = ({ data }) => {
      this.#attempt = 0; // an accepted line that never speaks keeps the back-off growing
      this.#listen();
      if (typeof data === "string") this.#listener.text(data);
      else this.#listener.binary(data);
    };
    line.onclose = ({ code, reason }) => this.#lost(line, reason || (code === ABNORMAL ? "no connection" : `code ${code}`), code);
    this.#listen();
  }

  /** Start the watchdog anew. */
  #listen() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#renew(), (SILENCE_S + (this.#options.silence_s ?? 0)) * 1000);
  }

  #renew() {
    const line = this.#line;
    if (!line) return;
    if (line.readyState !== line.OPEN) {
      this.#lost(line, "no answer in time", ABNORMAL);
      return;
    }
    this.#drop(line);
    this.#connect();
  }

  /** @param {WebSocket} line @param {string} reason @param {number} code */
  #lost(line, reason, code) {
    if (this.#line !== line) return;
    this.#drop(line);
    const wait_s = backoff(this.#attempt++, Math.random());
    this.#retry = setTimeout(() => this.#connect(), wait_s * 1000);
    this.#listener.lost(wait_s, reason, code);
  }

  /** @param {WebSocket} line */
  #drop(line) {
    this.#line = null;
    clearTimeout(this.#watchdog);
    line.onopen = line.onmessage = line.onclose = null;
    line.close();
  }
}
