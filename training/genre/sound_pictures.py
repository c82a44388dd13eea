"""From sound files to the pictures that the genre model sees, as they are or changed at random."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr

from stream_analyzer.analysis.features import StreamingLogMel
from stream_analyzer.analysis.genre.picture import PICTURE_FRAMES, PICTURE_SPEC, picture
from training.data.listening import read_mono
from training.genre.rooms import equalized, otherwise_mastered, rms, through_a_room

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stream_analyzer.types import F32

RATE_HZ = PICTURE_SPEC.sample_rate_hz
WINDOW_SAMPLES = PICTURE_SPEC.n_fft + (PICTURE_FRAMES - 1) * PICTURE_SPEC.hop
EXCERPT_S = 12.3
SPEED = 0.08
LEAST_RMS = 1e-3  # an excerpt more quiet than this is a pause
SHORTEST_S = 15.0
ENDINGS = (".ogg", ".mp3", ".flac", ".opus", ".oga", ".wav")


def read_sound(path: Path, *, start_s: float = 0.0, length_s: float | None = None) -> F32:
    """Return sound of a file at `RATE_HZ`, mixed to mono float32 [samples]."""
    return read_mono(path, RATE_HZ, start_s=start_s, length_s=length_s)


def pictures(sound: F32) -> F32:
    """Return pictures of windows side by side, float32 [windows, 187, 96]; a short sound is repeated to fill one."""
    if len(sound) < WINDOW_SAMPLES:
        sound = np.tile(sound, -(-WINDOW_SAMPLES // max(1, len(sound))))[:WINDOW_SAMPLES]
    frames = StreamingLogMel(PICTURE_SPEC).push(sound)
    starts = range(0, len(frames) - PICTURE_FRAMES + 1, PICTURE_FRAMES)
    return np.stack([picture(frames[start : start + PICTURE_FRAMES]) for start in starts])


def changed(sound: F32, kind: str, *, name: str) -> F32:
    """Return ``sound`` as the variant ``kind``: "clean", or "room" or "master" with a number, drawn from both names."""
    rng = np.random.default_rng(zlib.crc32(f"{kind} {name}".encode()))
    if kind == "clean":
        return sound
    change = through_a_room if kind.startswith("room") else otherwise_mastered
    return change(sound, RATE_HZ, rng)


def excerpts(folder: Path, *, most: int, seed: int) -> Iterator[tuple[int, F32]]:
    """Yield the number of a file in ``folder`` and a random excerpt of it; at most ``most`` of each file.

    Each is played up to 8 % faster or slower. Files that can't be read or are shorter than 15 s are left out.
    """
    for number, path in enumerate(sorted(p for p in folder.rglob("*") if p.suffix.lower() in ENDINGS)):
        rng = np.random.default_rng([seed, number])
        try:
            duration_s = soundfile.info(path).duration
        except soundfile.LibsndfileError:
            continue
        if duration_s < SHORTEST_S:
            continue
        for _ in range(min(most, int(duration_s / 20.0) + 1)):
            sound = read_sound(path, start_s=rng.uniform(0.0, duration_s - EXCERPT_S - 0.5), length_s=EXCERPT_S)
            sound = np.asarray(soxr.resample(sound, RATE_HZ * (1.0 + rng.uniform(-SPEED, SPEED)), RATE_HZ), np.float32)
            if len(sound) >= 3 * WINDOW_SAMPLES and rms(sound) > LEAST_RMS:
                yield number, sound


def versions(sound: F32, rng: np.random.Generator) -> tuple[F32, F32, F32]:
    """Return ``sound`` as it is and twice changed, in step: in a room, then in another or equalised."""
    second = through_a_room(sound, RATE_HZ, rng)
    if rng.random() < 0.6:
        third = through_a_room(sound, RATE_HZ, rng)
    else:
        third = np.asarray(equalized(sound, RATE_HZ, rng, spread_db=rng.uniform(1.0, 5.0)), np.float32)
    return sound, second, third
