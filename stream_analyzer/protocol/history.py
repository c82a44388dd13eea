"""The set so far in bounded memory: one row a second of tempo, genre, key and energy, thinned with age. Pure.

Fed with the seconds of the present session, and of those before it in the same set; asked by pages that come late.
Times are seconds on the sample clock of the present session: what was before it is negative.
"""

from __future__ import annotations

import json
import struct
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream_analyzer.protocol.seconds import STATES, TOP, Second

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SPANS_S = (1, 4, 16, 64)
ROWS = (600, 600, 600, 900)  # the last 10 min, 40 min, 2 h 40 min and 16 h: 19 h in all, about 0.2 MB
_NONE = 255
_MOST_MARKS = 500
_TEMPO = struct.Struct("<iHBB")  # second, BPM in tenths, confidence in percent, state
_MORE = struct.Struct("<BB?")  # key, energy in percent, whether there was a drop
_GENRE = struct.Struct(f"<{2 * TOP}B")  # label and share of the likeliest


@dataclass(slots=True)
class _Tier:
    """Rows of one spacing, packed, oldest first."""

    span_s: int
    limit: int
    rows: deque[bytes]


class History:
    """The set's rows. State: tiers of packed rows, the labels seen so far, where in the set the session began."""

    def __init__(self, *, limits: Sequence[int] = ROWS) -> None:
        """Keep at most so many rows of each spacing in `SPANS_S`."""
        self._tiers = [_Tier(span_s, limit, deque()) for span_s, limit in zip(SPANS_S, limits, strict=True)]
        self._labels: list[str] = []
        self._marks: deque[tuple[float, str]] = deque(maxlen=_MOST_MARKS)
        self._json: tuple[str, bytes] | None = None
        self.offset_s = 0

    def add(self, second: Second) -> None:
        """Take a second into account; one without tempo and genre leaves no row."""
        if not second.bpm and not second.top:
            return
        self._tiers[0].rows.append(self._pack(second))
        self._json = None
        self._thin()

    def mark(self, time_s: float, text: str) -> None:
        """Take a mark into account."""
        self._marks.append((time_s, text))
        self._json = None

    def rows(self) -> list[Second]:
        """Return each row, oldest first."""
        return [self._unpack(packed, tier.span_s) for tier in reversed(self._tiers) for packed in tier.rows]

    def to_json(self, session: str) -> bytes:
        """Return the rows as `columns` in JSON; encoded once for however many ask within a second."""
        if self._json is None or self._json[0] != session:
            found = columns(self.rows(), session=session, offset_s=self.offset_s, marks=self._marks)
            self._json = session, json.dumps(found, separators=(",", ":")).encode()
        return self._json[1]

    def _thin(self) -> None:
        """Hand the oldest rows of a tier that is full on to the next, those of one place as one; the last forgets."""
        for tier, following in zip(self._tiers, [*self._tiers[1:], None], strict=True):
            while len(tier.rows) > tier.limit:
                if following is None:
                    tier.rows.popleft()
                    continue
                place = _time_s(tier.rows[0]) // following.span_s
                if _time_s(tier.rows[-1]) // following.span_s == place:
                    break  # more rows of this place may come
                together: list[Second] = []
                while _time_s(tier.rows[0]) // following.span_s == place:
                    together.append(self._unpack(tier.rows.popleft(), tier.span_s))
                following.rows.append(self._pack(merge(together, span_s=following.span_s)))

    def _pack(self, row: Second) -> bytes:
        flat = [part for label, p in row.top for part in (self._index(label), round(100 * p))]
        flat += [_NONE, 0] * (TOP - len(row.top))
        tempo = _TEMPO.pack(row.time_s, round(10 * row.bpm), round(100 * row.confidence), row.state)
        key = self._index(row.key) if row.key else _NONE
        energy = _NONE if row.energy is None else round(100 * row.energy)
        return tempo + _MORE.pack(key, energy, row.drop) + _GENRE.pack(*flat)

    def _index(self, label: str) -> int:
        if label not in self._labels:
            self._labels.append(label)
        return self._labels.index(label)

    def _unpack(self, packed: bytes, span_s: int) -> Second:
        time_s, tenths, confidence, state = _TEMPO.unpack_from(packed)
        key, energy, drop = _MORE.unpack_from(packed, _TEMPO.size)
        flat = _GENRE.unpack_from(packed, _TEMPO.size + _MORE.size)
        top = tuple(
            (self._labels[label], p / 100) for label, p in zip(flat[::2], flat[1::2], strict=True) if label != _NONE
        )
        return Second(
            time_s=time_s,
            bpm=tenths / 10,
            confidence=confidence / 100,
            state=state,
            top=top,
            key="" if key == _NONE else self._labels[key],
            energy=None if energy == _NONE else energy / 100,
            drop=drop,
            span_s=span_s,
        )


