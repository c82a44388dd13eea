"""Any order of publishing, lagging, leaving and coming back: what a subscriber holds is whole, or told not to be.

The fan-out writes into a line that a test reads as slowly as it likes and may cut; our client's `Follower` reads it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from websockets.protocol import State

from stream_analyzer.client.following import Follower, Gap
from stream_analyzer.protocol.decode import Envelope, decode
from stream_analyzer.protocol.encode import Encoder
from stream_analyzer.protocol.subscription import Choice, Place, Subscription
from stream_analyzer.serving.hub import Complete, Hub, Newest
from stream_analyzer.serving.web.fanout import Fanout, Limits
from stream_analyzer.types import Beat, Level, Tempo
from tests.support.played import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from websockets.asyncio.server import ServerConnection

SESSION = "3fa91c"
HELD = 6
EVENTS: dict[str, Callable[[float], Any]] = {
    "tempo": lambda time_s: Tempo(time_s, 120.0, 0.9, "locked", 0.0, ()),
    "level": lambda time_s: Level(time_s, -20.0, -3.0, clipping=False),
    "beat": lambda time_s: Beat(time_s, time_s, 1, 4, 0.9, time_s + 0.5, 120.0),
}
EVERYTHING = Choice(frozenset(EVENTS))


class Line:
    """What the fan-out takes for a connection. State: the bytes that were written and not yet read."""

    state, response, remote_address = State.OPEN, None, ("10.0.0.9", 1)

    def __init__(self) -> None:
        """Start empty."""
        self.transport = self
        self.waiting = bytearray()

    def get_write_buffer_size(self) -> int:
        return len(self.waiting)

    def get_extra_info(self, _name: str) -> Line:
        return self

    def setsockopt(self, *_: int) -> None:
        """There is no socket."""

    def write(self, data: bytes) -> None:
        self.waiting += data

    def take(self, most: int) -> Iterator[str]:
        """Read at most so many frames (RFC 6455, 5.2: a server's are not masked)."""
        for _ in range(most):
            if not self.waiting:
                return
            size, at = self.waiting[1], 2
            if size > 125:
                wide = 2 if size == 126 else 8
                size, at = int.from_bytes(self.waiting[2 : 2 + wide], "big"), 2 + wide
            yield self.waiting[at : at + size].decode()
            del self.waiting[: at + size]


class Stream(RuleBasedStateMachine):
    """One session, and one subscriber that lags, leaves and comes back. State: both, and what was sent and came."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.encoder, self.sent = Encoder(SESSION), Counter[str]()
        self.fanout = Fanout(self.encoder, limits=Limits(held=HELD, piece_bytes=300))
        hello = decode(Session(SESSION).hello())
        assert hello
        self.hub = Hub(self.encoder.encode(cast("Any", hello.event)))
        self.stack = ExitStack()
        self.stack.enter_context(self.hub.subscribe(self.fanout))
        self.follower = Follower(tells_gaps=True)
        self.place: Place | None = None
        self.came, self.missed, self.first = Counter[str](), Counter[str](), dict[str, int]()
        self.newest, self.held = dict[str, int](), dict[tuple[str, int], int]()
        self.owed: set[tuple[str, int]] = set()
        self.line: Line | None = None

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()

    @rule(kinds=st.lists(st.sampled_from(sorted(EVENTS)), min_size=1, max_size=4))
    def publish(self, kinds: list[str]) -> None:
        async def turn() -> None:
            for kind in kinds:
                self.sent[kind] += 1
                message = self.encoder.encode(EVENTS[kind](sum(self.sent.values()) / 10))
                self.held[kind, self.sent[kind]] = message.seq
                self.hub.publish(message)
            await asyncio.sleep(0)  # all that comes in one turn of the loop leaves together

        self.loop.run_until_complete(turn())

    @precondition(lambda self: self.line is None)
    @rule(resumes=st.booleans())
    def connect(self, *, resumes: bool) -> None:
        self.line, self.visit = Line(), ExitStack()
        since = self.place if resumes else None
        if since:
            self.owed = {place for place, seq in list(self.held.items())[-HELD:] if seq > since.seq}
        wanted = Subscription(EVERYTHING, since)
        self.visit.enter_context(self.fanout.client(cast("ServerConnection", self.line), wanted))

    @precondition(lambda self: self.line is not None)
    @rule()
    def cut(self) -> None:
        self.visit.close()
        self.line, self.owed = None, set()  # and with it all that was under way

    @precondition(lambda self: self.line is not None)
    @rule(frames=st.integers(1, 12))
    def read(self, frames: int) -> None:
        assert self.line
        for payload in self.line.take(frames):
            envelope = decode(payload)
            assert envelope
            self.take(envelope, payload)

    def take(self, envelope: Envelope, payload: str) -> None:
        """Follow as our client does."""
        session, seq = (
            (self.place or Place(SESSION, 0))
            if envelope.kind != "hello"
            else (SESSION, self.place[1] if self.place else 0)
        )
        self.place = Place(session, max(seq, envelope.seq))
        for received in self.follower.follow(envelope, payload):
            if isinstance(received.event, Gap):
                assert received.event.kind
                assert received.event.missed
                self.missed[received.event.kind] += received.event.missed
            elif envelope.kind in EVENTS:
                assert envelope.nth > self.newest.get(envelope.kind, 0), "never twice, never backwards"
                self.newest[envelope.kind] = envelope.nth
                self.first.setdefault(envelope.kind, envelope.nth)
                self.came[envelope.kind] += 1
                self.owed.discard((envelope.kind, envelope.nth))

    @invariant()
    def each_message_came_or_is_told_to_be_missed(self) -> None:
        for kind, nth in getattr(self, "newest", {}).items():
            assert self.came[kind] + self.missed[kind] == nth - self.first[kind] + 1

    @precondition(lambda self: self.line is not None)
    @rule()
    def catch_up(self) -> None:
        """Whoever takes all gets, with what is published next, the newest of each kind that lasts."""
        for _ in range(HELD + 3):
            self.read(100)
            self.publish(["level"])
        self.read(100)
        for kind in ("tempo", "level"):
            assert self.newest.get(kind, 0) == self.sent[kind]
        assert not self.owed, "what was still held when it came back"


class Boxes(RuleBasedStateMachine):
    """A hub and its mailboxes. State: what each must hold."""

    @initialize(limit=st.integers(1, 5))
    def begin(self, limit: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.encoder, self.published = Encoder(SESSION), list[str]()
        self.hub = Hub(self.encoder.encode(cast("Any", decode(Session(SESSION).hello())).event))
        self.newest, self.complete, self.limit = Newest(), Complete(limit=limit), limit
        self.stack = ExitStack()
        for box in (self.newest, self.complete):
            self.stack.enter_context(self.hub.subscribe(box))
        self.waiting = [("hello", 0)]
        self.dropped = 0

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()

    @rule(kind=st.sampled_from(sorted(EVENTS)))
    def publish(self, kind: str) -> None:
        message = self.encoder.encode(EVENTS[kind](1.0))
        self.hub.publish(message)
        self.waiting.append((kind, message.seq))

    @precondition(lambda self: self.waiting)
    @rule()
    def take(self) -> None:
        kept = self.waiting[-self.limit :]
        self.dropped += len(self.waiting) - len(kept)
        taken = [(m.kind, m.seq) for m in self.loop.run_until_complete(self.complete.take())]
        assert taken == kept, "all, in order; beyond the limit the oldest go"
        assert self.complete.dropped == self.dropped
        newest = dict(self.waiting)
        assert {m.kind: m.seq for m in self.loop.run_until_complete(self.newest.take())} == newest
        self.waiting = []

    @rule()
    def a_late_joiner_gets_what_lasts(self) -> None:
        with self.hub.subscribe(Complete()) as late:
            kinds = [m.kind for m in self.loop.run_until_complete(late.take())]
        assert kinds[0] == "hello"
        assert "beat" not in kinds
        assert len(set(kinds)) == len(kinds)


TestStream = Stream.TestCase
TestBoxes = Boxes.TestCase
TestStream.settings = TestBoxes.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
