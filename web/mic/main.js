// @ts-check
/** The phone as microphone: captures, and sends to the analyzer on a WebSocket of its own that comes back by itself. */

import { backoff } from "../client/socket.js";

const HEADER_BYTES = 16;
const MOST_WAITING = 48_000; // bytes: half a second; what the line does not take is left out, and counted as lost
const POLICY = 1008;
const SAMPLE_BYTES = 2;

const WORDS = {
  idle: "Not listening.",
  asking: "May this page use the microphone?",
  connecting: "Looking for the analyzer.",
  live: "The analyzer hears this phone.",
  refused: "The microphone was refused.",
  insecure: "This page may not use the microphone.",
  again: (/** @type {string} */ why) => `${why || "The line is down"}. Trying again.`,
  stopped: (/** @type {string} */ why) => `Not heard: ${why}.`,
};
const ADVICE = {
  insecure:
    "Browsers give a microphone to https pages and to this machine itself alone. Start the analyzer with " +
    "--tls-cert and --tls-key, and open its https address; docs/devices.md says how to make a certificate.",
  refused: "Allow the microphone for this page in the browser's settings, then tap again.",
};

const element = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const say = (/** @type {string} */ state, /** @type {string} */ advice = "") => {
  element("state").textContent = state;
  if (advice) element("advice").textContent = advice;
};

/** One line to the analyzer. State: the socket, attempts since it last was up, whether the analyzer listens. */
class Line {
  /** @type {WebSocket | null} */ #socket = null;
  #attempt = 0;
  #retry = 0;
  #listens = false;
  #over = false;

  constructor() {
    this.#connect();
  }

  close() {
    this.#over = true;
    clearTimeout(this.#retry);
    this.#socket?.close();
  }

  /** Send a piece, unless the line is jammed. @param {number} at @param {Int16Array} samples @param {number} rate_hz */
  send(at, samples, rate_hz) {
    const socket = this.#socket;
    if (!socket || !this.#listens || socket.bufferedAmount > MOST_WAITING) return;
    const bytes = new Uint8Array(HEADER_BYTES + SAMPLE_BYTES * samples.length);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, 1);
    view.setUint8(1, 2);
    view.setUint16(2, 1, true);
    view.setUint32(4, rate_hz, true);
    view.setBigUint64(8, BigInt(at), true);
    bytes.set(new Uint8Array(samples.buffer), HEADER_BYTES); // every browser's machine is little-endian
    socket.send(bytes);
  }

  #connect() {
    say(WORDS.connecting);
    const url = new URL("sound", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.hash = "";
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onopen = () => {
      const key = location.hash.slice(1);
      if (key) socket.send(JSON.stringify({ key }));
    };
    socket.onmessage = () => {
      this.#listens = true;
      this.#attempt = 0;
      say(WORDS.live);
    };
    socket.onclose = ({ code, reason }) => {
      this.#listens = false;
      if (this.#over) return;
      if (code === POLICY) return say(WORDS.stopped(reason));
      say(WORDS.again(reason));
      this.#retry = setTimeout(() => this.#connect(), 1000 * backoff(this.#attempt++, Math.random()));
    };
  }
}

async function listen() {
  say(WORDS.asking);
  const wanted = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: wanted });
  const context = new AudioContext({ latencyHint: "interactive" });
  await context.audioWorklet.addModule("mic/worklet.js");
  const capture = new AudioWorkletNode(context, "capture");
  context.createMediaStreamSource(stream).connect(capture).connect(context.destination); // it plays nothing, but is run
  const line = new Line();
  capture.port.onmessage = ({ data }) => {
    show(data.samples);
    line.send(data.at, data.samples, context.sampleRate);
  };
  const lock = await navigator.wakeLock?.request("screen").catch(() => null);
  return () => {
    line.close();
    lock?.release();
    stream.getTracks().forEach((track) => track.stop());
    context.close();
    say(WORDS.idle);
  };
}

/** @param {Int16Array} samples */
function show(samples) {
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1);
  /** @type {HTMLMeterElement} */ (element("level")).value = 20 * Math.log10(peak / 32768);
}

const button = /** @type {HTMLButtonElement} */ (element("start"));
/** @type {(() => void) | null} */
let stop = null;

button.onclick = async () => {
  button.disabled = true;
  try {
    if (stop) stop();
    stop = stop ? null : await listen();
  } catch (error) {
    say(WORDS.refused, `${ADVICE.refused} (${error})`);
  }
  button.disabled = false;
  button.textContent = stop ? "Stop" : "Listen";
};

if (!window.isSecureContext || !navigator.mediaDevices) {
  say(WORDS.insecure, ADVICE.insecure);
  button.hidden = true;
}
