"""Steady what a model says from window to window: a forgetting mean of its log-posteriors, and a label that holds.

Pure; times are seconds on the sample clock. A reset object equals a new one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.probability import softmax

if TYPE_CHECKING:
    from stream_analyzer.types import F32, F64

PATIENCE = 5.0
APART = 0.3


class RollingMean:
    """Mean of vectors that come at irregular times, forgetting exponentially.

    A vector of age ``a`` weighs ``exp(-a / time_constant_s)``; weights are normalised, so the first result is the first
    vector itself. Fed with logits (log-posteriors up to a constant) it is the geometric mean of the posteriors.
    """

    def __init__(self, *, time_constant_s: float) -> None:
        """Forget to 1/e in ``time_constant_s`` seconds."""
        self._time_constant_s = time_constant_s
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._sum: F64 | float = 0.0
        self._weight = 0.0
        self._time_s = 0.0

    @property
    def value(self) -> F64 | None:
        """The mean so far, float64 of its input's shape; None before the first vector."""
        return np.asarray(self._sum / self._weight) if self._weight else None

    def update(self, vector: F32 | F64, *, time_s: float) -> F64:
        """Take the vector of ``time_s`` (never earlier than the one before), return the mean.

        Parameters
        ----------
        vector
            float [n].
        time_s
            Seconds on the sample clock.

        Returns
        -------
        float64 array [n]
            The weighted mean of all vectors so far.
        """
        keep = self._keep(vector, elapsed_s=max(0.0, time_s - self._time_s))
        self._sum = self._sum * keep + np.asarray(vector, np.float64)
        self._weight = self._weight * keep + 1.0
        self._time_s = time_s
        return np.asarray(self._sum / self._weight)

    def _keep(self, _vector: F32 | F64, *, elapsed_s: float) -> float:
        """Return the share of the past that still counts when a vector comes."""
        return math.exp(-elapsed_s / self._time_constant_s)


class PatientMean(RollingMean):
    """Mean of logits that remembers long, but begins again with what was heard of late where the two disagree.

    A long memory names the genre of one track best; it has to end with the track. State: the slow mean and a quick one.
    """

    def __init__(self, *, time_constant_s: float, labels: int, temperature: float) -> None:
        """Let the quick mean forget in ``time_constant_s``, the slow one `PATIENCE` times slower.

        They disagree where the probabilities of the first ``labels`` logits at ``temperature`` part by more than
        `APART`: half the sum of absolute differences.
        """
        self._quick = RollingMean(time_constant_s=time_constant_s)
        self._labels, self._temperature = labels, temperature
        super().__init__(time_constant_s=PATIENCE * time_constant_s)

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._quick.reset()
        super().reset()

    def update(self, vector: F32 | F64, *, time_s: float) -> F64:
        """Take the logits of ``time_s`` [labels or more], return their mean."""
        quick = self._quick.update(vector, time_s=time_s)
        slow = super().update(vector, time_s=time_s)
        if 0.5 * np.abs(self._probabilities(quick) - self._probabilities(slow)).sum() <= APART:
            return slow
        super().reset()
        return super().update(quick, time_s=time_s)

    def _probabilities(self, logits: F64) -> F64:
        return softmax(logits[: self._labels], temperature=self._temperature)


class HeldLabel:
    """Index of the likeliest label, changed only when another leads clearly, so that it does not flicker."""

    def __init__(self, *, margin: float, relative: float = 0.15) -> None:
        """Hold until another label is likelier by ``margin`` (a difference of probabilities) or by ``relative`` of it.

        The smaller of the two counts: among many labels of low probability a small lead is clear.
        """
        self._margin, self._relative = margin, relative
        self.reset()

    def reset(self) -> None:
        """Hold nothing; equal to a new object."""
        self._held: int | None = None

    def update(self, probabilities: F32) -> int:
        """Take probabilities [n], return the index to show."""
        best = int(np.argmax(probabilities))
        if self._held is None:
            self._held = best
        lead = min(self._margin, self._relative * float(probabilities[self._held]))
        if probabilities[best] >= probabilities[self._held] + lead:
            self._held = best
        return self._held
