"""What heads with a model have in common, and those with one over a rolling window of log-mel frames. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from stream_analyzer.analysis.rolling import RollingWindow

if TYPE_CHECKING:
    from stream_analyzer.analysis.model import Model


class ModelHead:
    """A model, and the times that its manifest tells."""

    measures: ClassVar[bool] = False

    def __init__(self, model: Model) -> None:
        """Judge by ``model``."""
        self.model: Model = model

    @property
    def window_s(self) -> float:
        """Seconds of sound in a full window."""
        return self.model.manifest.window_s

    @property
    def first_s(self) -> float:
        """Seconds of sound until the first judgement."""
        return self.model.manifest.first_s

    @property
    def latency_s(self) -> float:
        """Seconds that a sound may take to be judged: a frame, and from judgement to judgement."""
        spec = self.model.manifest.feature
        return float(spec.n_fft / spec.sample_rate_hz + self.model.manifest.every_s)


class WindowedModel(ModelHead):
    """A model and the window of frames that it judges. State: the window."""

    def __init__(self, model: Model) -> None:
        """Keep the newest frames that ``model`` looks at."""
        super().__init__(model)
        manifest = model.manifest
        self.features = (manifest.feature,)
        self.window = RollingWindow(manifest.input, n_mels=manifest.feature.n_mels, fill=manifest.feature.log_floor)

    @property
    def ready(self) -> bool:
        """Whether enough frames came for a first judgement."""
        return self.window.ready

    def reset(self) -> None:
        """Forget the window."""
        self.window.reset()
