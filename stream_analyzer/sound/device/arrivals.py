"""When the sound of a capture was heard, from when its blocks arrive; what a driver dropped without a word. Pure.

A block arrives late where the machine was busy or stood still, and never early: the earliest of late tells where the
sound stands on the clock of the computer. If all blocks of a while are late by the same, sound before them is missing.
"""

from __future__ import annotations

from collections import deque

WINDOW_S = 5.0
LEAST_S = 0.25  # a jump below this is the business of drivers and of a busy machine
_EVEN_S = 0.1  # blocks that differ more among themselves are still catching up, or come from a device of another rate
_DRIFT = 2e-4  # the clocks of sound cards and computers are closer together than this


class Arrivals:
    """State: how much sound was counted, where it begins on the computer's clock, and how late blocks were lately.

    What is missing between two captures is counted when the first block arrives. If that is late, as those that follow
    at once will show, too much was counted: the sample clock is ahead, and the next gap counts so much less. Otherwise
    a night of losses would add it up.
    """

    def __init__(self, before: Arrivals | None = None) -> None:
        """Begin a capture of which nothing has arrived, after ``before``."""
        self._gap_from_s = before.heard_until_s if before else 0.0
        self.ahead_s: float = before.ahead_s if before else 0.0  # more counted as missing between captures than was
        self._settled_s = 0.0
        self._counted_s = 0.0
        self._begin_s = 0.0
        self._seen_s = 0.0
        self._late: deque[tuple[float, float]] = deque()

    @property
    def heard_until_s(self) -> float:
        """Time on the computer's clock up to which all sound has arrived or was counted as lost; 0 before any."""
        return self._begin_s + self._counted_s

    def count(self, sound_s: float, *, now_s: float) -> float:
        """Count ``sound_s`` that arrived now, known losses included; return the seconds that are missing before it."""
        begin_s = now_s - self._counted_s - sound_s
        if not self._counted_s:
            missing_s = self._begin(begin_s)
        else:
            before_s, self._begin_s = self._begin_s, min(self._begin_s + _DRIFT * (now_s - self._seen_s), begin_s)
            if self._gap_from_s and now_s < self._settled_s:
                self.ahead_s += before_s - self._begin_s
            missing_s = self._dropped(begin_s, now_s=now_s)
        self._counted_s += sound_s
        self._seen_s = now_s
        return missing_s

    def _begin(self, begin_s: float) -> float:
        """Take the first block; return what is missing between the capture before and this one."""
        self._begin_s, self._settled_s = begin_s, begin_s + WINDOW_S
        if not self._gap_from_s:
            return 0.0
        gap_s = begin_s - self._gap_from_s
        missing_s = max(0.0, gap_s - self.ahead_s)
        self.ahead_s += missing_s - gap_s
        return missing_s

    def _dropped(self, begin_s: float, *, now_s: float) -> float:
        """Return what a driver dropped, if all blocks of late are late by it."""
        self._late.append((now_s, begin_s))
        while now_s - self._late[0][0] > WINDOW_S:
            self._late.popleft()
        if now_s - self._late[0][0] < 0.8 * WINDOW_S:  # too few yet, or the machine stood still
            return 0.0
        begins_s = [begin_s for _, begin_s in self._late]
        missing_s = min(begins_s) - self._begin_s
        if missing_s < LEAST_S or max(begins_s) - min(begins_s) > _EVEN_S:
            return 0.0
        self._counted_s += missing_s
        self._late.clear()
        return missing_s
