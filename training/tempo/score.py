"""Tempo metrics as mir_eval defines them (4 %), and a file's tempo from the posteriors of its windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.tempo.onsets import TOLERANCE
from training.tempo.grid import BPM_BINS

if TYPE_CHECKING:
    from stream_analyzer.types import F64

FACTORS = {"third": 1.0 / 3.0, "half": 0.5, "double": 2.0, "triple": 3.0}
NEAR = (np.abs(np.log(BPM_BINS[:, None] / BPM_BINS[None, :])) <= TOLERANCE).astype(np.float64)


def right(estimate: F64, truth: F64, *, factor: float = 1.0) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Tell where ``estimate`` is within 4 % of ``factor`` times ``truth``, relative to the latter."""
    wanted = np.asarray(truth) * factor
    return np.abs(np.asarray(estimate) - wanted) <= TOLERANCE * wanted


def octave_errors(estimate: F64, truth: F64) -> dict[str, int]:
    """Count the estimates that are off by each simple factor, and ``other`` for what is wrong altogether."""
    counts = {name: int(right(estimate, truth, factor=factor).sum()) for name, factor in FACTORS.items()}
    exact = int(right(estimate, truth).sum())
    return {**counts, "other": len(truth) - exact - sum(counts.values())}


def scores(estimate: F64, truth: F64, mean: F64 | None = None) -> dict[str, float]:
    """Return n, Accuracy1, Accuracy2, and the RMSE in BPM of the estimates and, if given, of the posterior means."""
    exact = right(estimate, truth)
    octaves = np.logical_or.reduce([exact, *(right(estimate, truth, factor=factor) for factor in FACTORS.values())])
    found = {
        "n": len(truth),
        "accuracy1": float(exact.mean()),
        "accuracy2": float(octaves.mean()),
        "rmse_bpm": float(np.sqrt(np.mean((estimate - truth) ** 2))),
    }
    return found if mean is None else found | {"rmse_mean_bpm": float(np.sqrt(np.mean((mean - truth) ** 2)))}


def peak_bpm(posterior: F64) -> float:
    """Return the centre of gravity around the bin that has most mass within 4 %, of a posterior [bins]."""
    weights = NEAR[int(np.argmax(NEAR @ posterior))] * posterior
    return float(np.exp(weights @ np.log(BPM_BINS) / weights.sum()))


def softmax(logits: F64) -> F64:
    """Return probabilities along the last axis, in float64."""
    exponentials = np.exp(np.asarray(logits, np.float64) - logits.max(axis=-1, keepdims=True))
    probabilities: F64 = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities
