"""Sounds as a scorer hears them: as they are, repeated, or through a script that spoils them as a microphone does."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from stream_analyzer.errors import AudioError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream_analyzer.types import F32


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound file, repeated until it lasts ``least_s``, ``through`` what a script makes of it (None: as it is).

    ``left_out`` names the source whose clips must not have taught the head that hears it; empty is the published head.
    """

    path: Path
    least_s: float = 0.0
    through: Path | None = None
    left_out: str = ""


def read_sound(sound: Sound) -> tuple[F32, int]:
    """Return samples float32 [n, channels] and rate of a sound. Raises `AudioError`, `ConfigError`."""
    try:
        samples, rate_hz = soundfile.read(sound.path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        msg = f"can't read {sound.path}: {error}"
        raise AudioError(msg) from error
    samples = np.tile(samples, (max(1, int(np.ceil(sound.least_s * rate_hz / max(1, len(samples))))), 1))
    if sound.through:
        seed = np.frombuffer(sound.path.name.encode().ljust(4, b"_")[-8:], np.uint8)  # the same for a clip each time
        samples = load_process(sound.through)(samples, rate_hz, np.random.default_rng(seed.tolist()))[:, None]
    return samples, rate_hz


def read_mono(path: Path, rate_hz: int, *, start_s: float = 0.0, length_s: float | None = None) -> F32:
    """Return a sound file, or a part of it, mixed to mono float32 [samples] at ``rate_hz``. Raises `AudioError`."""
    try:
        with soundfile.SoundFile(path) as file:
            file.seek(int(start_s * file.samplerate))
            count = -1 if length_s is None else int(length_s * file.samplerate)
            samples, found_hz = file.read(count, "float32", always_2d=True), file.samplerate
    except (soundfile.LibsndfileError, OSError) as error:
        msg = f"can't read {path}: {error}"
        raise AudioError(msg) from error
    mono = samples.mean(axis=1, dtype=np.float32)
    return mono if found_hz == rate_hz else np.asarray(soxr.resample(mono, found_hz, rate_hz), np.float32)


def load_process(script: Path) -> Callable[[F32, int, np.random.Generator], F32]:
    """Return ``process(samples, rate_hz, rng)`` of a Python file. Raises `ConfigError` if it has none."""
    spec = importlib.util.spec_from_file_location(script.stem, script)
    if spec is None or spec.loader is None or not script.is_file():
        msg = f"{script} is no Python file; --through takes one with process(samples, rate, rng)"
        raise ConfigError(msg)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    process: Callable[[F32, int, np.random.Generator], F32] | None = getattr(module, "process", None)
    if process is None:
        msg = f"{script} has no process(samples, rate, rng)"
        raise ConfigError(msg)
    return process
