// @ts-check
/** Every word on the page: what index.html shows before this file is there stands here too, a test holds them equal. */

/** @import {Situation} from "./state.js" */
/** @import {State} from "./state.js" */
/** @import {GenreState, TempoState} from "../client/protocol.js" */
/** @import {Row} from "./timeline.js" */

/** Words of index.html, by its data-t and data-label. @type {Record<string, string>} */
export const PAGE = {
  connecting: "Connecting",
  looking: "Looking for the analyzer.",
  tempo: "Tempo",
  demo: "Demo, no live sound",
  unsure: "Not sure yet",
  bpm: "BPM",
  searching: "Searching",
  alternatives: "Other tempi that fit: tap one to see it instead",
  genre: "Genre",
  likeliest: "Likeliest genres",
  sound: "Sound",
  spectrogram: "Spectrogram of the last seconds: time from left to right, frequency from low to high",
  meter: "Level meter",
  clip: "clip",
  key: "Key",
  energy: "how loud, dense and bright, for tonight",
  loudness: "Loudness",
  lufs: "LUFS",
  integrated: "The set",
  range: "Range",
  truePeak: "True peak",
  target: "Target",
  targets: "Loudness that the line marks",
  set: "The set so far",
  zoom: "How much of it",
  plot: "Tempo and genre over time: arrow keys read values",
  inputs: "Inputs: choose the one that is shown large",
  mark: "Mark (M)",
  device: "Device",
  input: "Input",
  latency: "Sound to screen",
  lag: "Lag",
  lost: "Audio lost",
  nonfinite: "Bad samples",
  broker: "MQTT broker",
  setLog: "Set log",
  skipped: "Messages skipped",
  viewers: "Viewers",
  models: "Models",
  session: "session",
  sets: "Past sets",
  explain: "What the numbers mean",
  close: "Close",
};

/** @type {Record<Situation, {title: string, advice: string, tone: "calm" | "wait" | "warn" | "alarm"}>} */
export const SITUATIONS = {
  connecting: { tone: "wait", title: "Connecting", advice: "Looking for the analyzer." },
  offline: { tone: "alarm", title: "No connection", advice: "The analyzer does not answer. Is it still running?" },
  locked: { tone: "warn", title: "Login needed", advice: "Open the login link that the analyzer gave at its start." },
  full: { tone: "warn", title: "No room", advice: "Too many are watching, or this device is too slow. Trying again by itself." },
  device_lost: { tone: "alarm", title: "Device lost", advice: "Reconnecting by itself. Check the cable." },
  ended: { tone: "warn", title: "Ended", advice: "The sound has come to its end. Start the analyzer again for more." },
  starting: { tone: "wait", title: "Starting", advice: "Opening the sound." },
  silent: { tone: "warn", title: "Too quiet", advice: "Nothing to hear. Turn the input up or choose another device." },
  zeros: { tone: "warn", title: "Nothing but zeros", advice: "Is the input muted or switched off? On a Mac, may this program use the microphone?" },
  elsewhere: { tone: "warn", title: "Sound on another channel", advice: "What is listened to is silent." },
  hum: { tone: "warn", title: "Only a hum", advice: "No music, but a hum that does not move. Check cable and ground, or turn the music up." },
  tone: { tone: "warn", title: "Only a tone", advice: "No music, but a tone that does not move." },
  noise: { tone: "warn", title: "Only noise", advice: "No music, but a noise that does not move. Is anything playing into this input?" },
  stalled: { tone: "alarm", title: "No sound arrives", advice: "The source is open and sends nothing. Is it paused?" },
  clipping: { tone: "warn", title: "Clipping", advice: "The sound is cut off at the top. Turn the input down." },
  degraded: { tone: "warn", title: "Audio dropped", advice: "Some sound was lost. The numbers settle within a few seconds." },
  cancelling: { tone: "warn", title: "Channels cancel", advice: "One channel is inverted: the mix would be silent, so the strongest is heard alone. Check the cables." },
  not_music: { tone: "warn", title: "No music", advice: "This does not sound like music; the genre waits." },
  warming: { tone: "wait", title: "Listening", advice: "The first tempo and genre come after a few seconds of sound." },
  live: { tone: "calm", title: "Live", advice: "" },
};

/** @type {Record<TempoState, string>} */
export const TEMPO_STATES = {
  searching: "Searching",
  locked: "Locked",
  octave: "Half or double?",
  holding: "Holding",
  unsteady: "Unsteady",
};

/** What is wrong with the MQTT broker, by its state; of others nothing is said. @type {Record<string, string>} */
const BROKERS = { down: "can't be reached", refused: "refuses", clash: "has another analyzer of this name" };

