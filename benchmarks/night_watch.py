"""Who listens through a night of `benchmarks.night`, and what each of them must always see.

A watcher notes what it saw and calls `Broken.say` for what may never be: an event out of order, a value that is stale
and does not say so, a sample clock that left the true one.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiomqtt import Client, MqttError

from stream_analyzer.client.following import Gap, Lost
from stream_analyzer.client.subscriber import subscribe
from stream_analyzer.types import Level, Status, Tempo
from tests.support.real_process import ROOT

if TYPE_CHECKING:
    from playwright.async_api import Page

    from stream_analyzer.client.following import Received

FRESH_S = 3.0  # a status comes each second; so late is late on a machine whose processor is being stolen, too
COMES_BACK_S = 20.0  # attempts are up to ten seconds apart, and a start takes some
CLOCK_OFF_S = 0.25  # a block of 0.1 s, and what a busy machine adds to the fastest message of ten seconds
_LOOKS_BACK_S = 10.0
SETTLES_S = 60.0  # the first messages of a session may be late, on a machine that was busy with its start


@dataclass
class Broken:
    """What was broken. State: the lines so far, and when the night began."""

    begun_s: float = field(default_factory=time.monotonic)
    lines: list[str] = field(default_factory=list)

    def say(self, what: str) -> None:
        """Note and print something that may never be."""
        self.lines.append(f"{time.monotonic() - self.begun_s:.0f} s: {what}")
        print("BROKEN", self.lines[-1], flush=True)


class Listener:
    """A subscriber by our Python client: holds order, freshness and the sample clock to their promise.

    State: the newest of each kind and when it came, what was lost and missed, and how the sample clock stands.
    """

    def __init__(self, name: str, broken: Broken) -> None:
        """Begin with nothing heard."""
        self.name, self._broken = name, broken
        self.came_s, self.lost_since_s = time.monotonic(), 0.0
        self.seen: Counter[str] = Counter()
        self.tempi: deque[tuple[float, Tempo]] = deque(maxlen=200)
        self.status: Status | None = None
        self.sessions: set[str] = set()
        self._session, self._newest = "", dict[str, int]()
        self._leads: deque[tuple[float, float]] = deque()
        self._true_lead_s: float | None = None
        self._begun_s = 0.0

    async def follow(self, url: str) -> None:
        """Listen for as long as the task lasts."""
        async for received in subscribe(url):
            self._take(received)

    def _take(self, received: Received) -> None:
        event, now_s = received.event, time.monotonic()
        self.seen[type(event).__name__] += 1
        if isinstance(event, Lost):
            self.lost_since_s = self.lost_since_s or now_s
            return
        self.came_s, self.lost_since_s = now_s, 0.0
        if isinstance(event, Gap):
            self.seen["messages missed"] += event.missed or 0
            return
        if received.session != self._session:
            self._session, self._begun_s = received.session, now_s
            self.sessions.add(received.session)
            self._newest.clear()
            self._leads.clear()
            self._true_lead_s = None
        kind = type(event).__name__
        if received.seq and received.seq <= self._newest.get(kind, 0):
            self._broken.say(f"{self.name}: {kind} {received.seq} came after {self._newest[kind]}")
        self._newest[kind] = received.seq
        if isinstance(event, Tempo):
            self.tempi.append((now_s, event))
        if isinstance(event, Status):
            self.status = event
        if isinstance(event, Level):  # ten times a second, and only while there is sound
            self._leads.append((now_s, now_s - event.time_s))

    def check(self, *, may_be_lost: bool, calm_s: float) -> None:
        """Look whether what it has is fresh, or known to be lost; ``calm_s`` after a fault, at the clock too."""
        now_s = time.monotonic()
        if not self.lost_since_s and now_s - self.came_s > FRESH_S and not may_be_lost:
            self._broken.say(f"{self.name}: nothing for {now_s - self.came_s:.1f} s on a line that is called good")
            self.came_s = now_s
        if self.lost_since_s and not may_be_lost and min(calm_s, now_s - self.lost_since_s) > COMES_BACK_S:
            self._broken.say(f"{self.name}: lost for {now_s - self.lost_since_s:.0f} s though all is well")
            self.lost_since_s = now_s
        while self._leads and self._leads[0][0] < now_s - _LOOKS_BACK_S:
            self._leads.popleft()
        if calm_s < _LOOKS_BACK_S or not self._leads:
            return
        lead_s = min(lead for _, lead in self._leads)
        if self._true_lead_s is None or now_s - self._begun_s < SETTLES_S:
            self._true_lead_s = min(lead_s, self._true_lead_s or lead_s)
        elif abs(lead_s - self._true_lead_s) > CLOCK_OFF_S:
            self._broken.say(f"{self.name}: the sample clock is off by {lead_s - self._true_lead_s:+.2f} s")
            self._true_lead_s = lead_s

    def right_since(self, bpm: float, since_s: float, *, within: float = 0.04, for_s: float = 2.0) -> float | None:
        """Return how long after ``since_s`` the tempo became right and stayed so for a while; None while it has not."""
        begun: float | None = None
        for at_s, tempo in self.tempi:
            if at_s < since_s:
                continue
            right = tempo.bpm is not None and abs(tempo.bpm / bpm - 1.0) <= within
            begun = (begun or at_s) if right else None
            if begun and at_s - begun >= for_s:
                return begun - since_s
        return None


class Program:
    """A client in a process of its own that prints what comes. State: the process, when it last printed a message."""

    def __init__(self, name: str, command: list[str], broken: Broken) -> None:
        """Begin with nothing printed."""
        self.name, self._command, self._broken = name, command, broken
        self.came_s, self.lines = time.monotonic(), 0

    async def follow(self) -> None:
        """Run it for as long as the task lasts."""
        process = await asyncio.create_subprocess_exec(
            *self._command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=ROOT
        )
        assert process.stdout  # noqa: S101 - it was asked for
        try:
            while await process.stdout.readline():
                self.came_s, self.lines = time.monotonic(), self.lines + 1
            self._broken.say(f"{self.name}: it ended")
        finally:
            with suppress(ProcessLookupError):
                process.kill()

    def check(self, *, calm_s: float) -> None:
        """Look whether it still prints."""
        silent_s = time.monotonic() - self.came_s
        if min(calm_s, silent_s) > COMES_BACK_S:
            self._broken.say(f"{self.name}: it printed nothing for {silent_s:.0f} s")
            self.came_s = time.monotonic()


class House:
    """What a home automation sees by MQTT. State: when the newest message came, and whether all is told to be gone."""

    def __init__(self, port: int, broken: Broken) -> None:
        """Ask the broker on ``port``."""
        self._port, self._broken = port, broken
        self.came_s, self.gone, self.lines = time.monotonic(), False, 0

    async def follow(self) -> None:
        """Listen for as long as the task lasts; a broker that is away is asked again."""
        while True:
            with suppress(MqttError):
                async with Client("127.0.0.1", self._port, timeout=5.0) as client:
                    await client.subscribe("stream-analyzer/#")
                    async for message in client.messages:
                        self._take(str(message.topic), bytes(message.payload or b""))
            await asyncio.sleep(0.5)

    def _take(self, topic: str, payload: bytes) -> None:
        if topic.endswith("/availability"):
            self.gone = payload == b"offline"
            return
        self.came_s, self.lines = time.monotonic(), self.lines + 1
        if payload and payload[:1] == b"{":
            json.loads(payload)

    def check(self, *, calm_s: float) -> None:
        """Look whether what it has is fresh, or told to be gone."""
        silent_s = time.monotonic() - self.came_s
        if min(calm_s, silent_s) > COMES_BACK_S and not self.gone:
            self._broken.say(f"broker: nothing for {silent_s:.0f} s, and nobody told that it is gone")
            self.came_s = time.monotonic()


class Screen:
    """The page in a browser. State: what it complained of, its line, and since when that is closed."""

    def __init__(self, page: Page, broken: Broken) -> None:
        """Look at ``page``."""
        self._page, self._broken = page, broken
        self._closed_since_s, self.looks = 0.0, 0
        page.on("pageerror", lambda error: broken.say(f"page: {error}"))

    async def check(self, *, calm_s: float) -> None:
        """Look whether it shows the stream."""
        shown: dict[str, Any] = await self._page.evaluate(
            "() => ({line: document.documentElement.dataset.line, bpm: document.getElementById('bpm').textContent})"
        )
        self.looks += 1
        now_s = time.monotonic()
        self._closed_since_s = 0.0 if shown["line"] == "open" else self._closed_since_s or now_s
        if self._closed_since_s and min(calm_s, now_s - self._closed_since_s) > COMES_BACK_S:
            self._broken.say(f"page: its line is {shown['line']} for {now_s - self._closed_since_s:.0f} s")
            self._closed_since_s = now_s
