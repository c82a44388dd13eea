"""Whether the spectrum moves at all: hum, tones and noise do not, and are no music whatever a model says. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from stream_analyzer.analysis.features import SPEC, mel_frequencies

if TYPE_CHECKING:
    from stream_analyzer.types import F32

Steady = Literal["hum", "tone", "noise"]

LONGEST_S, SHORTEST_S = 8.0, 2.0  # what is looked at, and what is enough after a start or a silence
GROUPS = 16  # of mel bands: single bands of noise move by chance
LOUD_DB = 15.0  # groups that far below the loudest count for nothing
# Of 2600 stretches of 2 s of GTZAN none moves less than 2 dB; noise below 400 Hz moves 1.8 dB at most.
STILL_DB = 1.8
PURE_DB = 0.5  # noise moves more than this by chance
HUM_HZ = 250.0  # mains hum and the first of its multiples


class Movement:
    """The powers of the last seconds in groups of bands. State: those."""

    def __init__(self) -> None:
        """Begin."""
        self._longest, self._shortest = (round(s * SPEC.frames_per_second) for s in (LONGEST_S, SHORTEST_S))
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._powers = np.empty((0, GROUPS), np.float32)
        self._loudest_band = 0

    def push(self, frames: F32) -> None:
        """Take log-mel frames, float32 [n, bands], of the shared definition."""
        powers = np.exp(frames).reshape(len(frames), GROUPS, SPEC.n_mels // GROUPS)
        self._powers = np.concatenate([self._powers, powers.sum(axis=2)])[-self._longest :]
        if len(frames):
            self._loudest_band = int(np.argmax(frames.mean(axis=0)))

    @property
    def steady(self) -> Steady | None:
        """What does not move, or None while something does, or too little was heard to tell."""
        if len(self._powers) < self._shortest:
            return None
        mean = self._powers.mean(axis=0)
        loud = mean > mean.max() * 10.0 ** (-LOUD_DB / 10.0)
        moves_db = float(np.std(10.0 * np.log10(self._powers[:, loud] + 1e-12), axis=0).max())
        if moves_db >= STILL_DB:
            return None
        if moves_db >= PURE_DB:
            return "noise"
        edges_hz = mel_frequencies(SPEC.n_mels + 2, fmin_hz=SPEC.fmin_hz, fmax_hz=SPEC.fmax_hz)
        return "hum" if edges_hz[self._loudest_band + 1] < HUM_HZ else "tone"
