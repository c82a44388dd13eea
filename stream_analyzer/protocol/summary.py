"""What a whole stretch of sound amounts to: one tempo, one genre, how much of it was music. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.kinds import described_fields
from stream_analyzer.protocol.encode import wire_value
from stream_analyzer.protocol.kinds import Summary, SummaryGenre, SummaryKey, SummaryLoudness, SummaryTempo
from stream_analyzer.types import Alternative, Genre, Key, Loudness, Moment, Tempo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream_analyzer.kinds import Described
    from stream_analyzer.types import F64

_SAME_TEMPO = 0.04
_MAX_ALTERNATIVES = 3
_BIN_BPM = 0.1
_BINS = 5000
_LEAST_CONFIDENCE = 1e-6
_MOST_DROPS = 100


class RunningSummary:
    """Accumulates events in constant memory. State: histograms of tempo evidence, sums of genre probabilities."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self.duration_s = 0.0
        self._estimates = np.zeros(_BINS)
        self._votes = np.zeros(_BINS)
        self._tempi = 0
        self._scores: dict[str, float] = {}
        self._genres = 0
        self._judged = 0
        self._judged_music = 0
        self._keys: dict[str, float] = {}
        self._keyed = 0
        self._camelot: dict[str, str] = {}
        self._loudness: Loudness | None = None
        self._drops_s: deque[float] = deque(maxlen=_MOST_DROPS)

    def add(self, event: Described) -> None:
        """Take an event into account; held predictions are no new evidence."""
        self.duration_s = max(self.duration_s, event.time_s)
        match event:
            case Tempo(age_s=0.0):
                self._add_tempo(event)
            case Key(age_s=0.0, label=str(), camelot=str()):
                self._add_key(event)
            case Loudness():
                self._loudness = event
            case Moment(turn="drop"):
                self._drops_s.append(event.at_s)
            case Genre():
                self._judged += 1
                self._judged_music += event.state == "music"
                if event.state in ("searching", "music"):
                    self._add_genre(event)

    def _add_tempo(self, tempo: Tempo) -> None:
        weight = max(tempo.confidence, _LEAST_CONFIDENCE)
        self._tempi += 1
        self._estimates[_bin(tempo.bpm)] += weight
        self._votes[_bin(tempo.bpm)] += weight
        for other in tempo.alternatives:
            self._votes[_bin(other.bpm)] += weight * other.salience

    def _add_genre(self, genre: Genre) -> None:
        self._genres += 1
        for score in genre.scores:
            self._scores[score.label] = self._scores.get(score.label, 0.0) + score.p

    def tempo(self) -> SummaryTempo | None:
        """Return the tempo with most evidence, or None when none was found.

        Each fresh estimate votes with its confidence, its alternatives with their share of that. The tempo is the
        weighted median of the estimates within 4 % of the strongest; its confidence is the mean confidence of all
        estimates, those elsewhere counting nothing.
        """
        if not self._tempi:
            return None
        bpm, support = _strongest(self._estimates, self._votes)
        confidence = float(self._estimates[_near(bpm)].sum()) / self._tempi
        left = self._votes.copy()
        alternatives: list[Alternative] = []
        for _ in range(_MAX_ALTERNATIVES):
            left[_near(alternatives[-1].bpm if alternatives else bpm)] = 0.0
            if not left.any():
                break
            other, other_support = _strongest(left, left)
            alternatives.append(Alternative(round(other, 2), min(1.0, other_support / support)))
        return SummaryTempo(round(bpm, 2), min(1.0, confidence), tuple(alternatives))

    def genre(self) -> SummaryGenre | None:
        """Return the genre with the highest mean probability, or None when none was found."""
        if not self._genres:
            return None
        scores = {label: p / self._genres for label, p in sorted(self._scores.items(), key=lambda item: -item[1])}
        label = next(iter(scores))
        return SummaryGenre(label, scores[label], scores)

    def music(self) -> float:
        """Return the share of genre judgements that heard music; silence is none."""
        return self._judged_music / self._judged if self._judged else 0.0

    def _add_key(self, key: Key) -> None:
        self._keyed += 1
        if key.label and key.camelot:
            self._camelot[key.label] = key.camelot
        for score in key.scores:
            self._keys[score.label] = self._keys.get(score.label, 0.0) + score.p

    def key(self) -> SummaryKey | None:
        """Return the key with the highest mean probability of those that were shown, or None when none was."""
        if not self._camelot:
            return None
        label = max(self._camelot, key=lambda one: self._keys[one])
        return SummaryKey(label, self._camelot[label], self._keys[label] / self._keyed)

    def loudness(self) -> SummaryLoudness | None:
        """Return the loudness of everything so far, or None where it is not measured."""
        last = self._loudness
        return SummaryLoudness(last.integrated_lufs, last.range_lu, last.true_peak_dbtp) if last else None

    def summary(self) -> Summary:
        """Return what everything so far amounts to."""
        return Summary(
            time_s=self.duration_s,
            duration_s=self.duration_s,
            tempo=self.tempo(),
            genre=self.genre(),
            music=self.music(),
            key=self.key(),
            loudness=self.loudness(),
            drops_s=tuple(self._drops_s),
        )


class Timeline:
    """Keeps a row of every event of some kinds, of the fields that are described for it."""

    def __init__(self, kinds: Iterable[type[Described]]) -> None:
        """Start with no rows of ``kinds``; one without fields for a row has none."""
        self._columns = {
            event.KIND.name: [(name, wire, what) for name, wire, what in described_fields(event) if what.row]
            for event in kinds
        }
        self._rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind, columns in self._columns.items() if columns}

    def add(self, event: Described) -> None:
        """Take an event into account."""
        rows = self._rows.get(event.KIND.name)
        if rows is not None:
            values = {wire: wire_value(getattr(event, n), what) for n, wire, what in self._columns[event.KIND.name]}
            rows.append({"time_s": round(event.time_s, 3), **values})

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows by kind, in order."""
        return self._rows


def _bin(bpm: float) -> int:
    return min(_BINS - 1, round(bpm / _BIN_BPM))


def _near(bpm: float) -> slice:
    return slice(_bin(bpm * (1.0 - _SAME_TEMPO)), _bin(bpm * (1.0 + _SAME_TEMPO)) + 1)


def _strongest(candidates: F64, votes: F64) -> tuple[float, float]:
    """Return the weighted median of the candidates around the one with most votes within 4 %, and those votes."""
    support, index = max((float(votes[_near(i * _BIN_BPM)].sum()), -int(i)) for i in np.flatnonzero(candidates))
    near = _near(-index * _BIN_BPM)
    cumulative = np.cumsum(candidates[near])
    return (near.start + int(np.searchsorted(cumulative, cumulative[-1] / 2.0))) * _BIN_BPM, support
