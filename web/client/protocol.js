// @ts-check
/**
 * Decodes the wire: JSON envelopes and binary spectrum frames become typed messages. Pure.
 * Whatever is unknown, malformed or of another protocol version becomes null, so nothing after this file needs to doubt.
 */

/**
 * @typedef {{bpm: number, salience: number}} Alternative
 * @typedef {"searching" | "locked" | "octave" | "holding" | "unsteady"} TempoState
 * @typedef {{bpm: number, confidence: number, state: TempoState, age_s: number, alternatives: Alternative[], beats_in_bar: number | null,
 *   bar_phase: number | null}} Tempo
 * @typedef {{beat_s: number, number: number | null, beats_in_bar: number | null, confidence: number, next_s: number, bpm: number}} Beat
 * @typedef {{label: string, p: number}} Score
 * @typedef {"searching" | "music" | "holding" | "not_music"} GenreState
 * @typedef {{label: string, confidence: number, state: GenreState, age_s: number, music: number, top: Score[], sub_genre: Score | null, second: Score | null, sure: boolean}} Genre the label is "" while nothing but not_music was heard
 * @typedef {"searching" | "clear" | "holding" | "unclear"} KeyState
 * @typedef {{label: string, camelot: string, confidence: number, state: KeyState, age_s: number, tuning_cents: number, top: Score[]}} Key label and camelot are "" while nothing had a key yet
 * @typedef {{momentary_lufs: number, short_term_lufs: number, integrated_lufs: number | null, range_lu: number, true_peak_dbtp: number}} Loudness
 * @typedef {{value: number, bass_dbfs: number, onsets_per_s: number, brightness_hz: number}} Energy
 * @typedef {{turn: "build_up" | "drop" | "breakdown", at_s: number, confidence: number}} Moment
 * @typedef {{rms_dbfs: number, peak_dbfs: number, clipping: boolean}} Level
 * @typedef {"none" | "quiet" | "zeros" | "elsewhere"} Silence
 * @typedef {"starting" | "warming" | "live" | "cancelling" | "silent" | "steady" | "degraded" | "device_lost" | "ended"} SourceState
 * @typedef {{state: SourceState, detail: string, lag_s: number, lost_s: number, nonfinite: number, clients: number, latency_s: number,
 *   title: string, silence: Silence, sound_on: number | null, broker: string, broker_refusal: string, log: string, log_trouble: string}} Status
 * @typedef {{text: string}} Mark
 * @typedef {{name: string, version: string, task: string, window_s: number, first_s: number}} Model
 * @typedef {{low_hz: number, high_hz: number, floor_db: number, ceil_db: number, bands: number, columns_per_s: number}} SpectrumScale
 * @typedef {{version: string, source: {kind: string, name: string, rate_hz: number, channels: number},
 *   types: string[], models: Model[], labels: string[], confident: number, spectrum: SpectrumScale,
 *   input: string, inputs: string[]}} Hello of which types messages come; none known: all; which input this is, and which there are
 */

/**
 * @typedef {{bpm: number, confidence: number, alternatives: Alternative[]}} SummaryTempo
 * @typedef {{label: string, confidence: number, scores: Record<string, number>}} SummaryGenre
 * @typedef {{label: string, camelot: string, confidence: number}} SummaryKey
 * @typedef {{integrated_lufs: number | null, range_lu: number, true_peak_dbtp: number}} SummaryLoudness
 * @typedef {{duration_s: number, tempo: SummaryTempo | null, genre: SummaryGenre | null, music: number,
 *   key: SummaryKey | null, loudness: SummaryLoudness | null, drops_s: number[]}} Summary
 * @typedef {{bands: number, columns: number, levels: Uint8Array}} Spectrum columns * bands levels, oldest column first, low band first
 */

/**
 * @typedef {{time_s: number, session: string, seq: number, nth: number}} Head
 * @typedef {Head & ({type: "hello", data: Hello} | {type: "tempo", data: Tempo} | {type: "beat", data: Beat} | {type: "genre", data: Genre}
 *   | {type: "key", data: Key} | {type: "loudness", data: Loudness} | {type: "energy", data: Energy} | {type: "moment", data: Moment} | {type: "level", data: Level} | {type: "status", data: Status} | {type: "summary", data: Summary} | {type: "mark", data: Mark}
 *   | {type: "spectrum", data: Spectrum})} Message
 * @typedef {Exclude<Message["type"], "hello">} MessageType
 * @typedef {Record<string, unknown>} Fields
 */

