// @ts-check
/** In the audio thread: what the microphone hears, as 16-bit samples in pieces of 20 ms, with their place in the count. */

/** @type {any} no library describes the scope of worklets */
const scope = globalThis;
const PIECE_S = 0.02;

class Capture extends scope.AudioWorkletProcessor {
  #piece = new Int16Array(Math.round(scope.sampleRate * PIECE_S));
  #filled = 0;
  #count = 0;

  /** @param {Float32Array[][]} inputs */
  process([input]) {
    for (const sample of input[0] ?? []) {
      this.#piece[this.#filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
      if (this.#filled === this.#piece.length) this.#send();
    }
    return true;
  }

  #send() {
    const samples = this.#piece;
    this.#piece = new Int16Array(samples.length);
    this.#filled = 0;
    this.port.postMessage({ at: this.#count, samples }, [samples.buffer]); // which leaves nothing of it here
    this.#count += this.#piece.length;
  }
}

scope.registerProcessor("capture", Capture);
