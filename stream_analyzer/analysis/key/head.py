"""The key head: sound -> pitch frames -> profile -> chords -> model -> tracker -> `Key`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stream_analyzer.analysis.key.chords import COLUMNS, Heard
from stream_analyzer.analysis.key.output import KeyOutput
from stream_analyzer.analysis.key.profile import Profile
from stream_analyzer.analysis.key.tracker import KeyTracker, Recent
from stream_analyzer.analysis.model import hold_outputs
from stream_analyzer.analysis.pitches import StreamingPitches
from stream_analyzer.analysis.windowed import ModelHead
from stream_analyzer.errors import ManifestError
from stream_analyzer.types import Key

if TYPE_CHECKING:
    from stream_analyzer.analysis.head import Step
    from stream_analyzer.analysis.model import Model


RECENT_STEPS = 10  # of a second: what contradicts the whole window when the key has changed


class KeyHead(ModelHead):
    """Follows the key. State: the sound of the next pitch frame, the profile, the tracker, and how many frames came."""

    name: ClassVar[str] = "key"
    event: ClassVar[type[Any]] = Key
    features = ()

    def __init__(self, model: Model) -> None:
        """Judge by ``model``."""
        super().__init__(model)
        manifest = model.manifest
        hold_outputs(model, KeyOutput.of(manifest).size)
        columns = manifest.input.columns
        if columns != COLUMNS:
            msg = f"model {manifest.name} sees {columns} columns, this program makes {COLUMNS}; export it again"
            raise ManifestError(msg)
        self._pitches = StreamingPitches()
        self._profile = Profile(manifest.input.heard)
        self._tracker = KeyTracker(manifest)

    @property
    def ready(self) -> bool:
        """Whether enough frames came for a first judgement."""
        return self._profile.heard >= self.model.manifest.input.min_frames

    def facts(self) -> dict[str, Any]:
        """Add nothing to `Hello`."""
        return {}

    def hear(self, step: Step) -> list[Key]:
        """Take a step; return the key where one is due."""
        frames = self._pitches.push(step.sound)
        before, was_ready = self._profile.heard, self.ready
        self._profile.push(frames)
        stride = self.model.manifest.input.stride
        due = self.ready and (not was_ready or self._profile.heard // stride > before // stride)
        if not len(frames) or not due:
            return []
        if step.idle:
            held = self._tracker.hold(time_s=step.time_s)
            return [held] if held else []
        profile = self._profile
        heard = Heard.of(profile.steps(stride))
        newest = heard.newest(RECENT_STEPS)
        recent = Recent(self.model.run(newest.seen()), newest.contrast)
        if self._tracker.turned_away(recent):
            profile.forget(but=RECENT_STEPS * stride)
            heard = newest
        logits = self.model.run(heard.seen())
        return [self._tracker.update(logits, recent, cents=profile.cents, time_s=step.time_s)]

    def reset(self) -> None:
        """Forget everything; equal to a new head."""
        self._pitches.reset()
        self._profile.reset()
        self._tracker.reset()
