"""Integrated loudness by ITU-R BS.1770: the mean power of what is loud enough, in bounded memory. Pure.

libebur128 keeps either every block for ever, or a histogram that puts the mean off by up to 0.05 LU. Here each bin of
the histogram holds the sum of its blocks' powers, so that only blocks at the very threshold are counted roughly.
"""

from __future__ import annotations

import numpy as np

ABSOLUTE_LUFS = -70.0
RELATIVE_LU = -10.0
_BINS_PER_LU = 20
_LOUDEST_LUFS = 30.0


class Gating:
    """Integrates blocks of 0.4 s. State: number and summed power of the blocks of each loudness."""

    def __init__(self) -> None:
        """Begin."""
        bins = round((_LOUDEST_LUFS - ABSOLUTE_LUFS) * _BINS_PER_LU) + 1
        self._counts, self._powers = np.zeros(bins), np.zeros(bins)

    def add(self, power: float) -> None:
        """Take the mean power of a block; what is below -70 LUFS is none."""
        if power >= 10.0 ** (ABSOLUTE_LUFS / 10.0):
            index = _bin(power)
            self._counts[index] += 1.0
            self._powers[index] += power

    def integrated(self) -> float | None:
        """Return the loudness in LUFS of the blocks no more than 10 LU below the mean of all, None without any."""
        counted = self._counts.sum()
        if not counted:
            return None
        threshold = _bin(self._powers.sum() / counted * 10.0 ** (RELATIVE_LU / 10.0))
        return float(10.0 * np.log10(self._powers[threshold:].sum() / self._counts[threshold:].sum()))


def _bin(power: float) -> int:
    lufs = 10.0 * np.log10(max(power, 1e-12))
    return int(np.rint((np.clip(lufs, ABSOLUTE_LUFS, _LOUDEST_LUFS) - ABSOLUTE_LUFS) * _BINS_PER_LU))
