"""How right a key is: the weighted score of MIREX, which mir_eval defines, and the share that is exactly right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mir_eval.key
import numpy as np

from stream_analyzer.analysis.key.names import LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

NEIGHBOURS = {"fifth": 0.5, "relative": 0.3, "parallel": 0.2}


def weighted(truth: int, found: int | None) -> float:
    """Return 1 for the key itself, .5 for its fifth, .3 for its relative, .2 for its parallel, else 0."""
    return 0.0 if found is None else float(mir_eval.key.weighted_score(LABELS[truth], LABELS[found]))


def scores(truth: Sequence[int], found: Sequence[int | None]) -> dict[str, float]:
    """Return the mean weighted score, the share exactly right, and that of each near miss."""
    points = [weighted(right, one) for right, one in zip(truth, found, strict=True)]
    result = {"n": len(points), "weighted": float(np.mean(points)), "right": float(np.mean(np.equal(points, 1.0)))}
    return result | {name: float(np.mean(np.isclose(points, value))) for name, value in NEIGHBOURS.items()}
