"""What `benchmarks.library` times of `training.prepare`: shards of a folder of sound files, made as of the archive."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from stream_analyzer.library.places import Place
from training.data.fma import Track
from training.data.prepare_fma import Settings, decode
from training.data.work import Crew

SECONDS = 13  # of each file


@dataclass(frozen=True, slots=True)
class File(Track):
    """A file of any name."""

    name: str = ""

    @property
    def path(self) -> str:
        """Where it lies in the folder."""
        return self.name


def main(folder: str, out: str, workers: str) -> None:
    """Make the shards."""
    names = sorted(path.name for path in Path(folder).iterdir())
    tracks: list[Track] = [File(number, "train", (), "", float(SECONDS), name) for number, name in enumerate(names)]
    settings = Settings("large", seconds=SECONDS, shard_songs=16)
    decode(tracks, Place(folder), Place(out), settings, crew=Crew(workers=int(workers)))


if __name__ == "__main__":
    main(*sys.argv[1:])
