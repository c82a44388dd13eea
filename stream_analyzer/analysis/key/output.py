"""What the logits of a key model stand for, and how they are read: that part of its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream_analyzer.analysis.key.names import LABELS
from stream_analyzer.analysis.manifest import positive, probability, reading

if TYPE_CHECKING:
    from stream_analyzer.analysis.manifest import ModelManifest


@dataclass(frozen=True, slots=True)
class KeyOutput:
    """Logits of the keys, and one more for no clear key; all share a softmax."""

    labels: tuple[str, ...] = LABELS

    @property
    def size(self) -> int:
        """Number of logits."""
        return len(self.labels) + 1

    def to_dict(self) -> dict[str, Any]:
        """Return it as a manifest holds it."""
        return {"kind": "keys", "labels": list(self.labels), "last": "no clear key"}

    @classmethod
    def of(cls, manifest: ModelManifest) -> KeyOutput:
        """Read it from a manifest; raise `ManifestError` if it is malformed."""
        with reading(f"model {manifest.name}"):
            labels = tuple(str(label) for label in manifest.output["labels"])
            if labels != LABELS:
                msg = f"labels are {', '.join(labels)}; this program knows {', '.join(LABELS)}"
                raise ValueError(msg)
        return cls(labels)


@dataclass(frozen=True, slots=True)
class Calibration:
    """``temperature`` makes the probabilities honest; a key is clear from the probability ``clear`` on."""

    temperature: float
    clear: float

    @classmethod
    def of(cls, manifest: ModelManifest) -> Calibration:
        """Read it from a manifest; raise `ManifestError` if it is malformed."""
        with reading(f"model {manifest.name}"):
            values = manifest.calibration
            return cls(positive("temperature", values["temperature"]), probability("clear", values["clear"]))
