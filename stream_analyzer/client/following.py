"""What a subscriber sees of a stream: events with their place, what is missing between them, when the line is lost.

No sockets: `client` reads what this is fed with.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stream_analyzer.protocol.decode import Envelope
from stream_analyzer.protocol.kinds import GREETINGS, NTH_MODULUS, WireEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MOST_WAITING = 4096  # more than a whole replay; only what runs amok sends more in that time


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages were sent and did not come: ``missed`` of one kind, directly before the next of that kind.

    After a restart of the analyzer both are None: what the old session still sent is unknown.
    """

    kind: str | None
    missed: int | None


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no line to the analyzer; the next attempt comes in ``retry_s``, and `Hello` when it succeeds."""

    reason: str
    retry_s: float


@dataclass(frozen=True, slots=True)
class Received:
    """An event, the session it belongs to and its place there; ``payload`` is the message as it came, if it was one.

    For `Gap` and `Lost`, session and place are those of the newest message before.
    """

    event: WireEvent | Gap | Lost
    session: str
    seq: int
    payload: str | bytes = field(default="", repr=False)


class Inbox:
    """What was read and not yet taken. Once it is too much or too old, only the newest of each kind is kept."""

    def __init__(self, *, stale_s: float = 2.0, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; what waits for longer than ``stale_s`` is too old."""
        self._stale_s = stale_s
        self._waiting: deque[tuple[float, Envelope | Lost, str | bytes]] = deque()
        self._clock = clock
        self._came = asyncio.Event()
        self._closed = False

    def put(self, item: Envelope | Lost, payload: str | bytes = "") -> None:
        """Take what was read, or that the line was lost."""
        self._waiting.append((self._clock(), item, payload))
        waited_s = self._waiting[-1][0] - self._waiting[0][0]
        if waited_s > self._stale_s or len(self._waiting) > _MOST_WAITING:
            newest: dict[str, tuple[float, Envelope | Lost, str | bytes]] = {}
            for entry in reversed(self._waiting):
                newest.setdefault(entry[1].kind if isinstance(entry[1], Envelope) else "lost", entry)
            self._waiting = deque(reversed(newest.values()))
        self._came.set()

    def close(self) -> None:
        """Let no more come: what waits can be taken still, then None."""
        self._closed = True
        self._came.set()

    async def take(self) -> tuple[Envelope | Lost, str | bytes] | None:
        """Wait for the oldest, and remove it."""
        while not self._waiting:
            if self._closed:
                return None
            self._came.clear()
            await self._came.wait()
        return self._waiting.popleft()[1:]


class Follower:
    """Finds what is missing or repeated. State: the session and, of each kind, the newest message's place."""

    def __init__(self, *, tells_gaps: bool) -> None:
        """Start with nothing seen; without ``tells_gaps``, missing is what was asked for."""
        self._tells_gaps = tells_gaps
        self._session, self._seq = "", 0
        self._newest: dict[str, Envelope] = {}

    def follow(self, item: Envelope | Lost, payload: str | bytes) -> Iterator[Received]:
        """Yield what the next message means: itself, unless it was seen before, after the gap before it."""
        if isinstance(item, Lost):
            yield self._at_this_place(item)
            return
        if item.session != self._session:
            if self._session:
                yield self._at_this_place(Gap(kind=None, missed=None))
            self._session, self._seq, self._newest = item.session, 0, {}
        before = self._newest.get(item.kind)
        if before and item.kind not in GREETINGS:
            if item.seq <= before.seq:
                return  # the last of each kind is repeated on every connection
            missed = (item.nth - before.nth - 1) % NTH_MODULUS
            if missed and self._tells_gaps:
                yield self._at_this_place(Gap(item.kind, missed))
        self._newest[item.kind] = item
        self._seq = max(self._seq, item.seq)
        yield Received(item.event, item.session, item.seq, payload)

    def _at_this_place(self, event: Gap | Lost) -> Received:
        return Received(event, self._session, self._seq)
