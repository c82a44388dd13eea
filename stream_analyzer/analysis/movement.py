"""Whether the spectrum moves at all: hum, tones and noise do not, and are no music whatever a model says. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from stream_analyzer.analysis.features import SPEC, mel_frequencies

if TYPE_CHECKING:
    import numpy.typing as npt

    from stream_analyzer.types import F32

Steady = Literal["hum", "tone", "noise"]

LONGEST_S, SHORTEST_S = 8.0, 2.0  # what is looked at, and what is enough after a start or a silence
GROUPS = 16  # of mel bands: single bands of noise move by chance
LOUD_DB = 15.0  # groups that far below the loudest count for nothing
# Of 2600 stretches of 2 s of GTZAN none moves less than 2 dB; noise below 400 Hz moves 1.8 dB at most.
STILL_DB = 1.8
# Ticks in noise, as of a record that has run out, swing the whole by 2 to 5 dB and leave most frames alone;
# hand-clapping swings it by 8 dB, a metronome by 28.
SWING_DB, QUIETER, WIDE = 6.0, 0.86, GROUPS // 2
PURE_DB = 0.5  # noise moves more than this by chance
HUM_HZ = 250.0  # mains hum and the first of its multiples


class Movement:
    """The powers of the last seconds in groups of bands, also in dB. State: those."""

    def __init__(self) -> None:
        """Begin."""
        self._longest, self._shortest = (round(s * SPEC.frames_per_second) for s in (LONGEST_S, SHORTEST_S))
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._powers = self._levels_db = np.empty((0, GROUPS), np.float32)
        self._loudest_band = 0

    def push(self, frames: F32) -> None:
        """Take log-mel frames, float32 [n, bands], of the shared definition."""
        powers = np.exp(frames).reshape(len(frames), GROUPS, SPEC.n_mels // GROUPS).sum(axis=2)
        self._powers = np.concatenate([self._powers, powers])[-self._longest :]
        self._levels_db = np.concatenate([self._levels_db, _decibels(powers)])[-self._longest :]
        if len(frames):
            self._loudest_band = int(np.argmax(frames.mean(axis=0)))

    @property
    def steady(self) -> Steady | None:
        """What does not move, or None while something does, or too little was heard to tell."""
        if len(self._powers) < self._shortest:
            return None
        moves_db = _moves_db(self._powers, self._levels_db)
        if moves_db >= STILL_DB:
            return None
        if moves_db >= PURE_DB:
            return "noise"
        edges_hz = mel_frequencies(SPEC.n_mels + 2, fmin_hz=SPEC.fmin_hz, fmax_hz=SPEC.fmax_hz)
        return "hum" if edges_hz[self._loudest_band + 1] < HUM_HZ else "tone"

    @property
    def moves(self) -> bool:
        """Whether something moves for sure."""
        return len(self._powers) >= self._shortest and _moves_db(self._powers, self._levels_db) >= STILL_DB

    @property
    def ticks(self) -> bool:
        """Whether it is noise of all pitches, steady but for a few short events that hardly swing it."""
        if len(self._powers) < self._shortest:
            return False
        together = self._powers.sum(axis=1)
        often = together <= np.quantile(together, QUIETER)
        wide = int(_loud(self._powers[often]).sum()) >= WIDE
        swing_db = float(_decibels(together).std())
        return wide and swing_db < SWING_DB and _moves_db(self._powers[often], self._levels_db[often]) < STILL_DB


def _moves_db(powers: F32, levels_db: F32) -> float:
    """Return by how much the loud groups, both [n, groups], move: that of the one which does most."""
    return float(levels_db[:, _loud(powers)].std(axis=0).max())


def _loud(powers: F32) -> npt.NDArray[np.bool_]:
    """Tell which groups of powers [n, groups] count."""
    together = np.add.reduce(powers, axis=0)
    return np.asarray(together > together.max() * 10.0 ** (-LOUD_DB / 10.0))


def _decibels(powers: F32) -> F32:
    return np.asarray(10.0 * np.log10(powers + np.float32(1e-12)), np.float32)
