"""Decode the genre model: logits of one window after another -> `Genre`, smoothed, held without music. Pure.

The logits are those of `GenreOutput`: labels, sub-genres, music.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.genre.output import Calibration, GenreOutput
from stream_analyzer.analysis.probability import logit, sigmoid, softmax
from stream_analyzer.analysis.smoothing import HeldLabel, PatientMean, RollingMean
from stream_analyzer.types import Genre, Score

if TYPE_CHECKING:
    from stream_analyzer.analysis.manifest import ModelManifest
    from stream_analyzer.types import F32, F64, GenreState

SWITCH_MARGIN = 0.05
CLOSE, APART = 0.6, 0.45  # a second label is named from so much of the first one's probability on, and down to
EVEN = 0.5
DOUBT = 1.0  # music that has begun ends so far (a logit) below the threshold where it begins


def genre_memory(manifest: ModelManifest) -> PatientMean:
    """Return the mean that is shown of a genre model's logits."""
    return PatientMean(
        time_constant_s=manifest.time_constant_s,
        labels=len(GenreOutput.of(manifest).labels),
        temperature=Calibration.of(manifest).temperature,
    )


class GenreTracker:
    """Rolling genre estimate. State: forgetting means of the logits, music or not, what is shown, the last result.

    A window that is not music leaves the genre as it was, and its age grows.
    """

    def __init__(
        self, manifest: ModelManifest, *, memory: RollingMean | None = None, margin: float = SWITCH_MARGIN
    ) -> None:
        """Take labels, calibration and time constant from ``manifest``; training also tries other means and margins."""
        self._output, self._calibration = GenreOutput.of(manifest), Calibration.of(manifest)
        self._threshold = logit(self._calibration.music_threshold)
        self._genre_mean = memory or genre_memory(manifest)
        self._music_mean = RollingMean(time_constant_s=manifest.time_constant_s)
        self._held = HeldLabel(margin=margin)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard; equal to a new object."""
        self._genre_mean.reset()
        self._music_mean.reset()
        self._held.reset()
        self._state: GenreState = "searching"
        self._sub: str | None = None
        self._paired: tuple[int, int] | None = None
        self._last: Genre | None = None

    def update(self, logits: F32, *, time_s: float) -> Genre:
        """Take the logits of the window that ends at ``time_s``.

        Parameters
        ----------
        logits
            float32 [labels + sub_genres + 1]: one per label, one per sub-genre, then one for music.
        time_s
            End of the window in seconds on the sample clock.

        Returns
        -------
        Genre
            Scores of every label, likeliest first; the shown label may trail the likeliest by less than 5 points.
            It is sure when it, or it and a close second together, is likelier right than the manifest's ``confident``.
        """
        evidence = float(np.float32(self._music_mean.update(logits[-1:], time_s=time_s)[0]))
        self._state = self._judge(evidence)
        music = sigmoid(evidence)
        if self._state != "not_music":
            self._last = self._genre(self._genre_mean.update(logits[:-1], time_s=time_s), time_s=time_s, music=music)
            return self._last
        held = self.hold(time_s=time_s)
        if held is None:
            scores = self._scores(self._probabilities(logits))
            return Genre(time_s, None, 0.0, "not_music", age_s=0.0, music=music, scores=scores)
        return replace(held, state="not_music", music=music)

    def hold(self, *, time_s: float) -> Genre | None:
        """Return the last supported genre as of ``time_s``, with its age; None before the first."""
        if self._last is None:
            return None
        return replace(self._last, state="holding", time_s=time_s, age_s=time_s - self._last.time_s)

    def _judge(self, evidence: float) -> GenreState:
        """Tell what a mean logit of music means; between the thresholds it stays what it was."""
        if evidence >= self._threshold:
            return "music"
        return "not_music" if evidence < self._threshold - DOUBT else self._state

    def _genre(self, mean: F64, *, time_s: float, music: float) -> Genre:
        logits = mean.astype(np.float32)
        probabilities = self._probabilities(logits)
        shown = self._held.update(probabilities)
        label, confidence = self._output.labels[shown], float(probabilities[shown])
        second = self._close_second(probabilities, shown)
        together = confidence + (second.p if second else 0.0)
        return Genre(
            time_s=time_s,
            label=label,
            confidence=confidence,
            state=self._state,
            age_s=0.0,
            music=music,
            scores=self._scores(probabilities),
            sub_genre=self._sub_genre(logits, label),
            second=second,
            sure=self._state == "music" and together >= self._calibration.confident,
        )

    def _close_second(self, probabilities: F32, shown: int) -> Score | None:
        """Return the likeliest other label where it is close and both together are likelier right than wrong."""
        other = int(np.argmax(np.where(np.arange(len(probabilities)) == shown, -1.0, probabilities)))
        first, second = float(probabilities[shown]), float(probabilities[other])
        near = APART if self._paired == (shown, other) else CLOSE
        close = second >= near * first and first + second >= EVEN
        self._paired = (shown, other) if close else None
        return Score(self._output.labels[other], second) if close else None

    def _probabilities(self, logits: F32) -> F32:
        return softmax(logits[: len(self._output.labels)], temperature=self._calibration.temperature)

    def _scores(self, probabilities: F32) -> tuple[Score, ...]:
        order = np.argsort(-probabilities, kind="stable")
        return tuple(Score(self._output.labels[index], float(probabilities[index])) for index in order)

    def _sub_genre(self, logits: F32, label: str) -> Score | None:
        """Return the likeliest sub-genre of ``label`` past its threshold; the shown one stays a little below it."""
        best: Score | None = None
        for sub, evidence in zip(self._output.sub_genres, logits[len(self._output.labels) :], strict=True):
            p = sigmoid(float(evidence) / self._calibration.sub_temperature)
            passes = p >= sub.threshold - (SWITCH_MARGIN if sub.label == self._sub else 0.0)
            if sub.parent == label and passes and (best is None or p > best.p):
                best = Score(sub.label, p)
        self._sub = best.label if best else None
        return best