const VERSION = 1;
const SPECTRUM = 1;
const HEADER_BYTES = 24;
const TEMPO_STATES = ["searching", "locked", "octave", "holding", "unsteady"];
const KEY_STATES = ["searching", "clear", "holding", "unclear"];
const GENRE_STATES = ["searching", "music", "holding", "not_music"];
const SOURCE_STATES = ["starting", "warming", "live", "cancelling", "silent", "steady", "degraded", "device_lost", "ended"];

const TURNS = ["build_up", "drop", "breakdown"];
const SILENCES = ["none", "quiet", "zeros", "elsewhere"];

/** Thrown inside this file only: a field is missing or of the wrong type. */
class Malformed extends Error {}

/** @param {unknown} value @returns {Fields} */
function fields(value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Malformed();
  return /** @type {Fields} */ (value);
}

/** @param {unknown} value @returns {unknown[]} */
const list = (value) => (Array.isArray(value) ? value : []);

/** @param {unknown} value @param {number} [fallback] @returns {number} */
function number(value, fallback) {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (fallback === undefined) throw new Malformed();
  return fallback;
}

/** @param {unknown} value @returns {number | null} */
const maybe = (value) => (value === null || value === undefined ? null : number(value));

/** @param {unknown} value @param {string} [fallback] @returns {string} */
function text(value, fallback) {
  if (typeof value === "string") return value;
  if (fallback === undefined) throw new Malformed();
  return fallback;
}

/** @template {string} T @param {unknown} value @param {readonly string[]} allowed @returns {T} */
function oneOf(value, allowed) {
  const word = text(value);
  if (!allowed.includes(word)) throw new Malformed();
  return /** @type {T} */ (word);
}

/** @param {Fields} one */
const score = (one) => ({ label: text(one.label), p: number(one.p) });

/** @param {Fields} data */
const alternatives = (data) =>
  list(data.alternatives).map(fields).map((one) => ({ bpm: number(one.bpm), salience: number(one.salience) }));

/** @param {Fields} tempo */
const summaryTempo = (tempo) => ({ bpm: number(tempo.bpm), confidence: number(tempo.confidence), alternatives: alternatives(tempo) });

/** @param {Fields} genre */
const summaryGenre = (genre) => ({
  label: text(genre.label),
  confidence: number(genre.confidence),
  scores: Object.fromEntries(Object.entries(fields(genre.scores)).map(([label, p]) => [label, number(p)])),
});

/** @param {Fields} key */
const summaryKey = (key) => ({ label: text(key.label), camelot: text(key.camelot), confidence: number(key.confidence) });

/** @param {Fields} loudness */
const summaryLoudness = (loudness) => ({
  integrated_lufs: maybe(loudness.integrated_lufs),
  range_lu: number(loudness.range_lu),
  true_peak_dbtp: number(loudness.true_peak_dbtp),
});

