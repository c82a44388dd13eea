"""Parts of a set: stretches of one tempo, key and genre. Found while the set runs, one second after another. Pure.

A part ends where something turns and stays turned, dated back to where it began to, or where the music pauses. What
turns soon after belongs to the same change: tempo, genre and key don't turn in one second.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from stream_analyzer.analysis.key.names import camelot_of
from stream_analyzer.protocol.seconds import STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stream_analyzer.protocol.seconds import Second

T = TypeVar("T")
Shares = tuple[tuple[str, float], ...]

_TEMPO_STAYS_S, _GENRE_STAYS_S, _KEY_STAYS_S = 8, 20, 40
TEMPO_LATE_S = 3  # a cut is heard in the tempo so much later
_ONE_CHANGE_S = 10  # after the start of a part nothing turns that was not turning then
_PAUSE_S = 4
_REMEMBERED_S = 90
_SAME_TEMPO = 1.03
_CLEARLY = 0.15  # by so much another genre must be likelier
_OCTAVES, _OCTAVE_NEAR = (4 / 3, 1.5, 2.0, 3.0, 4.0), 0.015
_STEADY = (STATES.index("locked"), STATES.index("octave"))


@dataclass(frozen=True, slots=True)
class Part:
    """From ``start_s`` to ``end_s``: the commonest tempo, key and genre, None where there was none; mean loudness."""

    start_s: int
    end_s: int
    bpm: float | None
    key: str | None
    genre: str | None
    lufs: float | None


class _Sums:
    """What the seconds of a part add up to, so that some can be taken away again."""

    def __init__(self, seconds: Iterable[Second] = ()) -> None:
        self._tempi: Counter[int] = Counter()
        self._keys: Counter[str] = Counter()
        self._genres: Counter[str] = Counter()
        self._lufs, self._measured = 0.0, 0
        for second in seconds:
            self.add(second, 1)

    def add(self, second: Second, times: int) -> None:
        """Add a second, or take it away where ``times`` is -1."""
        if second.bpm and second.state in _STEADY:
            self._tempi[round(10 * second.bpm)] += times
        if second.key:
            self._keys[second.key] += times
        for label, p in second.top:
            self._genres[label] += times * round(1000 * p)
        if second.lufs is not None:
            self._lufs, self._measured = self._lufs + times * second.lufs, self._measured + times

    def part(self, start_s: int, end_s: int) -> Part:
        """Return the part that they make."""
        return Part(
            start_s,
            end_s,
            self._tempo(),
            _commonest(self._keys),
            _commonest(self._genres),
            self._lufs / self._measured if self._measured else None,
        )

    def _tempo(self) -> float | None:
        """Return the median of the tempi around the one that has most near it."""
        tempi = sorted((tenths, count) for tenths, count in self._tempi.items() if count > 0)
        if not tempi:
            return None
        near = max(
            ([one for one in tempi if one[0] / _SAME_TEMPO <= tenths <= one[0] * _SAME_TEMPO] for tenths, _ in tempi),
            key=lambda some: sum(count for _, count in some),
        )
        left = sum(count for _, count in near) / 2
        for tenths, count in near:
            left -= count
            if left <= 0:
                return tenths / 10
        return None


class _Turn:
    """Tells when a value has turned into another that stays. State: the value, the one to come, and since when."""

    def __init__(self, same: Callable[[T, T], bool], stays_s: int) -> None:
        self._same, self._stays_s = same, stays_s
        self._now: object = None
        self._next: tuple[object, int] | None = None

    def hear(self, value: object, time_s: int) -> int | None:
        """Take the value of a second; return since when there is another one, once that is sure."""
        same: Callable[[object, object], bool] = self._same  # type: ignore[assignment]
        if self._now is not None and same(self._now, value):
            self._next = None
            return None
        if self._next is None or not same(self._next[0], value):
            self._next = value, time_s
        since_s = self._next[1]
        if time_s + 1 - since_s < self._stays_s:
            return None
        first = self._now is None
        self._now, self._next = self._next[0], None
        return None if first else since_s

    def forget(self) -> None:
        """Know no value: other music has begun, which may have another one, soon or from the start."""
        self._now = self._next = None


class PartFinder:
    """Finds parts. State: the part that runs, its last seconds, and what may be turning."""

    def __init__(self) -> None:
        """Begin with no part."""
        self._start_s: int | None = None
        self._end_s = 0
        self._sums = _Sums()
        self._last: deque[Second] = deque(maxlen=_REMEMBERED_S)
        self._turns = self._new_turns()

    def add(self, second: Second) -> list[Part]:
        """Take a second into account; return the parts that it made or changed, in order."""
        if not second.bpm and not second.top:
            return []
        if self._start_s is None or second.time_s - self._end_s >= _PAUSE_S:
            self._begin(second.time_s)
        self._end_s = second.time_s + 1
        self._sums.add(second, 1)
        self._last.append(second)
        since_s = self._turned(second)
        parts = [] if since_s is None else [self._split(since_s)]
        assert self._start_s is not None  # noqa: S101 - for mypy: begun above
        return [*parts, self._sums.part(self._start_s, self._end_s)]

    def _begin(self, time_s: int) -> None:
        self._start_s, self._sums, self._turns = time_s, _Sums(), self._new_turns()
        self._last.clear()

    def _turned(self, second: Second) -> int | None:
        """Return since when the music is another one, if this second tells that it is."""
        tempo, genre, key = self._turns
        tempo_s = tempo.hear(second.bpm, second.time_s) if second.bpm and second.state in _STEADY else None
        found = [
            None if tempo_s is None else tempo_s - TEMPO_LATE_S,
            genre.hear(second.top, second.time_s) if second.top else None,
            key.hear(second.key, second.time_s) if second.key else None,
        ]
        sure = [since_s for since_s in found if since_s is not None]
        if not sure or self._start_s is None or min(sure) - self._start_s < _ONE_CHANGE_S:
            return None
        for turn, since_s in zip(self._turns, found, strict=True):
            if since_s is None:
                turn.forget()
        return min(sure)

    def _split(self, since_s: int) -> Part:
        """End the part at ``since_s`` and begin the next there; return the one that ended."""
        after = [second for second in self._last if second.time_s >= since_s]
        for second in after:
            self._sums.add(second, -1)
        ended = self._sums.part(self._start_s or 0, since_s)
        self._start_s, self._sums = since_s, _Sums(after)
        return ended

    @staticmethod
    def _new_turns() -> tuple[_Turn, _Turn, _Turn]:
        return _Turn(_related, _TEMPO_STAYS_S), _Turn(_alike, _GENRE_STAYS_S), _Turn(_neighbours, _KEY_STAYS_S)


def _related(one: float, other: float) -> bool:
    """Tell whether two tempi are one, or octaves of one."""
    ratio = max(one, other) / min(one, other)
    return ratio < _SAME_TEMPO or any(abs(ratio / whole - 1.0) < _OCTAVE_NEAR for whole in _OCTAVES)


def _alike(one: Shares, other: Shares) -> bool:
    """Tell whether the genre of ``one`` leads in the other too, or nearly: close ones change places all the time."""
    label = one[0][0]
    return dict(other).get(label, 0.0) > other[0][1] - _CLEARLY


def _neighbours(one: str, other: str) -> bool:
    """Tell whether two keys are one or neighbours on the Camelot wheel, which are taken for each other."""
    places = [int((camelot_of(key) or "0A")[:-1]) for key in (one, other)]
    apart = abs(places[0] - places[1])
    return min(apart, 12 - apart) <= 1


def _commonest(counts: Counter[str]) -> str | None:
    found = [(count, label) for label, count in counts.items() if count > 0]
    return max(found)[1] if found else None
