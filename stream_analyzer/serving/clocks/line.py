"""Beats that come one by one as an even count that goes on between them, and is put right without jumps. Pure.

Positions are beats, with fractions; moments are seconds on the caller's clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from stream_analyzer.protocol.clock import SampleClock
from stream_analyzer.types import Beat, Status

_FAR_BEATS = 0.2  # off by more, the count begins anew
_SHARE = 0.5  # of what it is off is put right in one beat: one beat may be heard a little off, two hardly
_MOST = 0.1  # of the tempo, to put it right
_NEAR_BEATS = 0.1  # the next beat is too near to be moved
_MISSED_BEATS = 2.5  # after so many without one the beats have ended
_OVER = ("silent", "device_lost", "ended")
_USUAL_BAR = 4


@dataclass(frozen=True, slots=True)
class Line:
    """The count at a moment, how fast it goes on, where it ends if no beat comes, and which beats are downbeats.

    Those are ``downbeat``, and every ``bar`` beats before and after; None while the bar is unknown. Lines of one
    ``run`` go on from one another without a jump.
    """

    run: int
    at_s: float
    beat: float
    period_s: float
    ends: float
    downbeat: int | None = None
    bar: int = _USUAL_BAR

    def position(self, at_s: float) -> float:
        """Return the count at a moment."""
        return self.beat + (at_s - self.at_s) / self.period_s

    def time_of(self, beat: float) -> float:
        """Return the moment of a count."""
        return self.at_s + (beat - self.beat) * self.period_s

    def is_downbeat(self, beat: int) -> bool | None:
        """Tell whether a beat is the first of its bar, None if nobody knows."""
        return None if self.downbeat is None else (beat - self.downbeat) % self.bar == 0


class Conductor:
    """Makes a line of the events of the stream. State: how the clocks stand, the line, and how many runs there were."""

    def __init__(self) -> None:
        """Begin without one."""
        self._clock = SampleClock()
        self.line: Line | None = None
        self._runs = 0

    def hear(self, event: object, now_s: float) -> bool:
        """Take note of an event that came at ``now_s``; tell whether the line is another one now."""
        self._clock.hear(event, now_s)
        before = self.line
        if isinstance(event, Status) and event.state in _OVER:
            self.line = None
        if isinstance(event, Beat):
            self.line = self._follow(event, now_s)
        return self.line is not before

    def _follow(self, beat: Beat, now_s: float) -> Line:
        """Return the line that goes on to the next beat, from where the count is now."""
        falls_s, next_s = self._clock.at_s(beat.beat_s), self._clock.at_s(beat.next_s)
        period_s, line = next_s - falls_s, self.line
        at_falling = line.position(falls_s) if line else 0.0
        count = round(at_falling)
        downbeat = None if beat.number is None else count + 1 - beat.number
        bar, ends = beat.beats_in_bar or _USUAL_BAR, count + _MISSED_BEATS
        if line is None or abs(at_falling - count) > _FAR_BEATS or line.position(now_s) > line.ends:
            self._runs += 1
            return Line(self._runs, falls_s, count, period_s, ends, downbeat, bar)
        now = line.position(now_s)
        left = count + 1 + (1.0 - _SHARE) * (at_falling - count) - now
        wanted_s = (next_s - now_s) / left if left > _NEAR_BEATS else period_s
        steered_s = min(max(wanted_s, period_s * (1 - _MOST)), period_s * (1 + _MOST))
        return Line(line.run, now_s, now, steered_s, ends, downbeat, bar)
