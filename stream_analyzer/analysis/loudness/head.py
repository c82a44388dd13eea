"""The loudness head: samples as they came, all channels at their own rate -> `Loudness`. Pure.

libebur128 weighs them and tells the power of each step; its true peak and its range cost four times as much, so both
are found here. The head measures by ITU-R BS.1770 and EBU R128, and judges nothing. The only user of pyebur128, which
is not to be had everywhere: without it there is no such head.
"""

from __future__ import annotations

import math
from collections import deque
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from stream_analyzer.analysis.loudness.gating import Gating
from stream_analyzer.analysis.loudness.true_peak import TruePeak
from stream_analyzer.types import Loudness

if TYPE_CHECKING:
    from stream_analyzer.analysis.head import Step

LIBRARY = "pyebur128"
FLOOR_DB = -120.0
_STEP_MS = 100
_MOMENTARY_STEPS, _SHORT_TERM_STEPS = 4, 30
_RANGE_EVERY_STEPS = 10
_MOST_CHANNELS = 64

# By number of channels, where the library's own order ends: what each is, by its names, in the order of WAV.
_LAYOUTS = {
    7: ("LEFT", "RIGHT", "CENTER", "UNUSED", "M_PLUS_180", "M_PLUS_090", "M_MINUS_090"),
    8: ("LEFT", "RIGHT", "CENTER", "UNUSED", "M_PLUS_135", "M_MINUS_135", "M_PLUS_090", "M_MINUS_090"),
}
_ORDERED = 6


def available() -> bool:
    """Tell whether the library is installed here."""
    return find_spec(LIBRARY) is not None


class LoudnessHead:
    """Measures loudness. It goes on over silence, gaps and another sound format; only a new set begins anew.

    State: libebur128's, the power of the last steps, what was integrated, the range, and the true peak.
    """

    name: ClassVar[str] = "loudness"
    event: ClassVar[type[Any]] = Loudness
    measures: ClassVar[bool] = True
    features = ()
    model = None
    ready = True
    window_s, first_s, latency_s = 3.0, 0.1, 0.0

    def __init__(self) -> None:
        """Begin."""
        import pyebur128  # noqa: PLC0415 - it may be missing, and then this is never called

        self._r128: Any = pyebur128
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new head."""
        self._state: Any = None
        self._format = (0, 0)
        self._powers: deque[float] = deque([0.0] * _SHORT_TERM_STEPS, maxlen=_SHORT_TERM_STEPS)
        self._steps = 0
        self._gating, self._spread = Gating(), Gating()
        self._range_lu = 0.0
        self._peak = TruePeak(0)

    def facts(self) -> dict[str, Any]:
        """Add nothing to `Hello`."""
        return {}

    def hear(self, step: Step) -> list[Loudness]:
        """Measure a step."""
        samples = step.samples[:, :_MOST_CHANNELS]
        if not len(samples):
            return []
        self._take_format(step.rate_hz, samples.shape[1])
        self._state.add_frames(np.ascontiguousarray(samples, np.float32).reshape(-1), len(samples))
        self._powers.append(_power(self._r128.get_loudness_window(self._state, _STEP_MS)))
        self._peak.push(samples)
        self._steps += 1
        powers = list(self._powers)
        momentary = sum(powers[-_MOMENTARY_STEPS:]) / _MOMENTARY_STEPS
        if self._steps >= _MOMENTARY_STEPS:
            self._gating.add(momentary)
        short_term = sum(powers) / _SHORT_TERM_STEPS
        if self._steps >= _SHORT_TERM_STEPS and self._steps % _RANGE_EVERY_STEPS == 0:
            self._spread.add(short_term)
            self._range_lu = self._spread.range_lu()
        return [
            Loudness(
                time_s=step.time_s,
                momentary_lufs=_decibels(momentary),
                short_term_lufs=_decibels(short_term),
                integrated_lufs=self._gating.integrated(),
                range_lu=self._range_lu,
                true_peak_dbtp=_decibels(self._peak.peak**2),
            )
        ]

    def _take_format(self, rate_hz: int, channels: int) -> None:
        if self._format == (rate_hz, channels):
            return
        self._format = (rate_hz, channels)
        self._peak = TruePeak(channels, peak=self._peak.peak)
        if self._state is None:
            only_power = int(self._r128.MeasurementMode.MODE_M)
            self._state = self._r128.R128State(channels, rate_hz, only_power)
        else:
            self._state.change_parameters(channels, rate_hz)
        kinds = self._r128.ChannelType
        plain = ("LEFT",) * (channels if channels > _ORDERED else 0)  # inputs of a desk: no speakers' places
        for index, name in enumerate(_LAYOUTS.get(channels, plain)):
            self._state.set_channel(index, int(kinds[name]))


def _power(lufs: float) -> float:
    """Return the power that a loudness stands for; none for minus infinity."""
    return math.pow(10.0, lufs / 10.0)


def _decibels(power: float) -> float:
    return max(FLOOR_DB, 10.0 * math.log10(max(power, 1e-15)))
