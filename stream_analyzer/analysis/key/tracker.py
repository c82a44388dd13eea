"""Decode the key model: logits of one window after another -> `Key`, smoothed, held where nothing has a key. Pure."""

from __future__ import annotations

from dataclasses import replace
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
SURE, RULED_OUT, TIMES = 0.5, 0.05, 3
NOTHING = 0.5  # from this probability of no clear key on, a window says nothing of the key


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

    def turned_away(self, recent: F32) -> bool:
        """Take the logits of the last seconds alone; return whether they have told of another key for long enough."""
        probabilities = softmax(recent / np.float32(self._calibration.temperature))
        shown = self._output.labels.index(self._last.label) if self._last and self._last.label else None
        best = int(np.argmax(probabilities[:-1]))
        away = shown is not None and probabilities[best] >= SURE and probabilities[shown] <= RULED_OUT
        self._against = self._against + 1 if away else 0
        if self._against < TIMES:
            return False
        self._against = 0
        self._mean.reset()
        return True

    def update(self, logits: F32, *, cents: float, time_s: float, tonal: bool = True) -> Key:
        """Take the logits [keys + 1] of the window that ends at ``time_s``, the tuning, and whether tones stand out."""
        scaled = logits / np.float32(self._calibration.temperature)
        if not tonal or float(softmax(scaled)[-1]) >= NOTHING:
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
