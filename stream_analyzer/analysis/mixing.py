"""From channels to the one signal that is analysed: no offset, and no channels that cancel each other. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.resample import mix
from stream_analyzer.analysis.steps import STEPS_PER_SECOND

if TYPE_CHECKING:
    from stream_analyzer.types import F32, F64

OFFSET_S = 2.0  # time constant of the mean and the variance that tell an offset from sound
POWER_S = 1.0  # time constant of the powers that are compared
CANCEL, RECOVER = 0.1, 0.3  # power of the mix that ends it and brings it back; that of unrelated channels is 1
LOUDER = 4.0  # another channel takes over when its power is so many times that of the one that is heard


class Mixer:
    """Mixes the channels of one unbroken stretch of sound, step by step.

    Where the mix is far weaker than unrelated channels would make it, one of them is inverted (a wrong cable, an
    expander): then the strongest channel is heard alone. State: mean, variance, offset and power of
    each channel, the power of the mix, and the channel that is heard instead of it.
    """

    def __init__(self) -> None:
        """Begin."""
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._steady: F64 | None = None
        self._taken: F32 | None = None
        self._powers: F64 | None = None
        self.alone: int | None = None  # from 0

    def push(self, samples: F32) -> F32:
        """Take a step, float32 [n, channels]; return what is analysed of it, float32 [n]."""
        mean, power = _mean_and_power(samples)
        centred = self._centre(samples, mean, power)
        mixed = mix(centred)
        if centred.shape[1] == 1:
            return mixed
        before = self.alone
        self._compare(power if centred is samples else _mean_and_power(centred)[1], mixed)
        old, new = (mixed if one is None else centred[:, one] for one in (before, self.alone))
        return new if before == self.alone else old + _way(len(old)) * (new - old)

    def _centre(self, samples: F32, mean: F64, power: F64) -> F32:
        """Take away an offset that is larger than the sound; smaller ones do no harm, and bass looks like one."""
        now = np.stack([mean, np.maximum(power - np.square(mean), 0.0)])
        before = now if self._steady is None else self._steady
        self._steady = before + (now - before) / (OFFSET_S * STEPS_PER_SECOND)
        offset, variance = self._steady
        after = np.where(np.square(offset) > variance, offset, 0.0).astype(np.float32)
        taken, self._taken = after if self._taken is None else self._taken, after
        if not (taken.any() or after.any()):
            return samples
        return samples - taken - _way(len(samples))[:, None] * (after - taken)

    def _compare(self, of_channels: F64, mixed: F32) -> None:
        """Choose between the mix and the strongest channel."""
        power = np.append(of_channels, float(mixed @ mixed) / len(mixed))
        before = power if self._powers is None or not self._powers.any() else self._powers
        self._powers = before + (power - before) / (POWER_S * STEPS_PER_SECOND)
        channels, together = self._powers[:-1], self._powers[-1]
        unrelated = channels.sum() / len(channels) ** 2
        strongest = int(np.argmax(channels))
        if together >= (CANCEL if self.alone is None else RECOVER) * unrelated:
            self.alone = None
        elif self.alone is None or channels[strongest] > LOUDER * channels[self.alone]:
            self.alone = strongest


def _mean_and_power(samples: F32) -> tuple[F64, F64]:
    """Return mean and mean square of each channel of [n, channels], float64 [channels]."""
    rows = np.ascontiguousarray(samples.T)  # sums along a row take a tenth of the time of sums down a column
    mean, power = np.add.reduce(rows, axis=1), np.einsum("cn,cn->c", rows, rows)
    return mean.astype(np.float64) / len(samples), power.astype(np.float64) / len(samples)


def _way(length: int) -> F32:
    """Return the way from what was to what is, over a step: float32 [n], up to 1."""
    return np.arange(1, length + 1, dtype=np.float32) / np.float32(length)
