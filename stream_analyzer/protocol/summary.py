"""What a whole stretch of sound amounts to: one tempo, one genre, how much of it was music. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.protocol.encode import genre_data, tempo_data
from stream_analyzer.types import Event, Genre, Tempo

if TYPE_CHECKING:
    from stream_analyzer.types import F64

_SAME_TEMPO = 0.04
_MAX_ALTERNATIVES = 3
_BIN_BPM = 0.1
_BINS = 5000
_LEAST_CONFIDENCE = 1e-6


class Summary:
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

    def add(self, event: Event) -> None:
        """Take an event into account; held predictions are no new evidence."""
        self.duration_s = max(self.duration_s, event.time_s)
        match event:
            case Tempo(age_s=0.0):
                self._add_tempo(event)
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

    def tempo(self) -> dict[str, Any] | None:
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
        alternatives: list[dict[str, float]] = []
        for _ in range(_MAX_ALTERNATIVES):
            left[_near(alternatives[-1]["bpm"] if alternatives else bpm)] = 0.0
            if not left.any():
                break
            other, other_support = _strongest(left, left)
            alternatives.append({"bpm": round(other, 2), "salience": round(min(1.0, other_support / support), 4)})
        return {"bpm": round(bpm, 2), "confidence": round(min(1.0, confidence), 4), "alternatives": alternatives}

    def genre(self) -> dict[str, Any] | None:
        """Return the genre with the highest mean probability, or None when none was found."""
        if not self._genres:
            return None
        scores = {label: p / self._genres for label, p in sorted(self._scores.items(), key=lambda item: -item[1])}
        label = next(iter(scores))
        return {
            "label": label,
            "confidence": round(scores[label], 4),
            "scores": {name: round(p, 4) for name, p in scores.items()},
        }

    def music(self) -> float:
        """Return the share of genre judgements that heard music; silence is none."""
        return self._judged_music / self._judged if self._judged else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as `analyze --json` and the summary message show it."""
        return {
            "duration_s": round(self.duration_s, 3),
            "tempo": self.tempo(),
            "genre": self.genre(),
            "music": round(self.music(), 4),
        }


class Timeline:
    """Keeps a row of every tempo and genre."""

    def __init__(self) -> None:
        """Start with no rows."""
        self._rows: dict[str, list[dict[str, Any]]] = {"tempo": [], "genre": []}

    def add(self, event: Event) -> None:
        """Take an event into account."""
        match event:
            case Tempo():
                self._append("tempo", event.time_s, tempo_data(event), ("bpm", "confidence", "state"))
            case Genre():
                self._append("genre", event.time_s, genre_data(event), ("label", "sub_genre", "confidence", "state"))

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows by kind, in order."""
        return self._rows

    def _append(self, kind: str, time_s: float, data: dict[str, Any], keys: tuple[str, ...]) -> None:
        self._rows[kind].append({"time_s": round(time_s, 3), **{key: data[key] for key in keys}})


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
