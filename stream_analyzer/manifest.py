"""What a model says about itself: parse and check `manifest.json`, which training writes."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from stream_analyzer.errors import FeatureMismatch, ManifestError
from stream_analyzer.features import SPEC, FeatureSpec

if TYPE_CHECKING:
    from pathlib import Path

Task = Literal["genre", "tempo"]


@dataclass(frozen=True, slots=True)
class ModelInput:
    """The window a model sees: ``frames`` log-mel frames, every ``every``-th of the stream, judged each ``stride``.

    ``every`` and ``stride`` count frames of the stream (50 a second); ``frames`` and ``min_frames`` count frames of the
    window. A window that is still filling (from ``min_frames`` on) holds the log floor in its older part.
    """

    frames: int
    every: int
    stride: int
    min_frames: int
    dtype: str = "int8"


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """What the output logits stand for: genre ``labels`` and then one logit for music, or tempo bins in ``bpm``."""

    labels: tuple[str, ...] = ()
    bpm: tuple[float, ...] = ()

    @property
    def size(self) -> int:
        """Number of logits."""
        return len(self.labels) + 1 if self.labels else len(self.bpm)


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
    temperature: float
    time_constant_s: float
    metrics: list[Any]
    training: dict[str, Any]

    @property
    def window_s(self) -> float:
        """Length of a full window in seconds."""
        return self.input.frames * self.input.every / self.feature.frames_per_second

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
        output = {"labels": self.output.labels} if self.task == "genre" else {"bpm": self.output.bpm}
        data = {
            "name": self.name,
            "version": self.version,
            "task": self.task,
            "file": self.file,
            "sha256": self.sha256,
            "feature": {"spec": asdict(self.feature), "digest": self.feature.digest},
            "input": asdict(self.input),
            "output": output,
            "calibration": {"temperature": self.temperature},
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
    output = ModelOutput(
        labels=tuple(str(label) for label in data["output"].get("labels", ())),
        bpm=tuple(float(bpm) for bpm in data["output"].get("bpm", ())),
    )
    if not (output.labels if task == "genre" else output.bpm):
        msg = f"output of a {task} model needs {'labels' if task == 'genre' else 'bpm'}"
        raise ValueError(msg)
    manifest = ModelManifest(
        name=str(data["name"]),
        version=str(data["version"]),
        task=task,
        file=str(data["file"]),
        sha256=str(data["sha256"]),
        feature=FeatureSpec(**data["feature"]["spec"]),
        input=ModelInput(**data["input"]),
        output=output,
        temperature=float(data["calibration"]["temperature"]),
        time_constant_s=float(data["smoothing"]["time_constant_s"]),
        metrics=list(data["metrics"]),
        training=dict(data["training"]),
    )
    window = manifest.input
    sizes = (window.frames, window.every, window.stride, window.min_frames)
    if not all(type(size) is int and size > 0 for size in sizes) or window.min_frames > window.frames:
        msg = f"input {window} needs whole numbers above 0 and min_frames <= frames"
        raise ValueError(msg)
    if not all(math.isfinite(x) and x > 0.0 for x in (manifest.temperature, manifest.time_constant_s, *output.bpm)):
        msg = "temperature, time_constant_s and bpm must be finite and above 0"
        raise ValueError(msg)
    if window.dtype != "int8":
        msg = f"input dtype {window.dtype!r} must be int8"
        raise ValueError(msg)
    if "/" in manifest.file or "\\" in manifest.file:
        msg = f"file {manifest.file!r} must be a plain name"
        raise ValueError(msg)
    return manifest
