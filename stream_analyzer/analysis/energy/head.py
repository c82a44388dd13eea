"""The energy head: shared log-mel frames -> measures -> scale of the night -> `Energy`, each step. Pure, no model.

It measures: the scale of a night goes on over silence, gaps and another sound format; only a new set begins anew.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from stream_analyzer.analysis.energy.measures import SHORT_TERM_S, Measured, Measures
from stream_analyzer.analysis.energy.scale import NightScale
from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.level import SILENCE_DBFS
from stream_analyzer.types import Energy

if TYPE_CHECKING:
    from stream_analyzer.analysis.head import Step

# What counts as much as a decibel of loudness: so many onsets a second, so many octaves of brightness.
ONSETS, OCTAVES = 2.0, 0.33


class EnergyHead:
    """Measures energy. State: the last seconds, and the night."""

    name: ClassVar[str] = "energy"
    event: ClassVar[type[Any]] = Energy
    measures: ClassVar[bool] = True
    features = (SPEC,)
    model = None
    ready = True
    window_s, first_s, latency_s = SHORT_TERM_S, 0.1, SPEC.n_fft / SPEC.sample_rate_hz

    def __init__(self) -> None:
        """Begin."""
        self._measures, self._night = Measures(), NightScale()

    def reset(self) -> None:
        """Forget everything; equal to a new head."""
        self._measures, self._night = Measures(), NightScale()

    def facts(self) -> dict[str, Any]:
        """Add nothing to `Hello`."""
        return {}

    def hear(self, step: Step) -> list[Energy]:
        """Measure a step; what is silent or steady is no part of the night."""
        found = self._measures.push(step.frames[SPEC])
        drive = _drive(found)
        if not step.idle and found.loudness_db > SILENCE_DBFS:
            self._night.add(drive)
        value = 0.0 if step.idle else self._night.place(drive)
        return [Energy(step.time_s, value, found.bass_dbfs, found.onsets_per_s, found.brightness_hz)]


def _drive(found: Measured) -> float:
    """Return loudness, onsets and brightness as one value in dB."""
    return found.loudness_db + found.onsets_per_s / ONSETS + math.log2(max(found.brightness_hz, 1.0)) / OCTAVES
