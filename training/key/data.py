"""Training windows for the key: stretches of clips, averaged as the service averages them, as seen from each tonic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.key import profile

if TYPE_CHECKING:
    import numpy.typing as npt

    from stream_analyzer.types import F32, F64
    from training.key.pitch_set import PitchSet


@dataclass(frozen=True, slots=True)
class Clips:
    """Clips of known key: running sums of salience [frames + 1, bins], tuning in cents, and keys (24 for none)."""

    sums: tuple[F64, ...]
    cents: tuple[float, ...]
    key: npt.NDArray[np.int64]

    @classmethod
    def of(cls, pitches: PitchSet, rows: npt.NDArray[np.int64]) -> Clips:
        """Take ``rows`` of a set."""
        salient = pitches.salience(rows)
        sums = tuple(np.cumsum(np.pad(one, ((1, 0), (0, 0))), axis=0, dtype=np.float64) for one in salient)
        cents = tuple(profile.cents_of(profile.tuning_of(one)) for one in salient)
        return cls(sums, cents, pitches.key[rows])

    def window(self, clip: int, first: int, last: int) -> F32:
        """Return the semitones of frames ``first`` to ``last`` (excluded) of a clip."""
        mean = (self.sums[clip][last] - self.sums[clip][first]) / (last - first)
        return profile.semitones(mean.astype(np.float32), cents=self.cents[clip])

    def cut(
        self, rng: np.random.Generator, count: int, *, least: int, whole: float
    ) -> tuple[F32, npt.NDArray[np.int64]]:
        """Return random windows as the network sees them, and their keys: a share of whole clips, else stretches."""
        chosen = rng.integers(0, len(self.sums), count)
        windows: list[F32] = []
        for clip in chosen:
            frames = len(self.sums[clip]) - 1
            length = frames if rng.random() < whole else int(rng.integers(min(least, frames), frames + 1))
            first = int(rng.integers(0, frames - length + 1))
            windows.append(self.window(int(clip), first, first + length))
        return profile.turned(np.array(windows, np.float32)), self.key[chosen]

    def whole(self) -> F32:
        """Return every clip as the network sees it at its end, [clips, 12, semitones]."""
        return profile.turned(
            np.array([self.window(i, 0, len(one) - 1) for i, one in enumerate(self.sums)], np.float32)
        )
