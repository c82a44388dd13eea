"""The genre head: log-mel frames -> window -> model -> tracker -> `Genre`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from stream_analyzer.analysis.genre.output import Calibration, GenreOutput
from stream_analyzer.analysis.genre.picture import picture
from stream_analyzer.analysis.genre.tracker import GenreTracker
from stream_analyzer.analysis.manifest import reading
from stream_analyzer.analysis.model import hold_outputs
from stream_analyzer.analysis.windowed import WindowedModel
from stream_analyzer.types import Genre

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_analyzer.analysis.head import Step
    from stream_analyzer.analysis.model import Model


# What a manifest says that its model sees -> how that is made of a log-mel window.
_SEEN: dict[str, Callable[[Any], Any]] = {"log-mel": np.asarray, "picture": picture}


class GenreHead(WindowedModel):
    """Follows the genre, and whether the sound is music at all. State: its window and its tracker."""

    name: ClassVar[str] = "genre"
    event: ClassVar[type[Any]] = Genre

    def __init__(self, model: Model) -> None:
        """Judge by ``model``."""
        super().__init__(model)
        with reading(f"model {model.manifest.name}"):
            self._see = _SEEN[model.manifest.input.values]
        self._output, self._calibration = GenreOutput.of(model.manifest), Calibration.of(model.manifest)
        hold_outputs(model, self._output.size)
        self._tracker = GenreTracker(model.manifest)

    def facts(self) -> dict[str, Any]:
        """Return the labels, the styles within them, and below which confidence a genre is a guess."""
        return {
            "labels": self._output.labels,
            "sub_genres": {sub.label: sub.parent for sub in self._output.sub_genres},
            "confident": self._calibration.confident,
        }

    def hear(self, step: Step) -> list[Genre]:
        """Take a step; return the genre where one is due."""
        frames = step.frames[self.model.manifest.feature]
        if not len(frames) or not self.window.push(frames):
            return []
        if not step.idle:
            return [self._tracker.update(self.model.run(self._see(self.window.frames)), time_s=step.time_s)]
        held = self._tracker.hold(time_s=step.time_s)
        return [held] if held else []

    def reset(self) -> None:
        """Forget everything; equal to a new head."""
        super().reset()
        self._tracker.reset()
