"""What a model says about itself: parse and check `manifest.json`, which training writes."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from stream_analyzer.analysis.features import SPEC, FeatureSpec
from stream_analyzer.errors import FeatureMismatch, ManifestError

if TYPE_CHECKING:
    from pathlib import Path

Task = Literal["genre", "tempo"]


@dataclass(frozen=True, slots=True)
class ModelInput:
    """The window a model sees: ``frames`` log-mel frames, every ``every``-th of the stream, judged each ``stride``.

    ``every`` and ``stride`` count frames of the stream (50 a second), the others frames of the window. A window that is
    still filling (from ``min_frames`` on) holds the log floor in its older part. Live it never holds more than the
    newest ``live_frames`` (all, where that is 0): what lets go of the past sooner follows a change sooner.
    """

    frames: int
    every: int
    stride: int
    min_frames: int
    live_frames: int = 0
    dtype: str = "int8"

    @property
    def heard(self) -> int:
        """Most frames of sound that a window holds."""
        return self.live_frames or self.frames


@dataclass(frozen=True, slots=True)
class SubGenre:
    """A style within the genre ``parent``, shown from the probability ``threshold`` on."""

    label: str
    parent: str
    threshold: float


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """What the output logits stand for: genre ``labels``, ``sub_genres`` and one for music, or tempo bins in ``bpm``.

    The labels share a softmax, each sub-genre and music is a sigmoid of its own.
    """

    labels: tuple[str, ...] = ()
    sub_genres: tuple[SubGenre, ...] = ()
    bpm: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """Number of logits."""
        return len(self.labels) + len(self.sub_genres) + 1 if self.labels else len(self.bpm)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What makes probabilities of logits, and how they are read; all but ``temperature`` belongs to genre models.

    ``temperature`` divides the logits of labels or bins, ``sub_temperature`` those of sub-genres. Sound is music from
    the probability ``music_threshold`` on; a genre below the probability ``confident`` is only a guess.
    """

    temperature: float
    sub_temperature: float = 1.0
    music_threshold: float = 0.5
    confident: float = 0.5


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """A checked manifest. ``metrics`` and ``training`` are kept as written: they are for people."""

    name: str
    version: str
    task: Task
    file: str
    sha256: str
    feature: FeatureSpec
    input: ModelInput
    output: ModelOutput
    calibration: Calibration
    time_constant_s: float
    metrics: list[Any]
    training: dict[str, Any]

    @property
    def window_s(self) -> float:
        """Seconds of sound in a full window."""
        return self.input.heard * self.input.every / self.feature.frames_per_second

    @property
    def first_s(self) -> float:
        """Seconds of sound until the first judgement."""
        last_frame = (self.input.min_frames - 1) * self.input.every
        return (last_frame * self.feature.hop + self.feature.n_fft) / self.feature.sample_rate_hz

    @property
    def every_s(self) -> float:
        """Seconds of sound from judgement to judgement."""
        return self.input.stride / self.feature.frames_per_second

    def to_json(self) -> str:
        """Return the text of `manifest.json`."""
        if self.task == "genre":
            subs = {sub.label: {"parent": sub.parent, "threshold": sub.threshold} for sub in self.output.sub_genres}
            output: dict[str, Any] = {"labels": self.output.labels, "sub_genres": subs}
            calibration = asdict(self.calibration)
        else:
            output = {"bpm": self.output.bpm}
            calibration = {"temperature": self.calibration.temperature}
        data = {
            "name": self.name,
            "version": self.version,
            "task": self.task,
            "file": self.file,
            "sha256": self.sha256,
            "feature": {"spec": asdict(self.feature), "digest": self.feature.digest},
            "input": asdict(self.input),
            "output": output,
            "calibration": calibration,
            "smoothing": {"time_constant_s": self.time_constant_s},
            "metrics": self.metrics,
            "training": self.training,
        }
        return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_manifest(folder: Path, *, spec: FeatureSpec = SPEC) -> ModelManifest:
    """Read and check ``folder / "manifest.json"`` and the digest of the model file beside it.

    Raises
    ------
    ManifestError
        The manifest or the model is missing, malformed, or the model file is not the one the manifest describes.
    FeatureMismatch
        The model was made for another feature definition than ``spec``.
    """
    path = folder / "manifest.json"
    try:
        manifest = _parse(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        msg = f"model {folder.name}: can't read {path}: {error.strerror}; restore the models folder or set --models"
        raise ManifestError(msg) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"model {folder.name}: malformed {path}: {type(error).__name__} {error}; restore it or export it again"
        raise ManifestError(msg) from error
    if manifest.feature.digest != spec.digest:
        msg = (
            f"model {manifest.name} was made for feature definition {manifest.feature.digest}, "
            f"this program computes {spec.digest}; export the model again"
        )
        raise FeatureMismatch(msg)
    try:
        digest = sha256_of(folder / manifest.file)
    except OSError as error:
        msg = f"model {manifest.name}: can't read {folder / manifest.file}: {error.strerror}; restore it"
        raise ManifestError(msg) from error
    if digest != manifest.sha256:
        msg = (
            f"model {manifest.name}: {manifest.file} has SHA-256 {digest[:16]}..., its manifest says "
            f"{manifest.sha256[:16]}...; restore the file or export it again"
        )
        raise ManifestError(msg)
    return manifest


def _parse(data: dict[str, Any]) -> ModelManifest:
    task = data["task"]
    if task not in ("genre", "tempo"):
        msg = f"task is {task!r}, expected 'genre' or 'tempo'"
        raise ValueError(msg)
    manifest = ModelManifest(
        name=str(data["name"]),
        version=str(data["version"]),
        task=task,
        file=str(data["file"]),
        sha256=str(data["sha256"]),
        feature=FeatureSpec(**data["feature"]["spec"]),
        input=ModelInput(**data["input"]),
        output=_genre_output(data["output"]) if task == "genre" else _tempo_output(data["output"]),
        calibration=_calibration(data["calibration"], task),
        time_constant_s=float(data["smoothing"]["time_constant_s"]),
        metrics=list(data["metrics"]),
        training=dict(data["training"]),
    )
    window = manifest.input
    sizes = (window.frames, window.every, window.stride, window.min_frames, window.heard)
    whole = all(type(size) is int and size > 0 for size in sizes)
    if not whole or not window.min_frames <= window.heard <= window.frames:
        msg = f"input {window} needs whole numbers above 0 and min_frames <= live_frames <= frames"
        raise ValueError(msg)
    if not all(math.isfinite(x) and x > 0.0 for x in (manifest.time_constant_s, *manifest.output.bpm)):
        msg = "time_constant_s and bpm must be finite and above 0"
        raise ValueError(msg)
    if window.dtype != "int8":
        msg = f"input dtype {window.dtype!r} must be int8"
        raise ValueError(msg)
    if "/" in manifest.file or "\\" in manifest.file:
        msg = f"file {manifest.file!r} must be a plain name"
        raise ValueError(msg)
    return manifest


def _tempo_output(data: dict[str, Any]) -> ModelOutput:
    output = ModelOutput(bpm=tuple(float(bpm) for bpm in data.get("bpm", ())))
    if not output.bpm:
        msg = "output of a tempo model needs bpm"
        raise ValueError(msg)
    return output


def _genre_output(data: dict[str, Any]) -> ModelOutput:
    output = ModelOutput(
        labels=tuple(str(label) for label in data.get("labels", ())),
        sub_genres=tuple(
            SubGenre(
                str(label), parent=str(sub["parent"]), threshold=_probability(f"threshold of {label}", sub["threshold"])
            )
            for label, sub in data.get("sub_genres", {}).items()
        ),
    )
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
    return output


def _calibration(data: dict[str, Any], task: Task) -> Calibration:
    names = ("temperature",) if task == "tempo" else ("temperature", "sub_temperature")
    temperatures = {name: float(data[name]) for name in names}
    if not all(math.isfinite(value) and value > 0.0 for value in temperatures.values()):
        msg = f"calibration {temperatures} must be finite and above 0"
        raise ValueError(msg)
    if task == "tempo":
        return Calibration(**temperatures)
    return Calibration(**temperatures, **{n: _probability(n, data[n]) for n in ("music_threshold", "confident")})


def _probability(name: str, value: Any) -> float:  # noqa: ANN401 - whatever JSON holds
    number = float(value)
    if not 0.0 < number < 1.0:
        msg = f"{name} is {value!r}, expected a probability between 0 and 1"
        raise ValueError(msg)
    return number
