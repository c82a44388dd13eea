// The module that other people's pages import: what a subscriber gets over lines that break, repeat, fall silent and lie.
import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Follower, subscribe } from "../../web/client/client.js";
import { backoff } from "../../web/client/socket.js";

const LEVEL = { rms_dbfs: -20, peak_dbfs: -3, clipping: false };
const text = (type, nth, { session = "aaaaaa", seq = nth, data = LEVEL } = {}) =>
  JSON.stringify({ v: 1, type, session, seq, nth, time_s: 1, data });
const hello = (session) => text("hello", 0, { session, data: {} });
const short = ({ type, data, seq }) => (type === "gap" ? `gap ${data.kind} ${data.missed}` : `${type} ${seq}`);

/** Stands for WebSocket; the test is its server. */
class Line {
  /** @type {Line[]} */ static all = [];
  OPEN = 1;
  readyState = 0;
  sent = [];
  closed = false;
  constructor(url) {
    this.query = new URL(url).searchParams;
    Line.all.push(this);
  }
  send(said) {
    this.sent.push(said);
  }
  close() {
    this.closed = true;
  }
  open(...messages) {
    this.readyState = 1;
    this.onopen();
    this.say(...messages);
    return this;
  }
  say(...messages) {
    for (const data of messages) this.onmessage({ data });
  }
  end(code = 1006, reason = "") {
    this.onclose?.({ code, reason });
  }
}

const latest = () => Line.all.at(-1);
const follow = (options = {}) => subscribe("http://club.example/", { WebSocket: Line, types: ["level"], ...options });

/** Take so many. */
async function take(stream, count) {
  const taken = [];
  while (taken.length < count) taken.push((await stream.next()).value);
  return taken.map(short);
}

/** Ask for one, so that the stream begins, before the server says anything. */
function begin(stream) {
  const first = stream.next();
  return first.then(({ value }) => short(value));
}

beforeEach(() => {
  Line.all.length = 0;
  mock.timers.enable({ apis: ["setTimeout"] });
});
afterEach(() => mock.timers.reset());

test("what was chosen is in the address, and the status beside it, which shows that the line lives", async () => {
  const first = begin(follow({ types: ["tempo", "spectrum"], hz: 2, input: "deckB" }));
  assert.deepEqual(Object.fromEntries(latest().query), { types: "tempo,status,spectrum", hz: "2", input: "deckB" });
  latest().open(hello("aaaaaa"));
  assert.equal(await first, "hello 0");
});

test("what was not chosen, is unknown or malformed never came", async () => {
  const stream = follow();
  const first = begin(stream);
  latest().open(hello("aaaaaa"), text("tempo", 1), "{", new ArrayBuffer(3), text("rumour", 1), text("level", 1, { seq: 5, data: {} }));
  latest().say(text("level", 2, { seq: 9 }));
  assert.deepEqual([await first, ...(await take(stream, 1))], ["hello 0", "level 9"]);
});

test("a line that breaks comes back, goes on where it was, and tells what is missing all the same", async () => {
  const stream = follow();
  const first = begin(stream);
  latest().open(hello("aaaaaa"), text("level", 1), text("level", 2)).end(1013, "too slow");
  assert.deepEqual([await first, ...(await take(stream, 3))], ["hello 0", "level 1", "level 2", "lost 2"]);
  assert.equal(Line.all.length, 1);
  mock.timers.tick(1000);
  assert.equal(latest().query.get("since"), "aaaaaa.2");
  latest().open(hello("aaaaaa"), text("level", 2), text("level", 6));
  assert.deepEqual(await take(stream, 3), ["hello 0", "gap level 3", "level 6"]);
});

test("a new session is told", async () => {
  const stream = follow();
  const first = begin(stream);
  latest().open(hello("aaaaaa"), text("level", 70)).end(1001, "the source has ended");
  assert.deepEqual([await first, ...(await take(stream, 1))], ["hello 0", "level 70"]);
  assert.deepEqual((await stream.next()).value.data.reason, "the source has ended");
  mock.timers.tick(1000);
  latest().open(hello("bbbbbb"), text("level", 9, { session: "bbbbbb" }));
  assert.deepEqual(await take(stream, 3), ["gap null null", "hello 0", "level 9"]);
});

test("attempts come less and less often, and a line that spoke resets that", async () => {
  const stream = follow();
  const first = begin(stream);
  for (const [attempt, longest_ms] of [1000, 2000, 4000, 8000, 10_000, 10_000].entries()) {
    assert.equal(Line.all.length, attempt + 1);
    latest().end();
    mock.timers.tick(499);
    assert.equal(Line.all.length, attempt + 1);
    mock.timers.tick(longest_ms - 499);
  }
  assert.deepEqual([await first, ...(await take(stream, 5))], Array(6).fill("lost 0"));
  latest().open(hello("aaaaaa")).end();
  mock.timers.tick(1000);
  assert.equal(Line.all.length, 8);
  assert.equal(backoff(0, 0), 0.5);
  assert.equal(backoff(99, 1), 10);
});