/** @param {{broker: string, broker_refusal: string}} status */
export const broker = ({ broker, broker_refusal }) => [BROKERS[broker] ?? "", broker === "refused" ? broker_refusal : ""].join(" ").trim();

/** Why the set log can't be written; of one that can nothing is said. @param {{log: string, log_trouble: string}} status */
export const log = ({ log, log_trouble }) => (log === "stuck" ? `can't be written: ${log_trouble}` : "");

/** What is said of a genre that is not sure, with its age beside it. @type {Record<GenreState, string>} */
export const VERDICTS = {
  searching: "only a guess",
  music: "",
  holding: "holding",
  not_music: "no music now",
};

/** @type {Record<string, string>} */
const SOURCES = { demo: "Demo set", file: "File", device: "Sound device", stdin: "Standard input", stream: "Stream", phone: "Phone" };

/** Ratios of another tempo to the shown one, and their names. @type {readonly (readonly [number, string])[]} */
const RELATIONS = [
  [1 / 3, "a third"],
  [1 / 2, "half"],
  [2 / 3, "two thirds"],
  [3 / 4, "three quarters"],
  [4 / 3, "four thirds"],
  [3 / 2, "three halves"],
  [2, "double"],
  [3, "triple"],
];

export const RATIOS = RELATIONS.map(([ratio]) => ratio);

/** Genres whose name is more than their label with a capital letter. @type {Record<string, string>} */
const GENRES = { hiphop: "Hip-Hop", "hip-hop": "Hip-Hop", rnb: "R&B", "drum and bass": "Drum & Bass" };

/** @param {string} label */
export const genre = (label) => GENRES[label] ?? label.charAt(0).toUpperCase() + label.slice(1);

export const UNSURE = PAGE.unsure;
export const NO_MUSIC = "No music";
export const UNCERTAIN = "Can’t tell";

export const MARKED = "Marked";
export const NOT_MARKED = "Not marked";

/** What is said where the analyzer has no model for it. */
export const ABSENT = { tempo: "No tempo model", genre: "No genre model", key: "No key model", loudness: "No meter: pyebur128 is missing" };
export const NO_KEY = "No clear key";
const NO_GENRE = "no genre";
export const NONE = "–";
export const NOW = "now";

/** @param {number} bpm */
export const bpm = (bpm) => bpm.toFixed(1);

/** @param {number} part 0..1 */
export const percent = (part) => `${Math.round(100 * part)}\u00a0%`;

/** @param {number} part 0..1 */
export const sure = (part) => `${percent(part)} sure`;

/** @param {number} beats */
export const bar = (beats) => `${beats} beats a bar`;

/** @param {number} seconds */
export function age(seconds) {
  if (seconds < 1) return "heard just now";
  if (seconds < 60) return `heard ${Math.floor(seconds)}\u00a0s ago`;
  return `heard ${Math.floor(seconds / 60)}\u00a0min ago`;
}

/** The first two of what it may be, likeliest first. @param {readonly {label: string, p: number}[]} top */
export const perhaps = (top) => top.slice(0, 2).map(({ label, p }) => `${genre(label)} ${percent(p)}`).join(", ");

/** What mixes with a key, by their codes. @param {readonly string[]} codes */
export const mixesWith = (codes) => (codes.length ? `mixes with ${codes.slice(0, -1).join(", ")} and ${codes.at(-1)}` : "");

/** How the music is tuned. @param {number} cents */
export const tuning = (cents) => `${cents < 0 ? "−" : "+"}${Math.abs(cents).toFixed(0)}\u00a0cents`;

/** @param {number} part */
export const music = (part) => `${percent(part)} music`;

/** What another tempo is to the shown one. @param {number} ratio @returns {{ratio: number, name: string} | null} */
export function relation(ratio) {
  const known = RELATIONS.find(([value]) => Math.abs(ratio / value - 1) < 0.03);
  return known ? { ratio: known[0], name: known[1] } : null;
}

export const OR = "or";

/** What the viewer has chosen to see. @param {number} ratio @param {number} heard_bpm */
export const choice = (ratio, heard_bpm) => `Shown at ${relation(ratio)?.name ?? OR}; heard ${bpm(heard_bpm)}`;

/** A length of time as minutes and seconds, with hours when there are any. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const minutes = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return whole < 3600 ? minutes : `${Math.floor(whole / 3600)}:${minutes}`;
}

/** @param {number} seconds */
export const seconds = (seconds) => `${seconds.toFixed(seconds < 10 ? 1 : 0)}\u00a0s`;

/** @param {number} first_s seconds of sound until every model has given its first answer */
export const first = (first_s) => `The first tempo and genre come after ${Math.ceil(first_s)}\u00a0s of sound.`;

/** @param {number} channel that has sound while what is heard has none */
export const elsewhere = (channel) => `Channel ${channel} has sound. Start the analyzer with --channel ${channel} to listen to it.`;

