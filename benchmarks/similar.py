"""Are songs that `stream-analyzer similar` calls alike of one genre? On valid clips and on generated songs.

    python -m benchmarks.similar --data ../shared/data

For each song of a set: of the five nearest others, the share that has its genre (generated: its style). Beside it
chance, which is the share of all others that has it, and the nearest by plain means of 20 MFCCs of librosa, distances
taken of them as they are or each divided by its spread over the set. Songs whose genre no other has are left out.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import librosa
import numpy as np
import soundfile

from benchmarks.tempo_music import RATE_HZ, track
from stream_analyzer.cli import main as stream_analyzer
from stream_analyzer.library.places import find
from stream_analyzer.library.similar import Result
from training.music.styles import STYLES

if TYPE_CHECKING:
    import numpy.typing as npt

    from stream_analyzer.types import F64

RUNS = Path("runs/benchmarks/similar")
NEAREST = 5
MFCCS = 20
GENERATED = ("house", "techno", "trance", "drum_and_bass", "hip_hop", "rock", "metal", "swing_jazz")
SONGS, SECONDS = 8, 20.0
SETS = ("gtzan", "free_songs", "generated")


@dataclass(frozen=True, slots=True)
class Set:
    """Songs by their files, and what each is."""

    paths: list[Path]
    genres: list[str]

    @property
    def counted(self) -> list[int]:
        """The songs that are not alone in their genre."""
        return [row for row, genre in enumerate(self.genres) if self.genres.count(genre) > 1]

    def share(self, row: int, others: list[int]) -> float:
        """Return how many of some songs are of the genre of one."""
        return float(np.mean([self.genres[other] == self.genres[row] for other in others]))


def read(data: Path, name: str) -> Set:
    """Return the valid clips of a data set."""
    with (data / "audio" / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (row["dataset"], row["split"]) == (name, "valid")]
    return Set([(data / "audio" / row["path"]).resolve() for row in rows], [row["genre"] for row in rows])


def generate() -> Set:
    """Render songs of some styles, each at a tempo of its style; what is there is not rendered again."""
    styles = [style for style in STYLES if style.name in GENERATED]
    paths, genres = [], []
    for style in styles:
        for number in range(SONGS):
            path = (RUNS / "songs" / f"{style.name}-{number}.flac").resolve()
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                bpm = float(np.random.default_rng(number).uniform(style.lowest_bpm, style.highest_bpm))
                soundfile.write(path, track(style.name, bpm, seconds=SECONDS, seed=number), RATE_HZ)
            paths.append(path)
            genres.append(style.name)
    return Set(paths, genres)


def by_embedding(songs: Set, result: Path) -> list[list[int]]:
    """Return the nearest of each song as the command lists them."""
    stream_analyzer(["analyze", *map(str, songs.paths), "--out", str(result), "--workers", "1"])
    found, rows = Result(str(result)), {str(path): row for row, path in enumerate(songs.paths)}
    nearest = []
    for path in map(str, songs.paths):
        embedding = found.embedding(find([path])[0].path) or []
        nearest.append([rows[one.path] for one in found.nearest(embedding, most=NEAREST, path=path)])
    return nearest


def by_mfcc(songs: Set) -> tuple[list[list[int]], list[list[int]]]:
    """Return the nearest of each song by means of MFCCs, as they are and divided by their spread."""
    means = np.array([_mfcc(path) for path in songs.paths])
    return _nearest(means), _nearest(means / means.std(axis=0))


def _mfcc(path: Path) -> F64:
    sound, rate_hz = librosa.load(path, sr=RATE_HZ)
    return np.asarray(librosa.feature.mfcc(y=sound, sr=rate_hz, n_mfcc=MFCCS).mean(axis=1), np.float64)


def _nearest(points: npt.NDArray[np.float64]) -> list[list[int]]:
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return [[int(other) for other in row[:NEAREST]] for row in np.argsort(distance, axis=1, kind="stable")]


def interval(values: F64) -> tuple[float, float]:
    """Return the 95 % interval of a mean over songs, by bootstrap."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(2000, len(values)))].mean(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def main(arguments: list[str] | None = None) -> None:
    """Run the comparison and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.similar", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("sets", nargs="*", default=list(SETS), metavar="SET", help=f"of {', '.join(SETS)} (all)")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data files")
    options = parser.parse_args(arguments)
    print("| songs | n | chance | MFCC means | the same, by spread | `similar` | more than the better MFCC, 95 % |")
    print("|---|---|---|---|---|---|---|")
    for name in options.sets:
        songs = generate() if name == "generated" else read(options.data, name)
        everyone = range(len(songs.paths))
        chance = [songs.share(row, [one for one in everyone if one != row]) for row in songs.counted]
        plain, spread, own = (
            np.array([songs.share(row, nearest[row]) for row in songs.counted])
            for nearest in (*by_mfcc(songs), by_embedding(songs, RUNS / f"{name}.parquet"))
        )
        low, high = interval(own - max(plain, spread, key=np.mean))
        shares = " | ".join(f"{float(np.mean(one)):.3f}" for one in (chance, plain, spread, own))
        print(f"| {name} | {len(songs.counted)} | {shares} | {low:+.3f} to {high:+.3f} |", flush=True)


if __name__ == "__main__":
    main()
