"""What a model says about itself: parse and check `manifest.json`, which training writes.

What its outputs stand for and how they are calibrated is read by the head that runs it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stream_analyzer.analysis.features import SPEC, FeatureSpec
from stream_analyzer.analysis.pitches import SEMITONES, PitchSpec
from stream_analyzer.errors import FeatureMismatch, ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PLAIN_NAME = re.compile(r"[\w-][\w.-]{0,99}", re.ASCII)
_LARGEST = 100_000  # frames: half an hour of sound


@dataclass(frozen=True, slots=True)
class ModelInput:
    """The window a model sees: ``frames`` log-mel frames, every ``every``-th of the stream, judged each ``stride``.

    ``every`` and ``stride`` count frames of the stream (50 a second), the others frames of the window. A window that is
    still filling (from ``min_frames`` on) holds the log floor in its older part. Live it never holds more than the
    newest ``live_frames`` (all, where that is 0): what lets go of the past sooner follows a change sooner. ``values``
    says what the model sees of the log-mel frames: them, or what the head of its task makes of them, of pitch frames
    ``columns`` values as seen from each tonic.
    """

    frames: int
    every: int
    stride: int
    min_frames: int
    live_frames: int = 0
    dtype: str = "int8"
    values: str = "log-mel"
    columns: int = 0

    @property
    def heard(self) -> int:
        """Most frames of sound that a window holds."""
        return self.live_frames or self.frames


@dataclass(frozen=True, slots=True)
class ModelManifest:
    """A checked manifest.

    ``output`` and ``calibration`` are kept as written, for the head of ``task`` to read; so are ``metrics`` and
    ``training``, which are for people.
    """

    name: str
    version: str
    task: str
    file: str
    sha256: str
    feature: Any  # a FeatureSpec, or the PitchSpec of a model that sees profiles
    input: ModelInput
    output: dict[str, Any]
    calibration: dict[str, Any]
    time_constant_s: float
    metrics: list[Any]
    training: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of what the model sees: the window, or of pitch frames what each tonic sees of them."""
        if isinstance(self.feature, PitchSpec):
            return SEMITONES, self.input.columns
        return self.input.frames, self.feature.n_mels

    @property
    def window_s(self) -> float:
        """Seconds of sound in a full window."""
        return float(self.input.heard * self.input.every / self.feature.frames_per_second)

    @property
    def first_s(self) -> float:
        """Seconds of sound until the first judgement."""
        last_frame = (self.input.min_frames - 1) * self.input.every
        return float((last_frame * self.feature.hop + self.feature.n_fft) / self.feature.sample_rate_hz)

    @property
    def every_s(self) -> float:
        """Seconds of sound from judgement to judgement."""
        return float(self.input.stride / self.feature.frames_per_second)

    def to_json(self) -> str:
        """Return the text of `manifest.json`."""
        data = {
            "name": self.name,
            "version": self.version,
            "task": self.task,
            "file": self.file,
            "sha256": self.sha256,
            "feature": {"spec": asdict(self.feature), "digest": self.feature.digest},
            "input": asdict(self.input),
            "output": self.output,
            "calibration": self.calibration,
            "smoothing": {"time_constant_s": self.time_constant_s},
            "metrics": self.metrics,
            "training": self.training,
        }
        return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_manifest(folder: Path) -> ModelManifest:
    """Read and check ``folder / "manifest.json"`` and the digest of the model file beside it.

    Raises
    ------
    ManifestError
        The manifest or the model is missing, malformed, or the model file is not the one the manifest describes.
    FeatureMismatch
        The model was made for features that this program does not compute.
    """
    path = folder / "manifest.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"model {folder.name}: can't read {path}: {error.strerror}; restore the models folder or set --models"
        raise ManifestError(msg) from error
    except ValueError as error:
        msg = f"model {folder.name}: malformed {path}: {type(error).__name__} {error}; restore it or export it again"
        raise ManifestError(msg) from error
    with reading(f"model {folder.name}", path=path):
        manifest = _parse(data)
        made_for = str(data["feature"]["digest"])
    if made_for != manifest.feature.digest or not manifest.feature.computable:
        msg = (
            f"model {manifest.name} was made for feature definition {made_for}, this program computes "
            f"{manifest.feature.digest if manifest.feature.computable else SPEC.digest}; export the model again"
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


@contextmanager
def reading(what: str, *, path: Path | None = None) -> Iterator[None]:
    """Turn what goes wrong while a manifest is read into a `ManifestError`."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        msg = f"{what}: malformed {path or 'manifest'}: {type(error).__name__} {error}; restore it or export it again"
        raise ManifestError(msg) from error


def probability(name: str, value: Any) -> float:  # noqa: ANN401 - whatever JSON holds
    """Return a number between 0 and 1; raise `ValueError` if it is none."""
    number = float(value)
    if not 0.0 < number < 1.0:
        msg = f"{name} is {value!r}, expected a probability between 0 and 1"
        raise ValueError(msg)
    return number


def positive(name: str, value: Any) -> float:  # noqa: ANN401
    """Return a finite number above 0; raise `ValueError` if it is none."""
    number = float(value)
    if not (math.isfinite(number) and number > 0.0):
        msg = f"{name} is {value!r}, expected a finite number above 0"
        raise ValueError(msg)
    return number


def _feature(spec: dict[str, Any]) -> FeatureSpec | PitchSpec:
    return PitchSpec(**spec) if "semitones" in spec else FeatureSpec(**spec)


def _parse(data: dict[str, Any]) -> ModelManifest:
    manifest = ModelManifest(
        name=str(data["name"]),
        version=str(data["version"]),
        task=str(data["task"]),
        file=str(data["file"]),
        sha256=str(data["sha256"]),
        feature=_feature(data["feature"]["spec"]),
        input=ModelInput(**data["input"]),
        output=dict(data["output"]),
        calibration=dict(data["calibration"]),
        time_constant_s=positive("time_constant_s", data["smoothing"]["time_constant_s"]),
        metrics=list(data["metrics"]),
        training=dict(data["training"]),
    )
    window = manifest.input
    sizes = (window.frames, window.every, window.stride, window.min_frames, window.heard)
    whole = all(type(size) is int and 0 < size <= _LARGEST for size in sizes)
    if not whole or not window.min_frames <= window.heard <= window.frames:
        msg = f"input {window} needs whole numbers from 1 to {_LARGEST} and min_frames <= live_frames <= frames"
        raise ValueError(msg)
    if window.dtype != "int8":
        msg = f"input dtype {window.dtype!r} must be int8"
        raise ValueError(msg)
    if not _PLAIN_NAME.fullmatch(manifest.file):
        msg = f"file {manifest.file!r} must be a plain name"
        raise ValueError(msg)
    return manifest
