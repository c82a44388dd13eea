"""Loudness of a stretch of raw sound, and the silence it may be. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.types import Level

if TYPE_CHECKING:
    from stream_analyzer.types import F32

FLOOR_DBFS = -120.0
SILENCE_DBFS = -60.0
_FULL_SCALE = 32766.0 / 32768.0
_CLIPPED_SAMPLES = 3


def measure_level(samples: F32, heard: F32, *, time_s: float) -> Level:
    """Measure a step: RMS of what is analysed of it, ``heard`` [n]; peak and clipping of the ``samples`` [n, channels].

    A constant is no sound, so the RMS is about the mean. Clipping is three or more samples at full scale.
    """
    magnitude = np.abs(samples)
    peak = float(magnitude.max())
    sound = heard.astype(np.float64)
    sound -= sound.sum() / len(sound)
    rms = math.sqrt(float(sound @ sound) / len(sound))
    return Level(
        time_s=time_s,
        rms_dbfs=_dbfs(rms),
        peak_dbfs=_dbfs(peak),
        clipping=peak >= _FULL_SCALE and int(np.count_nonzero(magnitude >= _FULL_SCALE)) >= _CLIPPED_SAMPLES,
    )


def _dbfs(amplitude: float) -> float:
    return max(FLOOR_DBFS, 20.0 * math.log10(max(amplitude, 1e-9)))
