"""The scale of a night: what was low and what was high so far, in bounded memory. Pure."""

from __future__ import annotations

import numpy as np

BIN = 0.25
LOWEST, HIGHEST = -120.0, 60.0
LOW, HIGH = 0.05, 0.95  # of the night so far: 0 and 1 on its scale
LEAST_SPREAD = 10.0  # a night that goes on like this is neither high nor low


class NightScale:
    """Puts values between the low and the high ones of all before. State: how often each, or a lower one, came."""

    def __init__(self) -> None:
        """Begin a night."""
        self._share = np.zeros(round((HIGHEST - LOWEST) / BIN), np.int64)

    def add(self, value: float) -> None:
        """Take a value into account."""
        self._share[min(max(int((value - LOWEST) / BIN), 0), len(self._share) - 1) :] += 1

    def place(self, value: float) -> float:
        """Return where a value lies, 0..1; about the middle as long as nothing else came."""
        share = self._share
        total = int(share[-1])
        if not total:
            return 0.0
        low, high = (LOWEST + BIN * (int(np.searchsorted(share, part * total)) + 0.5) for part in (LOW, HIGH))
        spread, middle = max(LEAST_SPREAD, high - low), 0.5 * (low + high)
        return min(max(0.5 + (value - middle) / spread, 0.0), 1.0)