/** @type {Record<string, (data: Fields) => unknown>} */
const READERS = {
  hello: (data) => {
    const source = fields(data.source ?? {});
    const spectrum = fields(data.spectrum ?? {});
    const feature = fields(data.feature ?? {});
    return {
      version: text(data.version, ""),
      source: {
        kind: text(source.kind, ""),
        name: text(source.name, ""),
        rate_hz: number(source.rate_hz, 0),
        channels: number(source.channels, 0),
      },
      types: list(data.types).map((type) => text(type)),
      models: list(data.models).map(fields).map((model) => ({
        name: text(model.name),
        version: text(model.version, ""),
        task: text(model.task, ""),
        window_s: number(model.window_s, 0),
        first_s: number(model.first_s, 0),
      })),
      labels: list(data.labels).map((label) => text(label)),
      confident: number(data.confident, 0),
      input: text(data.input, "main"),
      inputs: list(data.inputs).map((name) => text(name)),
      spectrum: {
        low_hz: 0,
        high_hz: number(feature.sample_rate_hz, 22_050) / 2,
        floor_db: number(spectrum.floor_db, -60),
        ceil_db: number(spectrum.ceil_db, 40),
        bands: number(spectrum.bands, 128),
        columns_per_s: number(spectrum.frames_per_second, 50),
      },
    };
  },
  tempo: (data) => ({
    bpm: number(data.bpm),
    confidence: number(data.confidence),
    state: oneOf(data.state, TEMPO_STATES),
    age_s: number(data.age_s, 0),
    alternatives: alternatives(data),
    beats_in_bar: maybe(data.beats_in_bar),
    bar_phase: maybe(data.bar_phase),
  }),
  beat: (data) => ({
    beat_s: number(data.beat_s),
    number: maybe(data.number),
    beats_in_bar: maybe(data.beats_in_bar),
    confidence: number(data.confidence),
    next_s: number(data.next_s),
    bpm: number(data.bpm),
  }),
  genre: (data) => ({
    label: text(data.label ?? ""),
    confidence: number(data.confidence),
    state: oneOf(data.state, GENRE_STATES),
    age_s: number(data.age_s, 0),
    music: number(data.music, 1),
    top: list(data.top).map(fields).map(score),
    sub_genre: data.sub_genre ? score(fields(data.sub_genre)) : null,
    second: data.second ? score(fields(data.second)) : null,
    sure: data.sure === true,
  }),
  key: (data) => ({
    label: text(data.label ?? ""),
    camelot: text(data.camelot ?? ""),
    confidence: number(data.confidence),
    state: oneOf(data.state, KEY_STATES),
    age_s: number(data.age_s, 0),
    tuning_cents: number(data.tuning_cents, 0),
    top: list(data.top).map(fields).map(score),
  }),
  loudness: (data) => ({
    momentary_lufs: number(data.momentary_lufs),
    short_term_lufs: number(data.short_term_lufs),
    ...summaryLoudness(data),
  }),
  energy: (data) => ({
    value: number(data.value),
    bass_dbfs: number(data.bass_dbfs),
    onsets_per_s: number(data.onsets_per_s),
    brightness_hz: number(data.brightness_hz),
  }),
  moment: (data) => ({
    turn: oneOf(data.turn, TURNS),
    at_s: number(data.at_s),
    confidence: number(data.confidence),
  }),
  level: (data) => ({
    rms_dbfs: number(data.rms_dbfs),
    peak_dbfs: number(data.peak_dbfs),
    clipping: data.clipping === true,
  }),
  status: (data) => ({
    state: oneOf(data.state, SOURCE_STATES),
    detail: text(data.detail, ""),
    lag_s: number(data.lag_s, 0),
    lost_s: number(data.lost_s, 0),
    nonfinite: number(data.nonfinite, 0),
    clients: number(data.clients, 0),
    latency_s: number(data.latency_s, 0),
    title: text(data.title, ""),
    silence: oneOf(data.silence ?? "none", SILENCES),
    sound_on: maybe(data.sound_on),
    broker: text(data.broker, "none"),
    broker_refusal: text(data.broker_refusal, ""),
    log: text(data.log, "off"),
    log_trouble: text(data.log_trouble, ""),
  }),
  summary: (data) => ({
    duration_s: number(data.duration_s),
    tempo: data.tempo ? summaryTempo(fields(data.tempo)) : null,
    genre: data.genre ? summaryGenre(fields(data.genre)) : null,
    music: number(data.music),
    key: data.key ? summaryKey(fields(data.key)) : null,
    loudness: data.loudness ? summaryLoudness(fields(data.loudness)) : null,
    drops_s: list(data.drops_s).map((at_s) => number(at_s)),
  }),
  mark: (data) => ({ text: text(data.text, "") }),
};

/**
 * Decode a text frame.
 * @param {string} json
 * @returns {Message | null}
 */
export function decodeText(json) {
  try {
    const envelope = fields(JSON.parse(json));
    const type = text(envelope.type);
    if (envelope.v !== VERSION || !Object.hasOwn(READERS, type)) return null;
    const place = { session: text(envelope.session, ""), seq: number(envelope.seq, 0), nth: number(envelope.nth, 0) };
    return /** @type {Message} */ ({ type, ...place, time_s: number(envelope.time_s, 0), data: READERS[type](fields(envelope.data)) });
  } catch (error) {
    if (error instanceof Malformed || error instanceof SyntaxError) return null;
    throw error;
  }
}

/**
 * Decode a binary frame; little-endian "<BBHHHQd" and then columns * bands levels, oldest column first, low band first.
 * The levels are a view into the buffer, not a copy.
 * @param {ArrayBuffer} buffer
 * @param {string} session that of hello: the frame carries none
 * @returns {Message | null}
 */
export function decodeBinary(buffer, session) {
  if (buffer.byteLength < HEADER_BYTES) return null;
  const view = new DataView(buffer);
  if (view.getUint8(0) !== VERSION || view.getUint8(1) !== SPECTRUM) return null;
  const bands = view.getUint16(2, true);
  const columns = view.getUint16(4, true);
  const nth = view.getUint16(6, true);
  const seq = Number(view.getBigUint64(8, true));
  const time_s = view.getFloat64(16, true);
  if (buffer.byteLength !== HEADER_BYTES + bands * columns || bands === 0 || !Number.isFinite(time_s)) return null;
  return { type: "spectrum", session, seq, nth, time_s, data: { bands, columns, levels: new Uint8Array(buffer, HEADER_BYTES) } };
}
