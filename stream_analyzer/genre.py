"""Decode the genre model: logits of one window after another -> `Genre`, smoothed, held without music. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.smoothing import HeldLabel, RollingMean
from stream_analyzer.types import Genre, Score

if TYPE_CHECKING:
    from stream_analyzer.manifest import ModelManifest
    from stream_analyzer.types import F32

SWITCH_MARGIN = 0.05
MUSIC_THRESHOLD = 0.5


def softmax(logits: F32) -> F32:
    """Return the probabilities of ``logits`` [..., n] along the last axis, float32."""
    shifted = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)


def sigmoid(logit: float) -> float:
    """Return the probability of one logit; never overflows."""
    return float(0.5 * (1.0 + np.tanh(0.5 * logit)))


class GenreTracker:
    """Rolling genre estimate. State: two forgetting means (genre, music), the held label and the last result.

    A window judged not to be music leaves the genre as it was, and its age grows.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        """Take labels, temperature and time constant from ``manifest``."""
        self._labels = manifest.output.labels
        self._temperature = np.float32(manifest.temperature)
        self._genre_mean = RollingMean(time_constant_s=manifest.time_constant_s)
        self._music_mean = RollingMean(time_constant_s=manifest.time_constant_s)
        self._held = HeldLabel(margin=SWITCH_MARGIN)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard; equal to a new object."""
        self._genre_mean.reset()
        self._music_mean.reset()
        self._held.reset()
        self._last: Genre | None = None

    def update(self, logits: F32, *, time_s: float) -> Genre:
        """Take the logits of the window that ends at ``time_s``.

        Parameters
        ----------
        logits
            float32 [labels + 1]: one per label, then one for music.
        time_s
            End of the window in seconds on the sample clock.

        Returns
        -------
        Genre
            Scores of every label, likeliest first; the shown label may trail the likeliest by less than 5 points.
        """
        music = sigmoid(float(self._music_mean.update(logits[-1:], time_s=time_s)[0]))
        if music >= MUSIC_THRESHOLD:
            mean = self._genre_mean.update(logits[:-1], time_s=time_s)
            self._last = self._genre(mean, time_s=time_s, music=music)
            return self._last
        held = self.hold(time_s=time_s)
        if held is None:  # nothing to hold yet: show what this window says, keep none of it
            held = self._genre(logits[:-1], time_s=time_s, music=music)
            self._held.reset()
        return replace(held, music=music)

    def hold(self, *, time_s: float) -> Genre | None:
        """Return the last supported genre as of ``time_s``, with its age; None before the first."""
        if self._last is None:
            return None
        return replace(self._last, time_s=time_s, age_s=time_s - self._last.time_s)

    def _genre(self, logits: F32, *, time_s: float, music: float) -> Genre:
        probabilities = softmax(logits / self._temperature)
        shown = self._held.update(probabilities)
        order = np.argsort(-probabilities, kind="stable")
        scores = tuple(Score(self._labels[index], float(probabilities[index])) for index in order)
        return Genre(
            time_s=time_s,
            label=self._labels[shown],
            confidence=float(probabilities[shown]),
            age_s=0.0,
            music=music,
            scores=scores,
        )