/** @param {number} channel */
export const listen = (channel) => `Listen to channel ${channel}`;

/** @param {number} wait_s */
export const retry = (wait_s) => (wait_s >= 1 ? `Trying again in ${Math.ceil(wait_s)}\u00a0s.` : "Trying again.");

/** @param {{kind: string, name: string}} source */
export function source({ kind, name }) {
  const word = SOURCES[kind] ?? kind;
  return name && name !== kind ? `${word}: ${name}` : word;
}

/** @param {{kind: string, name: string}} from @param {string} title */
export const playing = (from, title) => (title ? `${title} (${from.name})` : source(from));

/** @param {{rate_hz: number, channels: number}} source */
export function format({ rate_hz, channels }) {
  if (!rate_hz) return NONE;
  const layout = channels === 1 ? "mono" : channels === 2 ? "stereo" : `${channels} channels`;
  return `${rate_hz / 1000}\u00a0kHz ${layout}`;
}

/** @param {string} task @param {number} window_s */
export const hears = (task, window_s) => `${task} hears ${Math.round(window_s)}\u00a0s`;

/** @param {number} db */
export const decibels = (db) => db.toFixed(0).replace("-", "−");

/** One digit, and a minus that is as wide as a plus. @param {number} db */
export const lufs = (db) => db.toFixed(1).replace("-", "−");

/** @param {number} lufs_ integrated @param {number} target */
export function againstTarget(lufs_, target) {
  const over = Math.round(10 * (lufs_ - target)) / 10;
  const words = over === 0 ? "on target" : `${Math.abs(over).toFixed(1)}\u00a0LU ${over > 0 ? "over" : "under"}`;
  return `${lufs(lufs_)}\u00a0LUFS, ${words}`;
}

/** @param {number} lu */
export const loudnessUnits = (lu) => `${lu.toFixed(1)}\u00a0LU`;

/** @param {number} db */
export const truePeak = (db) => `${lufs(db)}\u00a0dBTP`;

/** @param {number} hz */
export const frequency = (hz) => (hz < 1000 ? String(hz) : `${hz / 1000}k`);

/** One sentence for a screen reader. @param {string} title @param {string} advice @param {number | null} tempo @param {string} genre */
export function spoken(title, advice, tempo, genre) {
  const numbers = tempo === null ? [] : [`${bpm(tempo)} beats per minute`];
  return [`${title}.`, advice, [...numbers, genre].filter(Boolean).join(", ")].filter(Boolean).join(" ");
}

/** @param {number | null} latency_s */
export const milliseconds = (latency_s) => (latency_s === null ? NONE : `${Math.round(latency_s * 1000)}\u00a0ms`);

/** @param {number} zoom_s 0 is all */
export const zoom = (zoom_s) => (zoom_s ? `${zoom_s / 60}\u00a0min` : "All");

/** @param {number} count */
export const changes = (count) => (count === 0 ? "No change of genre or tempo yet" : count === 1 ? "One change of genre or tempo" : `${count} changes of genre or tempo`);

/** @type {Record<string, string>} */
export const TURNS = { build_up: "Build-up", drop: "Drop", breakdown: "Breakdown" };

/** @param {number} value */
export const energy = (value) => `Energy ${percent(value)}`;

/** What was heard at a time. @param {number} time_s @param {Row | null} row */
export function reading(time_s, row) {
  if (!row) return `${clock(time_s)}  nothing to hear`;
  const tempo = row.bpm > 0 ? [`${bpm(row.bpm)} BPM`, TEMPO_STATES[row.state].toLowerCase()] : [];
  const genres = row.top.slice(0, 2).map(({ label, p }) => `${genre(label)} ${percent(p)}`);
  const drive = row.energy === null ? [] : [energy(row.energy)];
  const rest = [row.key, ...drive, row.drop ? TURNS.drop : ""].filter(Boolean);
  return [clock(time_s), ...tempo, ...(genres.length ? genres : [NO_GENRE]), ...rest].join("  ");
}

/** @param {State} state @param {string} task */
function windowOf(state, task) {
  const model = state.hello?.models.find((one) => one.task === task);
  return model ? `${Math.round(model.window_s)}\u00a0s` : NONE;
}

/**
 * The details panel: each number, its present value and a sentence.
 * @type {readonly {term: string, sentence: string, value: (state: State, latency_s: number | null) => string}[]}
 */
