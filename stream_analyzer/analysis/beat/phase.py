"""Where in the beat the music is: a filter over tempo and phase, advanced one frame at a time. Pure.

A bar-pointer model (Krebs, Boeck and Widmer, ISMIR 2015), run forward only: a state is a beat's length in frames and
the frames since it began; lengths change at beats alone. Time counts frames, 50 a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_analyzer.types import F32, F64

SHORTEST, LONGEST = 12, 75  # frames of a beat: 250 to 40 BPM
STEADINESS = 60.0  # how fast the chance of another length falls with the relative change
LEAP = 1e-5  # chance that a frame begins anything anew: a cut, a DJ's jump
ELSEWHERE = 10.0  # frames between beats share the chance of no beat
WIDTH, RELATIVE_WIDTH = 0.75, 0.02  # standard deviation of a beat's activation: frames, and share of its length
FLOOR = 0.02  # activations are held this far from 0 and 1
NEAR = 0.08  # lengths that count as one tempo: difference of logarithms


@dataclass(frozen=True, slots=True)
class Phase:
    """Where the beat is: ``length`` in frames, ``passed`` in 0..1 of it, how ``sure``, 0..1, and the tempo's share."""

    length: float
    passed: float
    sure: float
    share: float


class PhaseFilter:
    """Probabilities of all states. State: these."""

    def __init__(self) -> None:
        """Lay out the states: those of each length side by side."""
        self.lengths = np.arange(SHORTEST, LONGEST + 1)
        self._first = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        self._last = self._first + self.lengths - 1
        count = int(self.lengths.sum())
        self._length = np.repeat(self.lengths, self.lengths).astype(np.float64)
        frame = np.arange(count) - np.repeat(self._first, self.lengths)
        off = np.minimum(frame, self._length - frame)
        width = np.maximum(WIDTH, RELATIVE_WIDTH * self._length)
        self._at_beat = np.exp(-0.5 * (off / width) ** 2)
        self._turn = np.exp(2j * np.pi * frame / self._length)
        change = np.abs(self.lengths[None, :] / self.lengths[:, None] - 1.0)
        moves = np.exp(-STEADINESS * change)
        self._moves = moves / moves.sum(axis=1, keepdims=True)
        self._flat = 1.0 / (self._length * len(self.lengths))
        gap = np.abs(np.log(self.lengths[:, None] / self.lengths[None, :]))
        ends = np.append(self._first, count)
        self._near = [slice(ends[near[0]], ends[near[-1] + 1]) for near in (np.flatnonzero(row <= NEAR) for row in gap)]
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._chance = self._flat.copy()
        self.prefer(None)

    def prefer(self, prior: F64 | None) -> None:
        """Take how likely each length is, whatever the beats say, [lengths], at most 1; None: all alike."""
        self._prior = np.ones(len(self.lengths)) if prior is None else prior
        spread = np.repeat(self._prior / self.lengths, self.lengths)
        self._anew = LEAP * spread / spread.sum()

    def push(self, activation: F32) -> None:
        """Take how likely a beat is at each of some frames, [n], in order."""
        for beat in np.clip(activation.astype(np.float64), FLOOR, 1.0 - FLOOR):
            before = self._chance
            turned = (before[self._last] @ self._moves) * self._prior
            chance = np.empty_like(before)
            chance[1:] = before[:-1]
            chance[self._first] = turned
            chance += self._anew
            none = (1.0 - beat) / ELSEWHERE
            chance *= self._at_beat * (beat - none) + none
            chance /= chance.sum()
            self._chance = chance

    @property
    def tempo(self) -> F64:
        """How likely each length is, float64 [lengths]."""
        tempo: F64 = np.add.reduceat(self._chance, self._first)
        return tempo

    def phase(self) -> Phase:
        """Return where the beat is, of the likeliest tempo."""
        tempo = self.tempo
        smooth = np.convolve(tempo, (0.5, 1.0, 0.5), mode="same")
        near = self._near[int(np.argmax(smooth))]
        chance = self._chance[near]
        share = float(chance.sum())
        turn = complex(chance @ self._turn[near]) / share
        length = float(chance @ self._length[near]) / share
        return Phase(length, float(np.angle(turn) / (2.0 * np.pi) % 1.0), abs(turn), share)
