"""What FMA-small's pictures tell of their eight top genres by themselves: kernel ridge regression on their statistics.

    python -m training.studies.fma_pictures --data ../shared/data

Learns from the train list, scores the valid one. Width and shrink were chosen on a quarter of the train list's artists.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import dct, rfft
from scipy.linalg import cho_factor, cho_solve

from training.data.sources import genre_files

if TYPE_CHECKING:
    import numpy.typing as npt

    from stream_analyzer.types import F32, U8

    Strings = npt.NDArray[np.str_]

CEPSTRA, CORRELATED, RIPPLES = 40, 20, 60
GROUP = 7  # bands whose loudness is followed together
EDGES = (1, 2, 3, 5, 8, 12, 18, 26, 38, 52, 65)  # of bands of modulation, in periods of a picture
LEVELS = (5, 25, 50, 75, 95)  # percentiles of a band
LOUDNESSES = (1, 5, 10, 25, 50, 75, 90, 95, 99)  # percentiles of the mean over all bands
MOST_DEVIATIONS, LEAST_DEVIATION = 4.0, 1e-3
WIDTH, SHRINK = 1.0, 0.3


def statistics(level: U8) -> F32:
    """Return what is learnt from of a picture, uint8 [bands, columns]: float32 [n]."""
    cells = level.astype(np.float32)
    change, mean = np.diff(cells, axis=1), cells.mean(axis=1)
    bands = [
        mean,
        cells.std(axis=1),
        np.percentile(cells, LEVELS, axis=1).ravel(),
        np.abs(change).mean(axis=1),
        np.abs(cells[:, 2:] - cells[:, :-2]).mean(axis=1),
        np.maximum(change, 0.0).mean(axis=1),
        np.abs(np.diff(cells, axis=0)).mean(axis=1),
        np.abs(dct(mean, norm="ortho"))[:RIPPLES],
    ]
    loudness = cells.mean(axis=0)
    whole = [
        np.percentile(loudness, LOUDNESSES) - loudness.mean(),
        np.array([loudness.std(), np.abs(np.diff(loudness)).mean(), (cells == 0.0).mean()]),
    ]
    return np.concatenate([*bands, *_cepstra(cells), _modulation(cells), *whole]).astype(np.float32)


def _cepstra(cells: F32) -> list[F32]:
    """Return means, deviations and changes of the lowest cepstra, and how some of them go together."""
    cepstra = dct(cells, axis=0, norm="ortho")[:CEPSTRA]
    together = np.cov(cepstra[:CORRELATED])
    spread = np.sqrt(np.diag(together)) + LEAST_DEVIATION
    pairs = (together / spread[:, None] / spread)[np.triu_indices(CORRELATED)]
    return [cepstra.mean(axis=1), cepstra.std(axis=1), np.abs(np.diff(cepstra, axis=1)).mean(axis=1), pairs]


def _modulation(cells: F32) -> F32:
    """Return how strongly groups of bands swell and fade, slowly to quickly."""
    starts = range(0, len(cells) - GROUP + 1, GROUP)
    groups = np.stack([cells[start : start + GROUP].mean(axis=0) for start in starts])
    seen = (groups - groups.mean(axis=1, keepdims=True)) * np.hanning(groups.shape[1])
    strength = np.abs(rfft(seen, axis=1))
    parts = [strength[:, low:high].mean(axis=1) for low, high in pairwise(EDGES)]
    return np.asarray(np.log1p(np.concatenate(parts)), np.float32)


def learn(values: F32, genre: Strings, asked: F32) -> Strings:
    """Return the genre of each row of ``asked`` [m, n] by kernel ridge regression on ``values`` [k, n] of ``genre``."""
    mean, deviation = values.mean(axis=0), values.std(axis=0) + LEAST_DEVIATION

    def standard(rows: F32) -> F32:
        limited = np.clip((rows - mean) / deviation, -MOST_DEVIATIONS, MOST_DEVIATIONS)
        return np.asarray(limited / np.sqrt(rows.shape[1]), np.float32)

    ours, theirs = standard(values), standard(asked)
    names, index = np.unique(genre, return_inverse=True)
    wanted = np.eye(len(names), dtype=np.float32)[index] - np.float32(1.0 / len(names))
    own = _kernel(ours, ours)
    own[np.diag_indices(len(own))] += SHRINK
    weights = cho_solve(cho_factor(own, lower=True, overwrite_a=True), wanted)
    return np.asarray(names[(_kernel(theirs, ours) @ weights).argmax(axis=1)])


def _kernel(rows: F32, others: F32) -> F32:
    distance = (rows**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2.0 * rows @ others.T
    return np.asarray(np.exp(-0.5 * WIDTH * distance), np.float32)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    path = next(path for path in genre_files(parser.parse_args().data) if path.name.startswith("fma_small_mel"))
    with np.load(path) as file:
        values = np.stack([statistics(level) for level in file["level"]])
        genre, split = file["genre"].astype(str), file["split"]
    valid = split == "valid"
    right = learn(values[split == "train"], genre[split == "train"], values[valid]) == genre[valid]
    recall = {name: float(right[genre[valid] == name].mean()) for name in np.unique(genre[valid])}
    print(json.dumps({"n": len(right), "accuracy": float(right.mean()), "recall": recall}, indent=1))


if __name__ == "__main__":
    main()
