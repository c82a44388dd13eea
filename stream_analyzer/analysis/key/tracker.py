"""Decode the key model: logits of one window after another -> `Key`, smoothed, held where nothing has a key. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.key.names import camelot
from stream_analyzer.analysis.key.output import Calibration, KeyOutput
from stream_analyzer.analysis.probability import softmax
from stream_analyzer.analysis.smoothing import HeldLabel, RollingMean
from stream_analyzer.types import Key, Score

if TYPE_CHECKING:
    from stream_analyzer.analysis.manifest import ModelManifest
    from stream_analyzer.types import F32

SWITCH_MARGIN = 0.05
# The last seconds must name another key so surely, and the shown one no more surely, so many times on end.
SURE, RULED_OUT, TIMES = 0.5, 0.05, 2
# Of 93 clips of music 3 seconds in 100 have a probability of no clear key from `NOTHING` on, of drums 9 in 10.
NOTHING, DOUBTFUL = 0.1, 0.02
# How far semitones must stand apart: less than `LEAST` is noise; a doubtful second needs `RICH`, another key `PLAIN`.
LEAST, PLAIN, RICH = 0.14, 0.3, 0.36


@dataclass(frozen=True, slots=True)
class Recent:
    """The last seconds alone: logits [keys + 1], and how far their semitones stand apart."""

    logits: F32
    contrast: float


class KeyTracker:
    """Rolling key estimate. State: a forgetting mean of the logits, what is shown, the last key, what contradicts it.

    A window without a clear key, as of drums alone, leaves the key as it was, and its age grows.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        """Take labels, calibration and time constant from ``manifest``."""
        self._output, self._calibration = KeyOutput.of(manifest), Calibration.of(manifest)
        self._mean = RollingMean(time_constant_s=manifest.time_constant_s)
        self._held = HeldLabel(margin=SWITCH_MARGIN)
        self.reset()

    def reset(self) -> None:
        """Forget everything heard; equal to a new object."""
        self._mean.reset()
        self._held.reset()
        self._last: Key | None = None
        self._against = 0

    def turned_away(self, recent: Recent) -> bool:
        """Return whether the last seconds have told of another key for long enough; drums alone tell of none."""
        probabilities = softmax(recent.logits / np.float32(self._calibration.temperature))
        shown = self._output.labels.index(self._last.label) if self._last and self._last.label else None
        best = int(np.argmax(probabilities[:-1]))
        tonal = probabilities[-1] < DOUBTFUL and recent.contrast >= PLAIN
        away = shown is not None and tonal and probabilities[best] >= SURE and probabilities[shown] <= RULED_OUT
        self._against = self._against + 1 if away else 0
        if self._against < TIMES:
            return False
        self._against = 0
        self._mean.reset()
        return True

    def update(self, logits: F32, recent: Recent, *, cents: float, time_s: float) -> Key:
        """Take the logits [keys + 1] of the window that ends at ``time_s``, its last seconds, and the tuning."""
        scaled = logits / np.float32(self._calibration.temperature)
        if self._tells_nothing(recent):
            return self.hold(time_s=time_s) or self._nothing(softmax(scaled[:-1]), cents=cents, time_s=time_s)
        probabilities = softmax(self._mean.update(scaled[:-1], time_s=time_s)).astype(np.float32)
        shown = self._held.update(probabilities)
        confidence = float(probabilities[shown])
        self._last = Key(
            time_s=time_s,
            label=self._output.labels[shown],
            camelot=camelot(shown),
            confidence=confidence,
            state="clear" if confidence >= self._calibration.clear else "searching",
            age_s=0.0,
            tuning_cents=cents,
            scores=self._scores(probabilities),
        )
        return self._last

    def _tells_nothing(self, recent: Recent) -> bool:
        none = float(softmax(recent.logits / np.float32(self._calibration.temperature))[-1])
        return none >= NOTHING or recent.contrast < (RICH if none >= DOUBTFUL else LEAST)

    def hold(self, *, time_s: float) -> Key | None:
        """Return the last key, older; None if there was none."""
        last = self._last
        if last is None:
            return None
        state = "holding" if last.state == "clear" else last.state
        return replace(last, time_s=time_s, state=state, age_s=time_s - last.time_s)

    def _nothing(self, probabilities: F32, *, cents: float, time_s: float) -> Key:
        return Key(time_s, None, None, 0.0, "unclear", 0.0, cents, self._scores(probabilities))

    def _scores(self, probabilities: F32) -> tuple[Score, ...]:
        order = np.argsort(-probabilities, kind="stable")
        return tuple(Score(self._output.labels[index], float(probabilities[index])) for index in order)
