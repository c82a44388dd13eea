"""What a second of sound amounts to: events become one `Second` each, for the timeline and the set log. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from stream_analyzer.types import Energy, Genre, Key, Loudness, Moment, Tempo, TempoState

if TYPE_CHECKING:
    from stream_analyzer.kinds import Described

STATES: tuple[str, ...] = get_args(TempoState)
TOP = 5


@dataclass(frozen=True, slots=True)
class Second:
    """What was heard from ``time_s`` on, for ``span_s`` seconds.

    ``bpm`` is 0 without a tempo, ``state`` an index into `STATES`, ``top`` (label and share) empty without music,
    ``key`` empty without one that is clear; ``lufs`` is the short-term loudness, None where it is not measured, as is
    ``energy``; ``drop`` tells whether one was told.
    """

    time_s: int
    bpm: float = 0.0
    confidence: float = 0.0
    state: int = 0
    top: tuple[tuple[str, float], ...] = ()
    key: str = ""
    lufs: float | None = None
    energy: float | None = None
    drop: bool = False
    span_s: int = 1


class Seconds:
    """Gathers events. State: the newest of each kind within the present second, and whether there was any."""

    def __init__(self) -> None:
        """Begin with nothing heard."""
        self._second, self._heard = 0, False
        self._tempo: Tempo | None = None
        self._genre: Genre | None = None
        self._key: Key | None = None
        self._loudness: Loudness | None = None
        self._energy: Energy | None = None
        self._drop = False

    def add(self, event: Described) -> Second | None:
        """Take an event into account; return the second that it ends, if it is the first of a later one.

        What is only held, as in silence, or rejected says nothing of its second.
        """
        second = int(event.time_s)
        if second < self._second:
            return None
        done = self.end() if second > self._second else None
        self._second, self._heard = second, True
        match event:
            case Tempo(age_s=0.0):
                self._tempo = event
            case Genre(age_s=0.0, label=str()):
                self._genre = event
            case Key(age_s=0.0, state="clear"):
                self._key = event
            case Loudness():
                self._loudness = event
            case Energy():
                self._energy = event
            case Moment(turn="drop"):
                self._drop = True
        return done

    def end(self) -> Second | None:
        """Return the present second as far as it was heard, or None if it was not."""
        if not self._heard:
            return None
        tempo, genre, key, loudness = self._tempo, self._genre, self._key, self._loudness
        energy, drop = self._energy, self._drop
        self._tempo = self._genre = self._key = self._loudness = self._energy = None
        self._heard = self._drop = False
        return Second(
            time_s=self._second,
            bpm=tempo.bpm if tempo else 0.0,
            confidence=tempo.confidence if tempo else 0.0,
            state=STATES.index(tempo.state) if tempo else 0,
            top=tuple((score.label, score.p) for score in genre.scores[:TOP]) if genre else (),
            key=(key.label or "") if key else "",
            lufs=loudness.short_term_lufs if loudness else None,
            energy=energy.value if energy else None,
            drop=drop,
        )
