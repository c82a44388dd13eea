"""Scores of genres heard: by song, averaged over genres, in the first two, with intervals over songs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from stream_analyzer.types import F64

    Indices = npt.NDArray[np.intp]

RESAMPLES = 2000
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Songs:
    """One row a song: its mean log-posterior over clips [n, labels], and its label."""

    posterior: F64
    label: Indices


@dataclass(frozen=True, slots=True)
class Score:
    """Shares of songs and the mean log loss; ``genres`` and ``first_two`` are means over the genres."""

    songs: int
    by_song: float
    genres: float
    first_two: float
    log_loss: float


def log_softmax(logits: F64) -> F64:
    """Return the logarithm of the softmax over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)), np.float64)


def songs_of(logits: F64, clip: Indices, *, label: Indices, song: npt.NDArray[np.str_]) -> Songs:
    """Join windows to songs: the mean log-posterior of a clip's windows, then of a song's clips.

    Parameters
    ----------
    logits
        float64 [windows, labels].
    clip
        [windows]: the index of each window's clip; ``label`` and ``song`` hold one value a clip.
    """
    posterior = log_softmax(logits)
    clips = np.unique(clip)
    means = np.stack([posterior[clip == index].mean(axis=0) for index in clips])
    names = np.unique(song[clips])
    rows = [np.flatnonzero(song[clips] == name) for name in names]
    return Songs(
        posterior=np.stack([means[row].mean(axis=0) for row in rows]),
        label=np.array([label[clips[row[0]]] for row in rows]),
    )


def score(songs: Songs) -> Score:
    """Score songs by their likeliest label and by their likeliest two."""
    truth = songs.label[:, None]
    order = np.argsort(-songs.posterior, axis=1, kind="stable")
    right, near = order[:, 0] == songs.label, (order[:, :2] == truth).any(axis=1)
    genres = [songs.label == genre for genre in np.unique(songs.label)]
    logarithm = log_softmax(songs.posterior)[np.arange(len(truth)), songs.label]
    return Score(
        songs=len(truth),
        by_song=float(right.mean()),
        genres=float(np.mean([right[genre].mean() for genre in genres])),
        first_two=float(np.mean([near[genre].mean() for genre in genres])),
        log_loss=float(-logarithm.mean()),
    )


def average(scores: list[Score]) -> Score:
    """Return the mean of several sources' scores, and the number of songs in all."""
    rows = [asdict(one) for one in scores]
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0] if name != "songs"}
    return Score(songs=sum(one.songs for one in scores), **means)


def intervals(sources: list[Songs], *, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Return 95 % intervals of the average over ``sources``: songs drawn again within each genre of each source."""
    rng = np.random.default_rng(seed)
    found = [asdict(average([score(_drawn(songs, rng)) for songs in sources])) for _ in range(RESAMPLES)]
    names = ("by_song", "genres", "first_two", "log_loss")
    bounds = {name: np.percentile([row[name] for row in found], INTERVAL) for name in names}
    return {name: (float(low), float(high)) for name, (low, high) in bounds.items()}


def _drawn(songs: Songs, rng: np.random.Generator) -> Songs:
    rows = [np.flatnonzero(songs.label == genre) for genre in np.unique(songs.label)]
    chosen = np.concatenate([rng.choice(row, len(row)) for row in rows])
    return Songs(songs.posterior[chosen], songs.label[chosen])


def calibration_error(probability: F64, right: npt.NDArray[np.bool_], *, weights: F64, bins: int = 10) -> float:
    """Return the expected calibration error of ``probability`` [n] of what is shown, in bins of equal width."""
    place = np.minimum((probability * bins).astype(np.intp), bins - 1)
    share = weights / weights.sum()
    gaps = [abs(np.sum(share[place == index] * (probability - right)[place == index])) for index in range(bins)]
    return float(np.sum(gaps))
