"""The beat head: log-mel frames -> levels -> model, block by block -> tracker -> `Beat`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from stream_analyzer.analysis.beat.output import BeatOutput
from stream_analyzer.analysis.beat.picture import RunningLevel
from stream_analyzer.analysis.beat.tracker import BeatTracker
from stream_analyzer.analysis.model import hold_outputs
from stream_analyzer.types import Beat, Tempo

if TYPE_CHECKING:
    from stream_analyzer.analysis.beat.tracker import Found
    from stream_analyzer.analysis.head import Step
    from stream_analyzer.analysis.model import StreamModel
    from stream_analyzer.analysis.tempo.witness import Witness
    from stream_analyzer.types import F32

NOTHING = np.empty((0, 2), np.float32)  # activations of no frames


class BeatHead:
    """Says when beats fall. State: the past that its model keeps, frames that don't fill a block yet, its tracker."""

    name: ClassVar[str] = "beat"
    event: ClassVar[type[Any]] = Beat
    measures: ClassVar[bool] = False

    def __init__(self, model: StreamModel) -> None:
        """Judge by ``model``."""
        self.model: StreamModel = model
        self._output = BeatOutput.of_manifest(model.manifest)
        hold_outputs(model, self._output.size)
        self.features = (model.manifest.feature,)
        self._level, self._tracker = RunningLevel(), BeatTracker()
        self._waiting = self._none()
        self.reset()

    @property
    def ready(self) -> bool:
        """Always: a beat is told as soon as there is one."""
        return True

    @property
    def window_s(self) -> float:
        """Seconds that the model listens back."""
        return self._output.past_s

    @property
    def first_s(self) -> float:
        """Seconds of sound until the first judgement."""
        return self.model.manifest.first_s

    @property
    def latency_s(self) -> float:
        """None beyond the step: a beat is foretold."""
        return 0.0

    def facts(self) -> dict[str, Any]:
        """Return nothing: a beat explains itself."""
        return {}

    def hear(self, step: Step) -> list[Beat]:
        """Take a step; return the beat that falls in it, or just after."""
        spec = self.model.manifest.feature
        self._waiting = np.concatenate([self._waiting, self._level.push(step.frames[spec])])
        size = self._output.frames
        blocks = [self._listen(self._waiting[k * size : (k + 1) * size]) for k in range(len(self._waiting) // size)]
        self._waiting = self._waiting[len(blocks) * size :]
        if isinstance(tempo := step.said.get(Tempo), Tempo):
            self._tracker.follow(tempo)
        last_s = step.next_s[spec] - (len(self._waiting) + 1) * spec.hop / spec.sample_rate_hz
        # Resamplers hand out sound in chunks: some steps complete no block, and a beat is due in them all the same.
        found = self._tracker.push(np.concatenate([NOTHING, *blocks]), last_s=last_s, now_s=step.time_s)
        return [_event(found, step)] if found and not step.idle else []

    def tempo(self) -> Witness:
        """Return what the beats say of the tempo."""
        return self._tracker.tempo()

    def reset(self) -> None:
        """Forget everything; equal to a new head."""
        self.model.reset()
        self._level.reset()
        self._tracker.reset()
        self._waiting = self._none()

    def _none(self) -> F32:
        return np.empty((0, self.features[0].n_mels), np.float32)

    def _listen(self, levels: F32) -> F32:
        """Return how likely a beat and a downbeat are at each frame of a block, [frames, 2]."""
        logits = self.model.run(levels).reshape(self._output.frames, -1)
        return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float32)


def _event(found: Found, step: Step) -> Beat:
    return Beat(
        time_s=step.time_s,
        beat_s=found.beat_s,
        number=found.number,
        beats_in_bar=found.beats_in_bar,
        confidence=found.confidence,
        next_s=found.next_s,
        bpm=found.bpm,
    )
