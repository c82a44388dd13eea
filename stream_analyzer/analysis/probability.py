"""Logits and probabilities. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from stream_analyzer.types import F32, F64

Floats = TypeVar("Floats", "F32", "F64")


def softmax(logits: Floats, *, temperature: float = 1.0) -> Floats:
    """Return the probabilities of ``logits`` [..., n] / ``temperature`` along the last axis, of the same float type."""
    scaled = logits / temperature
    exponentials = np.exp(scaled - np.max(scaled, axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)  # type: ignore[no-any-return]


def sigmoid(logit: float) -> float:
    """Return the probability of one logit; never overflows."""
    return float(0.5 * (1.0 + np.tanh(0.5 * logit)))


def logit(probability: float) -> float:
    """Return the logit of a probability between 0 and 1: the inverse of `sigmoid`."""
    return math.log(probability / (1.0 - probability))