test("a line that falls silent is renewed; with a low rate it may be silent for longer", () => {
  void begin(follow());
  void begin(follow({ hz: 0.1 }));
  const [usual, slow] = Line.all;
  usual.open(hello("aaaaaa"));
  slow.open(hello("aaaaaa"));
  mock.timers.tick(6000);
  assert.deepEqual([usual.closed, slow.closed, Line.all.length], [true, false, 3]);
  mock.timers.tick(4000);
  assert.equal(slow.closed, false);
  mock.timers.tick(6000);
  assert.equal(slow.closed, true);
});

test("the token is said first, and never in the address", () => {
  void begin(follow({ token: "s3cret" }));
  latest().open();
  assert.deepEqual(latest().sent, ['{"token":"s3cret"}']);
  assert.ok(!String(latest().query).includes("s3cret"));
});

test("a token that is refused ends it", async () => {
  const refused = follow({ token: "wrong" }).next();
  latest().open().end(1008, "the first message must be the token");
  await assert.rejects(refused, /club.example\/ refuses: the first message must be the token; check the token/);
  assert.equal(latest().closed, true);
  mock.timers.tick(60_000);
  assert.equal(Line.all.length, 1);
});

test("who is slow holds nobody up, and finds the newest and a gap", async () => {
  const stream = follow();
  const first = begin(stream);
  const now = mock.method(performance, "now", () => 0);
  latest().open(hello("aaaaaa"), text("level", 1));
  assert.deepEqual([await first, ...(await take(stream, 1))], ["hello 0", "level 1"]);
  for (let nth = 2; nth <= 100; nth++) {
    now.mock.mockImplementation(() => 100 * nth);
    latest().say(text("level", nth));
  }
  const taken = await take(stream, 2);
  assert.deepEqual(taken.map((one) => one.split(" ")[0]), ["gap", "level"]);
  assert.ok(Number(taken[1].split(" ")[1]) >= 80, taken[1]);
  now.mock.restore();
});

test("leaving closes the line, by break as by signal", async () => {
  const left = follow();
  const first = begin(left);
  latest().open(hello("aaaaaa"));
  await first;
  await left.return();
  assert.equal(latest().closed, true);

  const ending = new AbortController();
  const ended = follow({ signal: ending.signal }).next();
  latest().open();
  ending.abort();
  assert.deepEqual(await ended, { value: undefined, done: true });
  assert.equal(latest().closed, true);
  mock.timers.tick(60_000);
  assert.equal(Line.all.length, 2);
  assert.deepEqual(await follow({ signal: AbortSignal.abort() }).next(), { value: undefined, done: true });
});

test("wrong arguments are told at once", () => {
  assert.throws(() => subscribe("club"), TypeError);
  assert.throws(() => subscribe("ftp://club"), /no address of a stream/);
  assert.throws(() => subscribe("ws://club", { types: ["rumour"] }), /there is no rumour; known are tempo/);
  assert.throws(() => subscribe("ws://club", { types: [] }), /types: none/);
  for (const hz of [0, 11, Number.NaN]) assert.throws(() => subscribe("ws://club", { hz }), /from 0.1 to 10/);
  assert.equal(Line.all.length, 0);
});

test("gaps: not with a rate, not for what went round, and without resuming only on a standing line", () => {
  const levels = (follower, ...nths) =>
    nths.flatMap((nth) => follower.follow({ type: nth ? "level" : "hello", session: "a", seq: nth, nth, data: {} })).map(short);
  assert.deepEqual(levels(new Follower({ hz: 2 }), 1, 5), ["level 1", "level 5"]);
  assert.deepEqual(levels(new Follower(), 0, 1, 0, 1, 5), ["hello 0", "level 1", "hello 0", "gap level 3", "level 5"]);
  const restarts = new Follower({ resume: false });
  assert.deepEqual(levels(restarts, 0, 1, 0, 1, 5, 7), ["hello 0", "level 1", "hello 0", "level 5", "gap level 1", "level 7"]);
  const spectra = new Follower();
  const follow = (seq, nth) => spectra.follow({ type: "spectrum", session: "a", seq, nth, data: {} }).map(short);
  assert.deepEqual([follow(1, 65_535), follow(2, 0), follow(4, 2)], [["spectrum 1"], ["spectrum 2"], ["gap spectrum 1", "spectrum 4"]]);
});