export const DETAILS = [
  {
    term: "Tempo",
    sentence: "Beats per minute. Halving or doubling it changes how you count, not how fast the music is; tap half or double to count your way, on this screen alone; the address keeps it.",
    value: ({ tempo }) => (tempo ? bpm(tempo.data.bpm) : NONE),
  },
  {
    term: "Sure",
    sentence: "How likely the number is right, as the model judges it. The thicker the numerals, the surer.",
    value: ({ tempo }) => (tempo ? percent(tempo.data.confidence) : NONE),
  },
  {
    term: "Locked, half or double, holding, unsteady, searching",
    sentence: "Locked follows a steady beat. Half or double: the beat is sure, its count is not. Holding keeps the last sure number through a break. Unsteady means the beat wavers. Searching has found none yet.",
    value: ({ tempo }) => (tempo ? TEMPO_STATES[tempo.data.state] : NONE),
  },
  {
    term: "Beat and bar",
    sentence: "The lamp lights when a beat is heard, more on the first of a bar, and the surer the brighter; each beat foretells the next. The number counts the beats of the bar, as heard, not halved or doubled. Where the screen shall not move, the number alone changes.",
    value: ({ beat }) => (beat ? (beat.data.beats_in_bar ? `${bar(beat.data.beats_in_bar)}, ${sure(beat.data.confidence)}` : sure(beat.data.confidence)) : NONE),
  },
  {
    term: "Genre",
    sentence: "What the music is most like among the genres that the model knows; the bars share 100\u00a0% with all those not shown.",
    value: (state) => genre(state.genre?.data.label ?? "") || NONE,
  },
  {
    term: "Sub-genre",
    sentence: "A style within that genre, shown beside it when the model is sure of it.",
    value: ({ genre: heard }) => (heard?.data.sub_genre ? `${genre(heard.data.sub_genre.label)} ${percent(heard.data.sub_genre.p)}` : NONE),
  },
  {
    term: "Music",
    sentence: "How likely it is music at all. Of speech and noise the page says that they are no music; the genre is then that of the music before, and ages.",
    value: (state) => (state.genre ? percent(state.genre.data.music) : NONE),
  },
  {
    term: "Key",
    sentence: "The key that the music is in, and its place on the Camelot wheel: the same place, its two neighbours and the other ring's same number mix well. It is judged by the last 30\u00a0s, and anew when the last 8\u00a0s tell of another one; drums alone leave it as it was.",
    value: ({ key }) => (key?.data.label ? `${key.data.label}, ${key.data.camelot}` : NONE),
  },
  {
    term: "Tuning",
    sentence: "How far the music is tuned above or below an A of 440\u00a0Hz; a pitch fader moves it.",
    value: ({ key }) => (key ? tuning(key.data.tuning_cents) : NONE),
  },
  {
    term: "Loudness",
    sentence: "As broadcasters measure it (EBU R128): the numerals tell the last 3\u00a0s, the bar the last 0.4\u00a0s. The line is the target, the small mark the whole set without its pauses. A set as loud as its target need not be turned up or down by who plays it.",
    value: ({ loudness }) => (loudness ? `${lufs(loudness.data.short_term_lufs)}\u00a0LUFS` : NONE),
  },
  {
    term: "Energy",
    sentence: "How loud, dense and bright the last seconds are, from the calmest (0 %) to the wildest (100 %) of this night so far. A line in its curve is a drop: bass and drums come back after they were gone.",
    value: (state) => (state.energy ? percent(state.energy.data.value) : NONE),
  },
  {
    term: "Range, true peak",
    sentence: "How far the loud and the soft parts of the set lie apart; and its largest peak, between the samples too: above 0 it is cut off when it is played or encoded.",
    value: ({ loudness }) => (loudness ? `${loudnessUnits(loudness.data.range_lu)}, ${truePeak(loudness.data.true_peak_dbtp)}` : NONE),
  },
  {
    term: "Tempo hears",
    sentence: "The stretch of sound that each tempo is judged by, marked below the spectrogram. After a change it takes about that long to be sure again.",
    value: (state) => windowOf(state, "tempo"),
  },
  { term: "Genre hears", sentence: "The same for the genre.", value: (state) => windowOf(state, "genre") },
  {
    term: "Sound to screen",
    sentence: "From a sound's arrival at the analyzer until it is in the spectrogram here: measured there and here, plus half the shortest round trip between. The sound card and the display come on top.",
    value: (_, latency_s) => milliseconds(latency_s),
  },
  {
    term: "Lag",
    sentence: "Sound that waits to be analysed. It stays near zero unless the computer is too busy.",
    value: ({ status }) => (status ? seconds(status.data.lag_s) : NONE),
  },
  {
    term: "Audio lost",
    sentence: "Sound that never arrived since the start, or was dropped because the computer was too busy.",
    value: ({ status }) => (status ? seconds(status.data.lost_s) : NONE),
  },
  { term: "Viewers", sentence: "Pages and programs that follow along now.", value: ({ status }) => (status ? String(status.data.clients) : NONE) },
];
