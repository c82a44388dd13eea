"""Songs that are rendered together and kept in one file, all drawn from one seed: a task of `prepare music`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.library.places import Place

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Shard:
    """A numbered file in the folder ``out`` with so many ``songs``."""

    out: str
    number: int
    songs: int
    seed: int

    @property
    def target(self) -> Place:
        """The file."""
        return Place(f"{self.out}/shard_{self.number:05d}.npz")

    def rngs(self) -> Iterator[np.random.Generator]:
        """Yield for each song what it is drawn from."""
        for index in range(self.songs):
            yield np.random.default_rng([self.seed, self.number, index])


def shards_of(out: str, *, songs: int, size: int, seed: int) -> list[Shard]:
    """Return what so many songs fall into, ``size`` a shard."""
    starts = range(0, songs, size)
    return [Shard(out, number, min(size, songs - first), seed) for number, first in enumerate(starts)]
