"""The tempo head: log-mel frames -> window -> model -> tracker -> `Tempo`. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from stream_analyzer.analysis.model import hold_outputs
from stream_analyzer.analysis.tempo.output import TempoOutput
from stream_analyzer.analysis.tempo.tracker import TempoTracker
from stream_analyzer.analysis.windowed import WindowedModel
from stream_analyzer.types import Beat, Tempo

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_analyzer.analysis.head import Step
    from stream_analyzer.analysis.model import Model
    from stream_analyzer.analysis.tempo.witness import Witness
    from stream_analyzer.types import F32, TempoRange

MISSED_BEATS = 2.0  # after so many beats without one there is no bar


class TempoHead(WindowedModel):
    """Follows the tempo. State: its window and its tracker."""

    name: ClassVar[str] = "tempo"
    event: ClassVar[type[Any]] = Tempo

    def __init__(
        self, model: Model, *, tempo_range: TempoRange | None = None, ask: Callable[[], Witness] | None = None
    ) -> None:
        """Judge by ``model``; tempi outside of ``tempo_range`` show as the octave within. ``ask`` calls a witness."""
        super().__init__(model)
        hold_outputs(model, TempoOutput.of(model.manifest).size)
        self._range, self._ask = tempo_range, ask
        self._tracker = TempoTracker(model.manifest, tempo_range=tempo_range)

    def facts(self) -> dict[str, Any]:
        """Return the range that tempi are shown in."""
        return {"tempo_range": self._range}

    def hear(self, step: Step) -> list[Tempo]:
        """Take a step; return the tempo where one is due."""
        frames = step.frames[self.model.manifest.feature]
        self._tracker.push(frames)
        if not len(frames) or not self.window.push(frames):
            return []
        if not step.idle:
            witness = self._ask() if self._ask else None
            return [_with_bar(self._tracker.update(self._listen, time_s=step.time_s, witness=witness), step)]
        held = self._tracker.hold(time_s=step.time_s)
        return [held] if held else []

    def reset(self) -> None:
        """Forget everything; equal to a new head."""
        super().reset()
        self._tracker.reset()

    def _listen(self, frames: int) -> F32:
        """Return what the model says of the newest ``frames`` of the window alone."""
        return self.model.run(self.window.newest(frames))


def _with_bar(tempo: Tempo, step: Step) -> Tempo:
    """Return a tempo with the bar that the beats are counted in, while they go on."""
    beat = step.said.get(Beat)
    if not isinstance(beat, Beat) or beat.number is None or beat.beats_in_bar is None:
        return tempo
    passed = (step.time_s - beat.beat_s) / (beat.next_s - beat.beat_s)
    if passed > MISSED_BEATS:
        return tempo
    phase = (beat.number - 1 + passed) / beat.beats_in_bar % 1.0
    return replace(tempo, beats_in_bar=beat.beats_in_bar, bar_phase=phase)
