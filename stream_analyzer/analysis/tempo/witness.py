"""What another part hears of the tempo, as the tempo tracker takes it into account. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_analyzer.types import F64

NEAR = 0.06  # tempi that speak for each other: difference of logarithms
DOUBT = 0.1  # chance that the witness is mistaken altogether
OCTAVES = 0.25  # how much the double and the half of what it hears count: its octave is mostly right, not always
WEIGHT = 0.5  # exponent of its word, once and for each time that it insists
MOST = 12  # times that count


@dataclass(frozen=True, slots=True)
class Witness:
    """How likely each of some tempi is, BPM [n] and probabilities [n]; ``insists`` counts how often it wasn't heard."""

    bpm: F64
    chance: F64
    insists: float = 0.0

    def of(self, bins: F64) -> F64:
        """Return how well each tempo of ``bins`` [m] fits what was heard, 0..1; 1 where the witness knows no tempo."""
        heard = sum(
            weight * (np.abs(np.log(bins[:, None] * octave / self.bpm)) <= NEAR) @ self.chance
            for octave, weight in ((1.0, 1.0), (2.0, OCTAVES), (0.5, OCTAVES))
        )
        word: F64 = (DOUBT + np.minimum(1.0, heard)) ** (WEIGHT * (1 + min(self.insists, MOST)))
        return word
