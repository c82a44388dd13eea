// Put into the page before it loads: a line to an analyzer that plays hours of music in seconds. Stands for WebSocket.
(() => {
  const RATE = 50;
  const COLUMNS = 5;
  const BANDS = 128;
  const LABELS = ["Electronic", "Hip-Hop", "Jazz", "Rock", "Pop", "Folk", "Reggae"];
  let seq = 0;
  let time_s = 0;
  const counts = { hello: 0 };
  const count = (type) => (type === "hello" ? 0 : (counts[type] = (counts[type] ?? 0) + 1));

  class FastLine extends EventTarget {
    OPEN = 1;
    readyState = 1;
    binaryType = "arraybuffer";
    constructor() {
      super();
      window.fastLine = this;
      setTimeout(() => {
        this.onopen?.();
        this.say("hello", window.fastHello, 0);
      });
    }
    close() {}
    say(type, data, number = ++seq) {
      this.onmessage?.({ data: JSON.stringify({ v: 1, type, session: "k3f9", seq: number, nth: count(type), time_s, data }) });
    }
    columns() {
      const buffer = new ArrayBuffer(24 + COLUMNS * BANDS);
      const view = new DataView(buffer);
      view.setUint8(0, 1);
      view.setUint8(1, 1);
      view.setUint16(2, BANDS, true);
      view.setUint16(4, COLUMNS, true);
      view.setUint16(6, count("spectrum") % 65_536, true);
      view.setBigUint64(8, BigInt(++seq), true);
      view.setFloat64(16, time_s, true);
      new Uint8Array(buffer, 24).fill(60 + (seq % 150));
      this.onmessage?.({ data: buffer });
    }
    /** One second of sound, as the analyzer tells it. */
    second() {
      for (let step = 0; step < RATE / COLUMNS; step++) {
        time_s += COLUMNS / RATE;
        this.columns();
        this.say("level", { rms_dbfs: -20 + 5 * Math.sin(time_s), peak_dbfs: -6, clipping: false });
        if (step % 5 === 0) this.say("tempo", this.tempo());
      }
      this.say("genre", this.genre());
      this.say("status", { state: "live", detail: "", lag_s: 0, lost_s: 0, nonfinite: 0, clients: 1, latency_s: 0.06 });
    }
    tempo() {
      const bpm = 90 + (Math.floor(time_s / 240) * 17) % 80 + Math.sin(time_s);
      return { bpm, confidence: 0.6 + 0.3 * Math.sin(time_s / 9), state: "locked", age_s: 0, alternatives: [{ bpm: bpm / 2, salience: 0.3 }] };
    }
    genre() {
      const first = Math.floor(time_s / 240) % LABELS.length;
      const top = LABELS.map((_, i) => ({ label: LABELS[(first + i) % LABELS.length], p: 0.6 / 2 ** i })).slice(0, 5);
      return { label: top[0].label, confidence: 0.6, state: "music", age_s: 0, music: 0.97, top };
    }
  }
  window.WebSocket = FastLine;
  const slow = []; // what the page does every few minutes must keep up with its fast clock
  const realInterval = window.setInterval;
  window.setInterval = (task, ms) => {
    if (ms >= 60_000) slow.push({ task, every: ms / 1000 });
    return realInterval(task, ms);
  };
  /** Play so many seconds, and let the page draw in between as it would. */
  window.playFast = async (seconds) => {
    for (let i = 0; i < seconds; i++) {
      window.fastLine.second();
      for (const { task, every } of slow) if (Math.floor(time_s / every) > Math.floor((time_s - 1) / every)) task();
      if (i % 20 === 19) await new Promise((done) => setTimeout(done));
    }
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done, 250)));
    return time_s;
  };
})();
