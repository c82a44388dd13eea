"""Whether a device delivers as many samples a second as it says; if not, every tempo would be wrong by that. Pure.

Known cases are aggregate devices, headsets that turned to telephony, and drivers that keep the rate of another program.
"""

from __future__ import annotations

WINDOW_S = 10.0
_RATES_HZ = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000)
_OFF = 0.015  # a tempo that is this far off is wrong; clocks of sound cards are a hundred times better
_NEAR = 0.005  # jitter of the first and the last block of a window


class RateCheck:
    """State: samples counted since when, and which other rate the window before spoke for."""

    def __init__(self, rate_hz: int) -> None:
        """Check a device that says ``rate_hz``."""
        self.rate_hz = rate_hz
        self._begun_s: float | None = None
        self._samples = 0
        self._suspected_hz = 0

    def count(self, samples: int, *, now_s: float) -> bool:
        """Count ``samples`` that arrived; return whether two windows in a row spoke for another ``rate_hz``."""
        if self._begun_s is None:
            self._begun_s, self._samples = now_s, 0  # what is in the first block was captured before
            return False
        self._samples += samples
        passed_s = now_s - self._begun_s
        if passed_s < WINDOW_S:
            return False
        measured_hz = self._samples / passed_s
        self._begun_s, self._samples = now_s, 0
        true_hz = min(_RATES_HZ, key=lambda rate_hz: abs(rate_hz / measured_hz - 1.0))
        other = abs(measured_hz / self.rate_hz - 1.0) > _OFF and abs(measured_hz / true_hz - 1.0) < _NEAR
        before_hz, self._suspected_hz = self._suspected_hz, true_hz if other else 0
        if not other or before_hz != true_hz:
            return False
        self.rate_hz = true_hz
        return True
