"""The tempo model's BPM bins: which are near each other, which are octaves, which a range allows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.tempo.onsets import TOLERANCE

if TYPE_CHECKING:
    from stream_analyzer.types import F64, TempoRange

SLOWER, FASTER = (1.0 / 3.0, 0.5), (2.0, 3.0)
FAMILY = (*SLOWER, 1.0, *FASTER)  # multiples that listeners confuse
EDGE = 1.005  # a track at the very edge of a range must not jump at every flutter of its decimals


class TempoBins:
    """Sums of probability over tempi that belong together. Stateless; ``tempo_range`` spans an octave at least."""

    def __init__(self, bpm: tuple[float, ...], *, tempo_range: TempoRange | None = None) -> None:
        """Take the bins' tempi, rising, and the range that shown tempi must lie in."""
        self.bpm = np.array(bpm)
        self._range = tempo_range
        self._gap = np.abs(np.log(self.bpm[:, None] / self.bpm[None, :]))
        self._near = (self._gap <= TOLERANCE).astype(np.float64)
        self._folded = np.array([self.nearest(self.into_range(one)) for one in bpm])

    def nearest(self, bpm: float) -> int:
        """Return the index of the bin nearest to a tempo."""
        return int(np.argmin(np.abs(np.log(self.bpm / bpm))))

    def near(self, index: int, *, width: float = TOLERANCE) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Tell which bins lie within ``width`` (a difference of logarithms) of one."""
        close: np.ndarray[tuple[int], np.dtype[np.bool_]] = self._gap[index] <= width
        return close

    def into_range(self, bpm: float) -> float:
        """Return ``bpm``, or the octave of it that lies in the range."""
        if self._range is None:
            return bpm
        low, high = self._range
        while bpm > high * EDGE:
            bpm /= 2.0
        while bpm < low / EDGE:
            bpm *= 2.0
        return bpm

    def allows(self, bpm: float) -> bool:
        """Tell whether a tempo may be shown as it is."""
        return self.into_range(bpm) == bpm and self.bpm[0] <= bpm <= self.bpm[-1]

    def fold(self, posterior: F64) -> F64:
        """Return a posterior [bins] whose mass outside the range has moved, by octaves, into it."""
        if self._range is None:
            return posterior
        folded = np.zeros_like(posterior)
        np.add.at(folded, self._folded, posterior)
        return folded

    def mass(self, posterior: F64) -> F64:
        """Return the mass within 4 % of each bin, [bins]."""
        mass: F64 = self._near @ posterior
        return mass

    def family_mass(self, mass: F64, bpm: float) -> float:
        """Return how much of ``mass`` lies on a tempo, its double and half, triple and third."""
        return sum(self._mass_at(mass, bpm * factor) for factor in FAMILY)

    def rival(self, mass: F64, bpm: float, *, double: bool) -> float:
        """Return how strong the strongest octave of a tempo is, relative to it; its ``double`` may be no question."""
        octaves = SLOWER + FASTER if double else SLOWER
        return max(self._mass_at(mass, bpm * factor) for factor in octaves) / max(self._mass_at(mass, bpm), 1e-12)

    def outside_family(self, bpm: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Tell which bins are another tempo altogether."""
        gaps = [np.abs(np.log(self.bpm / (bpm * factor))) for factor in FAMILY]
        outside: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.min(gaps, axis=0) > 1.5 * TOLERANCE
        return outside

    def centre(self, posterior: F64, index: int) -> float:
        """Return the posterior's centre of gravity around a bin, in BPM."""
        weights = self._near[index] * posterior
        return float(np.exp(weights @ np.log(self.bpm) / max(float(weights.sum()), 1e-12)))

    def _mass_at(self, mass: F64, bpm: float) -> float:
        if not self.bpm[0] / (1.0 + TOLERANCE) <= bpm <= self.bpm[-1] * (1.0 + TOLERANCE):
            return 0.0
        return float(mass[self.nearest(bpm)])
