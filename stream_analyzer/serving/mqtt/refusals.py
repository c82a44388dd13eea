"""What a broker does not take: it says so, keeps silent about it, or cuts the line at it. Pure but for the clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LEFT_OUT_S = 600.0
ECHO_LIMIT_S = 5.0
_CUT = "the line breaks at it, so it is left out for ten minutes"
_NO_ECHO = "it does not come back; may this user publish there, and read it?"


class Refusals:
    """State: why each topic is refused, which are left out and till when, and which echoes are waited for till when."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with a broker that takes all."""
        self._clock = clock
        self._reasons: dict[str, str] = {}
        self._left_out: dict[str, float] = {}
        self._awaited: dict[str, float] = {}
        self._broke_at = ""

    def __str__(self) -> str:
        """Return the first topic that is refused and why, and how many more there are; empty if all is taken."""
        (first, *more) = [f"{topic}: {reason}" for topic, reason in self._reasons.items()] or [""]
        return f"{first} (and {len(more)} more)" if more else first

    def answered(self, topic: str, reason: str) -> bool:
        """Note the broker's answer for a topic, an empty one if it takes it; return whether that is news."""
        if topic == self._broke_at:
            self._broke_at = ""
        return self._set(topic, reason)

    def broke(self, topic: str) -> bool:
        """Note that the line broke while something new was under way to ``topic``, if it was; return if that is news.

        At the second break in a row it is the message that broke it, as brokers do to those that are too large.
        """
        self._awaited.clear()
        again, self._broke_at = bool(topic) and topic == self._broke_at, topic
        if not again:
            return False
        self._left_out[topic] = self._clock() + LEFT_OUT_S
        return self._set(topic, _CUT)

    def leaves_out(self, topic: str) -> bool:
        """Tell whether to send nothing there for now."""
        return self._clock() < self._left_out.get(topic, 0.0)

    def wait_for_echo(self, topic: str) -> None:
        """Expect what is sent to ``topic`` now to come back, or what was sent before and has not yet."""
        self._awaited.setdefault(topic, self._clock() + ECHO_LIMIT_S)

    def came_back(self, topic: str) -> bool:
        """Note an echo; return whether that is news."""
        self._awaited.pop(topic, None)
        return self._set(topic, "")

    def missing(self) -> list[str]:
        """Return topics whose echo has newly failed to come."""
        now_s = self._clock()
        overdue = [topic for topic, till_s in self._awaited.items() if now_s > till_s]
        for topic in overdue:
            del self._awaited[topic]
        return [topic for topic in overdue if self._set(topic, _NO_ECHO)]

    def reason(self, topic: str) -> str:
        """Return why a topic is refused, or nothing."""
        return self._reasons.get(topic, "")

    def _set(self, topic: str, reason: str) -> bool:
        before = self._reasons.pop(topic, "")
        if reason:
            self._reasons[topic] = reason
        return reason != before
