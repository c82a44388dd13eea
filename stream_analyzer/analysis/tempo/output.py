"""What the logits of a tempo model stand for: that part of its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream_analyzer.analysis.manifest import positive, reading

if TYPE_CHECKING:
    from stream_analyzer.analysis.manifest import ModelManifest


@dataclass(frozen=True, slots=True)
class TempoOutput:
    """Logits of the tempo bins at ``bpm``, which share a softmax."""

    bpm: tuple[float, ...]

    @property
    def size(self) -> int:
        """Number of logits."""
        return len(self.bpm)

    def to_dict(self) -> dict[str, Any]:
        """Return it as a manifest holds it."""
        return {"bpm": list(self.bpm)}

    @classmethod
    def of(cls, manifest: ModelManifest) -> TempoOutput:
        """Read and check it. Raises `ManifestError`."""
        with reading(f"model {manifest.name}"):
            output = cls(bpm=tuple(positive("bpm", bpm) for bpm in manifest.output.get("bpm", ())))
            if not output.bpm:
                msg = "output of a tempo model needs bpm"
                raise ValueError(msg)
        return output


@dataclass(frozen=True, slots=True)
class Calibration:
    """What makes probabilities of logits: ``temperature`` divides them."""

    temperature: float

    @classmethod
    def of(cls, manifest: ModelManifest) -> Calibration:
        """Read and check it. Raises `ManifestError`."""
        with reading(f"model {manifest.name}"):
            return cls(temperature=positive("temperature", manifest.calibration["temperature"]))
