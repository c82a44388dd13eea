"""The session so far in bounded memory: one row a second of tempo and genre, thinned with age. Pure.

Fed where events are published, asked by pages that come late. Times are seconds on the sample clock.
"""

from __future__ import annotations

import json
import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from stream_analyzer.types import Genre, Tempo, TempoState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stream_analyzer.kinds import Described

STATES: tuple[str, ...] = get_args(TempoState)
TOP = 5
SPANS_S = (1, 4, 16, 64)
ROWS = (600, 600, 600, 900)  # the last 10 min, 40 min, 2 h 40 min and 16 h: 19 h in all, about 0.2 MB
_NONE = 255
_TEMPO = struct.Struct("<IHBB")  # second, BPM in tenths, confidence in percent, state
_GENRE = struct.Struct(f"<{2 * TOP}B")  # label and share of the likeliest


class Row(NamedTuple):
    """What was heard from ``time_s`` on; ``bpm`` 0 without a tempo, ``top`` empty without music."""

    time_s: int
    bpm: float
    confidence: float
    state: int
    top: tuple[tuple[int, float], ...]


@dataclass(slots=True)
class _Tier:
    """Rows of one spacing, packed, oldest first."""

    span_s: int
    limit: int
    rows: deque[bytes]


class History:
    """The session's rows. State: tiers of packed rows, the row of the present second, the labels seen so far."""

    def __init__(self, *, limits: Sequence[int] = ROWS) -> None:
        """Keep at most so many rows of each spacing in `SPANS_S`."""
        self._tiers = [_Tier(span_s, limit, deque()) for span_s, limit in zip(SPANS_S, limits, strict=True)]
        self._labels: dict[str, int] = {}
        self._second = 0
        self._tempo: Tempo | None = None
        self._genre: Genre | None = None
        self._json: tuple[str, bytes] | None = None

    def add(self, event: Described) -> None:
        """Take an event into account; what is only held, as in silence, or rejected leaves no row."""
        if not isinstance(event, Tempo | Genre) or event.age_s > 0.0 or int(event.time_s) < self._second:
            return
        if isinstance(event, Genre) and event.label is None:
            return
        if int(event.time_s) > self._second:
            self._finish_second()
            self._second = int(event.time_s)
        if isinstance(event, Tempo):
            self._tempo = event
        else:
            self._genre = event

    def rows(self) -> list[tuple[int, Row]]:
        """Return each finished row after its span in seconds, oldest first."""
        return [(tier.span_s, _unpack(packed)) for tier in reversed(self._tiers) for packed in tier.rows]

    def to_dict(self, session: str) -> dict[str, Any]:
        """Return the rows as columns; confidences and shares in percent."""
        rows = self.rows()
        return {
            "v": 1,
            "session": session,
            "states": list(STATES),
            "labels": list(self._labels),
            "time_s": [row.time_s for _, row in rows],
            "span_s": [span_s for span_s, _ in rows],
            "bpm": [row.bpm for _, row in rows],
            "confidence": [round(100 * row.confidence) for _, row in rows],
            "state": [row.state for _, row in rows],
            "top": [[part for label, p in row.top for part in (label, round(100 * p))] for _, row in rows],
        }

    def to_json(self, session: str) -> bytes:
        """Return `to_dict` as JSON; encoded once for however many ask within a second."""
        if self._json is None or self._json[0] != session:
            self._json = session, json.dumps(self.to_dict(session), separators=(",", ":")).encode()
        return self._json[1]

    def _finish_second(self) -> None:
        tempo, genre = self._tempo, self._genre
        self._tempo = self._genre = None
        if tempo is None and genre is None:
            return
        top = genre.scores[:TOP] if genre else ()
        row = Row(
            time_s=self._second,
            bpm=tempo.bpm if tempo else 0.0,
            confidence=tempo.confidence if tempo else 0.0,
            state=STATES.index(tempo.state) if tempo else 0,
            top=tuple((self._labels.setdefault(score.label, len(self._labels)), score.p) for score in top),
        )
        self._tiers[0].rows.append(_pack(row))
        self._json = None
        self._thin()

    def _thin(self) -> None:
        """Hand the oldest rows of a tier that is full on to the next, those of one place as one; the last forgets."""
        for tier, following in zip(self._tiers, [*self._tiers[1:], None], strict=True):
            while len(tier.rows) > tier.limit:
                if following is None:
                    tier.rows.popleft()
                    continue
                place = _second(tier.rows[0]) // following.span_s
                if _second(tier.rows[-1]) // following.span_s == place:
                    break  # more rows of this place may come
                together: list[Row] = []
                while _second(tier.rows[0]) // following.span_s == place:
                    together.append(_unpack(tier.rows.popleft()))
                following.rows.append(_pack(_merge(together)))


def _merge(rows: list[Row]) -> Row:
    """One row for several: the surest of their tempi, the mean of their genres."""
    tempo = max(rows, key=lambda row: (row.bpm > 0.0, row.confidence))
    genres = [row for row in rows if row.top]
    shares: dict[int, float] = {}
    for label, p in (score for row in genres for score in row.top):
        shares[label] = shares.get(label, 0.0) + p / len(genres)
    return Row(
        time_s=rows[0].time_s,
        bpm=tempo.bpm,
        confidence=tempo.confidence,
        state=tempo.state,
        top=tuple(sorted(shares.items(), key=lambda score: -score[1])[:TOP]),
    )


def _pack(row: Row) -> bytes:
    flat = [part for label, p in row.top for part in (label, round(100 * p))]
    flat += [_NONE, 0] * (TOP - len(row.top))
    tempo = _TEMPO.pack(row.time_s, round(10 * row.bpm), round(100 * row.confidence), row.state)
    return tempo + _GENRE.pack(*flat)


def _second(packed: bytes) -> int:
    return int(_TEMPO.unpack_from(packed)[0])


def _unpack(packed: bytes) -> Row:
    time_s, tenths, confidence, state = _TEMPO.unpack_from(packed)
    flat = _GENRE.unpack_from(packed, _TEMPO.size)
    return Row(time_s, tenths / 10, confidence / 100, state, tuple(_pairs(flat)))


def _pairs(flat: tuple[int, ...]) -> Iterable[tuple[int, float]]:
    return ((label, p / 100) for label, p in zip(flat[::2], flat[1::2], strict=True) if label != _NONE)
