"""Integrated loudness by ITU-R BS.1770 and loudness range by EBU Tech 3342, in bounded memory. Pure.

libebur128 keeps either every block for ever, or a histogram that puts the mean off by up to 0.05 LU; for the range it
also keeps 3 s of sound, which costs time. Here each bin of the histogram holds the sum of its blocks' powers, so that
only blocks at the very threshold are counted roughly.
"""

from __future__ import annotations

import math

import numpy as np

ABSOLUTE_LUFS = -70.0
RELATIVE_LU, RANGE_RELATIVE_LU = -10.0, -20.0
_RANGE = np.array([0.1, 0.95])
_BINS_PER_LU = 20
_LOUDEST_LUFS = 30.0


class Gating:
    """Sums blocks up: of 0.4 s for the integrated loudness, of 3 s for the range.

    State: number and summed power of the blocks of each loudness, and of all.
    """

    def __init__(self) -> None:
        """Begin."""
        bins = round((_LOUDEST_LUFS - ABSOLUTE_LUFS) * _BINS_PER_LU) + 1
        self._counts, self._powers = np.zeros(bins), np.zeros(bins)
        self._count, self._power = 0, 0.0

    def add(self, power: float) -> None:
        """Take the mean power of a block; what is below -70 LUFS is none."""
        if power >= 10.0 ** (ABSOLUTE_LUFS / 10.0):
            index = _bin(power)
            self._counts[index] += 1.0
            self._powers[index] += power
            self._count += 1
            self._power += power

    def integrated(self) -> float | None:
        """Return the loudness in LUFS of the blocks no more than 10 LU below the mean of all, None without any."""
        if not self._count:
            return None
        first = self._first(RELATIVE_LU)
        return float(10.0 * np.log10(self._powers[first:].sum() / self._counts[first:].sum()))

    def range_lu(self) -> float:
        """Return how far the blocks within 20 LU below the mean reach, without the softest 10 % and loudest 5 %."""
        if not self._count:
            return 0.0
        upto = np.cumsum(self._counts[self._first(RANGE_RELATIVE_LU) :])
        low, high = np.searchsorted(upto, 1.0 + np.rint((upto[-1] - 1.0) * _RANGE))
        return float(high - low) / _BINS_PER_LU

    def _first(self, relative_lu: float) -> int:
        """Return the bin from which on blocks count."""
        return _bin(self._power / self._count * 10.0 ** (relative_lu / 10.0))


def _bin(power: float) -> int:
    lufs = 10.0 * math.log10(max(power, 1e-12))
    return round((min(max(lufs, ABSOLUTE_LUFS), _LOUDEST_LUFS) - ABSOLUTE_LUFS) * _BINS_PER_LU)
