"""What the genre network knows of a song before it names a genre: its last layer but one, averaged. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.model import TfliteModel

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.types import F32

_LAYER = "embedding"  # as training names it


class EmbeddingModel(TfliteModel):
    """The genre model; while it judges windows it also keeps their embeddings. State: their sum and number."""

    def __init__(self, folder: Path) -> None:
        """Load the model in ``folder``; its logits are those that it gives without this."""
        super().__init__(folder, keep_layers=True)
        self._layer = self.layer(_LAYER)
        self._sum, self._windows = np.zeros(1), 0

    def run(self, window: F32) -> F32:
        """Return the logits of one window, and take its embedding into account."""
        logits = super().run(window)
        if self._layer is not None:
            self._sum, self._windows = self._sum + self.values(self._layer), self._windows + 1
        return logits

    def take(self) -> F32 | None:
        """Return the mean embedding since the last time, None if there is none, and begin anew."""
        mean = (self._sum / self._windows).astype(np.float32) if self._windows else None
        self._sum, self._windows = np.zeros(1), 0
        return mean
