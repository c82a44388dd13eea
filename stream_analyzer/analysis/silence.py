"""Whether anything is heard, and if not why: zeros, mere noise, or sound on a channel that is not listened to. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.level import SILENCE_DBFS

if TYPE_CHECKING:
    from stream_analyzer.types import F32, F64, Silence

_THRESHOLD = 10.0 ** (SILENCE_DBFS / 20.0)
_FAINTEST_DBFS = -90.0  # below is the noise of 16 bits
_RISE_DB = (
    3.0  # each two seconds of the demo have as much between the softest and the loudest step; hiss and hum have less
)
_NOISE_STEPS = 20
_FADE = 0.9  # a step; a drum's channel must not be lost between two beats
_ZEROS_AFTER_STEPS = 10


class NoiseFloor:
    """Tells what rises above its own noise. State: the levels of the last seconds."""

    def __init__(self) -> None:
        """Begin."""
        self._levels_dbfs: deque[float] = deque(maxlen=_NOISE_STEPS)

    def reset(self) -> None:
        """Forget what was heard; equal to a new object."""
        self._levels_dbfs.clear()

    def rises(self, rms_dbfs: float) -> bool:
        """Take the level of a step; tell whether that is above the softest of the last seconds."""
        self._levels_dbfs.append(rms_dbfs)
        return rms_dbfs >= max(_FAINTEST_DBFS, min(self._levels_dbfs) + _RISE_DB)


class SilenceCauses:
    """Looks at silent steps. State: how many in a row were zeros, and how loud each channel was lately."""

    def __init__(self) -> None:
        """Start with nothing heard."""
        self.reset()

    def reset(self) -> None:
        """Forget what was heard; equal to a new object."""
        self._zeros = 0
        self._loudness: F64 | None = None

    def look(self, heard: F32, channels: F32) -> None:
        """Take a silent step: what is ``heard`` of it [n, heard], and every channel of the source [n, channels]."""
        self._zeros = 0 if heard.any() else self._zeros + 1
        rms = np.std(np.nan_to_num(channels), axis=0, dtype=np.float64)  # a constant is no sound
        before = self._loudness
        faded = np.zeros_like(rms) if before is None or before.shape != rms.shape else before * _FADE
        self._loudness = np.maximum(rms, faded)

    @property
    def sound_on(self) -> int | None:
        """The loudest channel, from 1, if it has sound."""
        if self._loudness is None or self._loudness.max() < _THRESHOLD:
            return None
        return int(self._loudness.argmax()) + 1

    @property
    def cause(self) -> Silence:
        """What kind of silence it is."""
        if self.sound_on:
            return "elsewhere"
        return "zeros" if self._zeros >= _ZEROS_AFTER_STEPS else "quiet"


def explain(cause: Silence, sound_on: int | None) -> str:
    """Say what is known of a silence, and what may help."""
    if cause == "elsewhere":
        return f"what is heard is silent, but channel {sound_on} has sound; listen to it with --channel {sound_on}"
    if cause == "zeros":
        return "nothing but zeros: is the input muted, switched off, or not permitted to this program?"
    return f"nothing above {SILENCE_DBFS:.0f} dBFS, and no faint sound above its own noise"
