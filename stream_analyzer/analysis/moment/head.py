"""The moment head: what `Energy` tells of a step, and the power of three bands -> tracker -> `Moment`. No model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.moment.past import HELD, Bands
from stream_analyzer.analysis.moment.tracker import MomentTracker
from stream_analyzer.analysis.steps import STEPS_PER_SECOND
from stream_analyzer.types import Energy, Moment

if TYPE_CHECKING:
    from stream_analyzer.analysis.head import Step


class MomentHead:
    """Tells where the music turns; it has to come after the head of energy. State: its tracker."""

    name: ClassVar[str] = "moment"
    event: ClassVar[type[Any]] = Moment
    measures: ClassVar[bool] = False
    features = (SPEC,)
    model = None
    ready = True
    window_s, first_s, latency_s = 10.0, 0.1, (HELD + 1) / STEPS_PER_SECOND

    def __init__(self) -> None:
        """Begin."""
        self._tracker, self._bands = MomentTracker(), Bands()

    def facts(self) -> dict[str, Any]:
        """Add nothing to `Hello`."""
        return {}

    def hear(self, step: Step) -> list[Moment]:
        """Take what energy said of a step; return what has turned."""
        said = step.said.get(Energy)
        if said is None:
            return []
        octaves = math.log2(max(said.brightness_hz, 20.0))
        row = (said.bass_dbfs, said.onsets_per_s, octaves, step.level.rms_dbfs, *self._bands.powers(step.frames[SPEC]))
        return self._tracker.push(row, time_s=step.time_s)

    def reset(self) -> None:
        """Forget everything; equal to a new head."""
        self._tracker.reset()
