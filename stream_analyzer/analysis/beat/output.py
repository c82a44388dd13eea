"""What the logits of a beat model stand for: that part of its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream_analyzer.analysis.manifest import positive, reading

if TYPE_CHECKING:
    from stream_analyzer.analysis.manifest import ModelManifest


@dataclass(frozen=True, slots=True)
class BeatOutput:
    """Logits of ``of`` (a beat, a downbeat) for each frame of a block, frame by frame; a frame speaks of its beginning.

    ``past_s`` is how far back the model listens.
    """

    frames: int
    past_s: float
    of: tuple[str, ...] = ("beat", "downbeat")

    @property
    def size(self) -> int:
        """Number of logits of a block."""
        return self.frames * len(self.of)

    def to_dict(self) -> dict[str, Any]:
        """Return it as a manifest holds it."""
        return {"of": list(self.of), "past_s": self.past_s}

    @classmethod
    def of_manifest(cls, manifest: ModelManifest) -> BeatOutput:
        """Read and check it. Raises `ManifestError`."""
        with reading(f"model {manifest.name}"):
            of = tuple(str(one) for one in manifest.output["of"])
            if of != ("beat", "downbeat"):
                msg = f"output of a beat model is {of}, expected beat and downbeat"
                raise ValueError(msg)
            return cls(manifest.input.frames, positive("past_s", manifest.output["past_s"]), of)
