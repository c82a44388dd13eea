"""What others say of the same clips, where they are installed (extra `bench`): essentia's KeyExtractor, and librosa."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
import soxr

from training.key.pitch_set import key_of
from training.key.template import FIT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream_analyzer.types import F32

ESSENTIA_HZ, LIBROSA_HZ = 44_100, 22_050
PROFILES = ("braw", "bgate", "krumhansl", "edma", "edmm")  # of KeyExtractor: for pop, classical and electronic music


def available() -> dict[str, Callable[[Path], int]]:
    """Return what can be asked here: a name, and what names the key (0-11 major, 12-23 minor) of a file."""
    found: dict[str, Callable[[Path], int]] = {"librosa chroma_cqt, Krumhansl": _librosa}
    if find_spec("essentia"):
        found |= {f"essentia KeyExtractor {profile}": partial(_essentia, profile=profile) for profile in PROFILES}
    return found


def _mono(path: Path, rate_hz: int) -> F32:
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(samples.mean(axis=1), rate, rate_hz), np.float32)


def _essentia(path: Path, *, profile: str) -> int:
    import essentia.standard  # noqa: PLC0415 - a peer that need not be here

    tonic, mode, _ = essentia.standard.KeyExtractor(profileType=profile)(_mono(path, ESSENTIA_HZ))
    return key_of(f"{tonic} {mode}")


def _librosa(path: Path) -> int:
    import librosa  # noqa: PLC0415 - costs seconds

    chroma: Any = librosa.feature.chroma_cqt(y=_mono(path, LIBROSA_HZ), sr=LIBROSA_HZ).mean(axis=1)
    fits = [np.corrcoef(np.roll(fit, tonic), chroma)[0, 1] for fit in FIT for tonic in range(12)]
    return int(np.argmax(fits))
