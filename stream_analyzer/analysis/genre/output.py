"""What the logits of a genre model stand for, and how they are read: that part of its manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream_analyzer.analysis.manifest import positive, probability, reading

if TYPE_CHECKING:
    from stream_analyzer.analysis.manifest import ModelManifest


@dataclass(frozen=True, slots=True)
class SubGenre:
    """A style within the genre ``parent``, shown from the probability ``threshold`` on."""

    label: str
    parent: str
    threshold: float


@dataclass(frozen=True, slots=True)
class GenreOutput:
    """Logits of ``labels``, which share a softmax, of ``sub_genres`` and of music, each a sigmoid of its own."""

    labels: tuple[str, ...]
    sub_genres: tuple[SubGenre, ...] = ()

    @property
    def size(self) -> int:
        """Number of logits."""
        return len(self.labels) + len(self.sub_genres) + 1

    def to_dict(self) -> dict[str, Any]:
        """Return it as a manifest holds it."""
        subs = {sub.label: {"parent": sub.parent, "threshold": sub.threshold} for sub in self.sub_genres}
        return {"labels": list(self.labels), "sub_genres": subs}

    @classmethod
    def of(cls, manifest: ModelManifest) -> GenreOutput:
        """Read and check it. Raises `ManifestError`."""
        with reading(f"model {manifest.name}"):
            subs = manifest.output.get("sub_genres", {}).items()
            output = cls(
                labels=tuple(str(label) for label in manifest.output.get("labels", ())),
                sub_genres=tuple(
                    SubGenre(str(label), str(sub["parent"]), probability(f"threshold of {label}", sub["threshold"]))
                    for label, sub in subs
                ),
            )
            _check(output)
        return output


@dataclass(frozen=True, slots=True)
class Calibration:
    """What makes probabilities of logits, and how they are read.

    ``temperature`` divides the logits of labels, ``sub_temperature`` those of sub-genres. Sound is music from the
    probability ``music_threshold`` on; a genre below the probability ``confident`` is only a guess.
    """

    temperature: float
    sub_temperature: float = 1.0
    music_threshold: float = 0.5
    confident: float = 0.5

    @classmethod
    def of(cls, manifest: ModelManifest) -> Calibration:
        """Read and check it. Raises `ManifestError`."""
        data = manifest.calibration
        with reading(f"model {manifest.name}"):
            return cls(
                **{name: positive(name, data[name]) for name in ("temperature", "sub_temperature")},
                **{name: probability(name, data[name]) for name in ("music_threshold", "confident")},
            )


def _check(output: GenreOutput) -> None:
    """Raise `ValueError` for labels that can't be told apart, and styles of no genre."""
    if not output.labels:
        msg = "output of a genre model needs labels"
        raise ValueError(msg)
    names = [*output.labels, *(sub.label for sub in output.sub_genres)]
    if not all(names) or len(set(names)) < len(names):
        msg = "labels and sub_genres must be different names, none of them empty"
        raise ValueError(msg)
    for sub in output.sub_genres:
        if sub.parent not in output.labels:
            msg = f"sub-genre {sub.label!r} has the parent {sub.parent!r}, which is none of the labels"
            raise ValueError(msg)