def columns(
    rows: Sequence[Second], *, session: str, offset_s: int = 0, marks: Iterable[tuple[float, str]] = ()
) -> dict[str, Any]:
    """Return rows as the columns of `/timeline`; confidences, shares and energy in percent.

    ``marks`` are times and texts; ``offset_s`` is what to add to a time to get one of the set.
    """
    labels = {label: i for i, label in enumerate(dict.fromkeys(label for row in rows for label, _ in row.top))}
    keys = {key: i for i, key in enumerate(dict.fromkeys(row.key for row in rows if row.key))}
    return {
        "v": 1,
        "session": session,
        "offset_s": offset_s,
        "states": list(STATES),
        "labels": list(labels),
        "keys": list(keys),
        "time_s": [row.time_s for row in rows],
        "span_s": [row.span_s for row in rows],
        "bpm": [row.bpm for row in rows],
        "confidence": [round(100 * row.confidence) for row in rows],
        "state": [row.state for row in rows],
        "top": [[part for label, p in row.top for part in (labels[label], round(100 * p))] for row in rows],
        "key": [keys.get(row.key) for row in rows],
        "energy": [None if row.energy is None else round(100 * row.energy) for row in rows],
        "drop": [int(row.drop) for row in rows],
        "marks": [{"time_s": time_s, "text": text} for time_s, text in marks],
    }


def thinned(rows: Iterable[Second], *, span_s: int) -> Iterator[Second]:
    """Return rows, each for ``span_s`` seconds, in place of rows for one second each."""
    together: list[Second] = []
    for row in rows:
        if together and row.time_s // span_s != together[0].time_s // span_s:
            yield merge(together, span_s=span_s)
            together = []
        together.append(row)
    if together:
        yield merge(together, span_s=span_s)


def merge(rows: Sequence[Second], *, span_s: int) -> Second:
    """Return one row for several: the surest tempo, the mean of genres, loudness and energy, the commonest key."""
    tempo = max(rows, key=lambda row: (row.bpm > 0.0, row.confidence))
    genres = [row for row in rows if row.top]
    shares: dict[str, float] = {}
    for label, p in (score for row in genres for score in row.top):
        shares[label] = shares.get(label, 0.0) + p / len(genres)
    keys = [row.key for row in rows if row.key]
    lufs = [row.lufs for row in rows if row.lufs is not None]
    energy = [row.energy for row in rows if row.energy is not None]
    return Second(
        time_s=rows[0].time_s,
        bpm=tempo.bpm,
        confidence=tempo.confidence,
        state=tempo.state,
        top=tuple(sorted(shares.items(), key=lambda score: -score[1])[:TOP]),
        key=max(keys, key=keys.count) if keys else "",
        lufs=sum(lufs) / len(lufs) if lufs else None,
        energy=sum(energy) / len(energy) if energy else None,
        drop=any(row.drop for row in rows),
        span_s=span_s,
    )


def _time_s(packed: bytes) -> int:
    return int(_TEMPO.unpack_from(packed)[0])
