"""Genres from an embedding: a linear model that starts from what musicnn's own tags say and learns from few songs.

A tag such as "blues" or "Hip-Hop" was learnt from half a million songs of all kinds; our few hundred come from five
collections, each with habits of its own. So the model begins with a label's tags and moves away from them as far as the
songs insist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from training.genre.collection import LABELS

if TYPE_CHECKING:
    import numpy.typing as npt

    from stream_analyzer.types import F32, F64

    Indices = npt.NDArray[np.intp]

# musicnn's 50 tags (its configuration.py), in the order of its output.
TAGS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock", "jazz",
    "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "Mellow", "electronica",
    "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
    "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening", "sexy",
    "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb", "indie pop", "sad", "House", "happy",
)  # fmt: skip

# The tags that mean a label; nothing here was fitted. No tag means reggae.
MEANING = {
    "Blues": ("blues",),
    "Classical": ("instrumental",),
    "Country": ("country",),
    "Disco": ("funk", "dance", "party"),
    "Electronic": ("electronic", "electronica", "House", "electro"),
    "Folk": ("folk", "acoustic"),
    "Hip-Hop": ("Hip-Hop",),
    "Jazz": ("jazz",),
    "Metal": ("metal", "heavy metal"),
    "Pop": ("pop", "female vocalists", "catchy", "rnb"),
    "Reggae": (),
    "Rock": ("rock", "alternative rock", "classic rock", "hard rock", "indie rock"),
}

# The labels that a source's own words can tell apart; what a source can't know it does not deny.
KNOWN = {
    "gtzan": tuple(label for label in LABELS if label not in ("Electronic", "Folk")),
    "genrewave_songs": ("Electronic", "Folk", "Hip-Hop", "Pop", "Rock"),
    "fma_small": ("Electronic", "Folk", "Hip-Hop", "Metal", "Pop", "Reggae", "Rock"),
    "free_songs": ("Classical", "Electronic", "Hip-Hop", "Jazz", "Metal", "Rock"),
}
UNKNOWN = -1e9
BIAS_SHRINK = 1e-4
FEWEST = 1e-3  # least deviation of a feature


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """``shrink`` pulls towards the tags, which count ``tags`` times; ``smooth`` is what other labels get of a truth."""

    shrink: float = 2.0
    tags: float = 3.0
    smooth: float = 0.1
    steps: int = 200


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows to learn from: ``features`` [n, features] whose last 50 are tags, and for each its clip's facts."""

    features: F32
    label: Indices
    source: npt.NDArray[np.str_]
    song: npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Linear:
    """Logits = features @ kernel + bias: float64 [features, labels] and [labels]."""

    kernel: F64
    bias: F64

    def logits(self, features: F32) -> F64:
        """Return float64 [n, labels]."""
        return np.asarray(features @ self.kernel + self.bias, np.float64)

    def halfway(self, other: Linear) -> Linear:
        """Return the model whose logits are the mean of this one's and the ``other``'s."""
        return Linear(0.5 * (self.kernel + other.kernel), 0.5 * (self.bias + other.bias))


def balanced(windows: Windows) -> F64:
    """Return weights [n] of mean 1: every label counts the same, in it every source, in that every song."""
    weights = np.zeros(len(windows.label))
    for label in np.unique(windows.label):
        of_label = windows.label == label
        sources = np.unique(windows.source[of_label])
        for source in sources:
            rows = np.flatnonzero(of_label & (windows.source == source))
            _, song, count = np.unique(windows.song[rows], return_inverse=True, return_counts=True)
            weights[rows] = 1.0 / (len(sources) * len(count) * count[song])
    return np.asarray(weights * len(weights) / weights.sum(), np.float64)


def known(windows: Windows) -> F64:
    """Return float64 [n, labels]: 1 where a window's source can tell the label, or it is the window's own; else 0."""
    mask = np.array([[label in KNOWN.get(str(source), LABELS) for label in LABELS] for source in windows.source], float)
    mask[np.arange(len(mask)), windows.label] = 1.0
    return mask


def prior_kernel(features: int, strength: float) -> F64:
    """Return float64 [features, labels]: the mean of a label's tags, the last 50 features, times ``strength``."""
    kernel = np.zeros((features, len(LABELS)))
    for column, label in enumerate(LABELS):
        for tag in MEANING[label]:
            kernel[features - len(TAGS) + TAGS.index(tag), column] = strength / len(MEANING[label])
    return kernel


def fit(windows: Windows, config: HeadConfig) -> Linear:
    """Fit the linear model.

    Parameters
    ----------
    windows
        What it learns from.
    config
        How far it may move from the tags, and more.

    Returns
    -------
    Linear
        Of the features as they are: their standardisation is part of it.
    """
    weights = balanced(windows)
    mean = np.average(windows.features, axis=0, weights=weights)
    deviation = np.sqrt(np.average((windows.features - mean) ** 2, axis=0, weights=weights)) + FEWEST
    standard = np.asarray((windows.features - mean) / deviation, np.float32)
    prior = prior_kernel(standard.shape[1], config.tags)
    learnt = _minimise(standard, known(windows), windows.label, weights / weights.sum(), prior=prior, config=config)
    kernel = (learnt[:-1] + prior) / deviation[:, None]
    return Linear(kernel, learnt[-1] - mean @ kernel)


def _minimise(features: F32, mask: F64, label: Indices, weights: F64, *, prior: F64, config: HeadConfig) -> F64:
    """Return float64 [features + 1, labels]: the change of ``prior`` with the least loss, and the biases."""
    count, labels = features.shape[1], len(LABELS)
    wanted = config.smooth * mask / mask.sum(axis=1, keepdims=True)
    wanted[np.arange(len(label)), label] += 1.0 - config.smooth
    offset = features @ prior + (mask - 1.0) * -UNKNOWN
    shrink = np.append(np.full(count, config.shrink), BIAS_SHRINK)[:, None]

    def loss(flat: F64) -> tuple[float, F64]:
        kernel = flat.reshape(count + 1, labels)
        logits = features @ kernel[:-1].astype(np.float32) + kernel[-1] + offset
        logits -= logits.max(axis=1, keepdims=True)
        exponential = np.exp(logits)
        total = exponential.sum(axis=1, keepdims=True)
        logarithm = np.maximum(logits - np.log(total), -50.0)
        missing = (exponential / total - wanted) * weights[:, None]
        slope = np.vstack([features.T @ missing.astype(np.float32), missing.sum(axis=0)]) + shrink * kernel
        value = -np.sum(weights * np.sum(wanted * logarithm, axis=1)) + 0.5 * np.sum(shrink * kernel**2)
        return float(value), slope.ravel()

    start = np.zeros((count + 1) * labels)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": config.steps})
    return np.asarray(found.x, np.float64).reshape(count + 1, labels)
