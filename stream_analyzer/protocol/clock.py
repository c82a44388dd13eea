"""When a moment of the sample clock is, or will be, on a clock of one's own, and when to strike a beat. Pure.

Fed with events as they come, by subscribers and by the OSC sink. Times are seconds: ``now_s`` and what is returned on
the caller's clock, all else on the sample clock.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace

from stream_analyzer.protocol.kinds import Hello
from stream_analyzer.types import Beat, Status

_STEP_S = 0.1
_LOOKS_BACK_S = 3.0


class SampleClock:
    """Puts moments of the sample clock on a clock of one's own.

    A message comes after the end of its sound, ``time_s``: never too early, and now and then late. So the one of the
    last seconds that came earliest tells how the clocks stand. What the analyzer itself took, `Status` says.
    State: the messages that may be that one, earliest last, and what the analyzer takes.
    """

    def __init__(self, *, trip_s: float = 0.0) -> None:
        """Know nothing yet; messages travel for ``trip_s``."""
        self.trip_s = trip_s
        self._leads: deque[tuple[float, float]] = deque()
        self._step_s, self._latency_s = _STEP_S, 0.0

    def hear(self, event: object, now_s: float) -> None:
        """Take note of an event that came at ``now_s``, of whatever kind."""
        if isinstance(event, Hello):  # it may begin a session, and with it another sample clock
            self._leads.clear()
            self._step_s = event.latency_s.get("level", _STEP_S)
        if isinstance(event, Status):
            self._latency_s = event.latency_s
        time_s: float = getattr(event, "time_s", 0.0)
        if time_s <= 0.0:
            return
        lead_s = now_s - time_s
        while self._leads and self._leads[-1][1] >= lead_s:
            self._leads.pop()
        self._leads.append((now_s, lead_s))
        while self._leads[0][0] < now_s - _LOOKS_BACK_S:
            self._leads.popleft()

    def at_s(self, time_s: float) -> float:
        """Return when the sound of ``time_s`` comes to the analyzer, or came; infinity before any message."""
        if not self._leads:
            return math.inf
        # What is measured begins, on average, in the middle of a step; the sound of `time_s` is at its end.
        took_s = max(0.0, self._latency_s - self._step_s / 2.0)
        return self._leads[0][1] + time_s - took_s - self.trip_s


class Beats:
    """Tells when to strike, once a beat: when it was foretold to fall, and at the latest when it is known to have.

    State: the sample clock, the beat that is expected, and when the one fell that was struck before it came.
    """

    def __init__(self) -> None:
        """Expect nothing yet."""
        self._clock = SampleClock()
        self._expected: Beat | None = None
        self._struck_s = -math.inf

    def hear(self, event: object, now_s: float) -> Beat | None:
        """Take note of an event that came at ``now_s``; return a beat to strike at once."""
        self._clock.hear(event, now_s)
        if not isinstance(event, Beat):
            return None
        self._expected = _next(event)
        struck = abs(event.beat_s - self._struck_s) < (event.next_s - event.beat_s) / 2.0
        return None if struck else event

    @property
    def due_s(self) -> float | None:
        """When to strike next; None if nothing is expected."""
        return self._clock.at_s(self._expected.beat_s) if self._expected else None

    def strike(self) -> Beat | None:
        """Return the beat that was expected. Only the analyzer can tell of the next: beats may have ended."""
        beat, self._expected = self._expected, None
        if beat:
            self._struck_s = beat.beat_s
        return beat


def _next(beat: Beat) -> Beat:
    """Return the beat that follows, as it is foretold."""
    known = beat.number is not None and beat.beats_in_bar is not None
    number = beat.number % beat.beats_in_bar + 1 if known else None  # type: ignore[operator]  # not None, as known says
    return replace(beat, beat_s=beat.next_s, next_s=2.0 * beat.next_s - beat.beat_s, number=number)
