"""Music of exactly known tempo for `benchmarks.tempo`, rendered by the project's own generator, and kept under runs/.

Sound is mono float32 at 22 050 Hz. The seeds are none that training uses; the generator is the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from stream_analyzer.analysis.features import SPEC
from training.music import effects, patterns
from training.music.midi import DRUM_CHANNEL, Note, Score, write_midi
from training.music.styles import STYLES
from training.music.synth import render

if TYPE_CHECKING:
    from stream_analyzer.types import F32, F64

CACHE = Path("runs/benchmarks/tempo")
RATE_HZ = SPEC.sample_rate_hz
SEED = 90_210
LEVEL = 0.1  # root mean square of every piece: about -20 dBFS


@dataclass(frozen=True, slots=True)
class Piece:
    """Sound, and its tempi as (start in s, end in s, BPM); where tracks overlap, several are right."""

    sound: F32
    spans: tuple[tuple[float, float, float], ...]

    def tempi_at(self, time_s: float) -> list[float]:
        """Return the tempi that are right at a time: those of everything that plays."""
        return [bpm for start_s, end_s, bpm in self.spans if start_s <= time_s < end_s]


def track(style: str, bpm: float, *, seconds: float, seed: int = 0) -> F32:
    """Return a piece of a style of `training.music.styles` at ``bpm``."""
    chosen = next(one for one in STYLES if one.name == style)
    rng = np.random.default_rng([SEED, round(10.0 * bpm), seed])
    score = patterns.compose(chosen, rng, beats=(seconds + 1.0) * bpm / 60.0)
    return play(score, bpm=bpm, seconds=seconds, seed=seed)


def play(score: Score, *, bpm: float, seconds: float, seed: int = 0) -> F32:
    """Render a score; what was rendered before is read from `CACHE`."""
    midi = write_midi(score, bpm=bpm)
    path = CACHE / f"{hashlib.sha256(midi).hexdigest()[:16]}-{seed}.flac"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = render(midi, np.random.default_rng([SEED, seed]))
        sound *= LEVEL / max(float(np.sqrt(np.mean(sound**2))), 1e-6)
        part = path.with_suffix(".part")
        soundfile.write(part, np.clip(sound, -1.0, 1.0), RATE_HZ, format="FLAC")
        part.rename(path)
    sound, _ = soundfile.read(path, dtype="float32")
    return np.asarray(sound[: round(seconds * RATE_HZ)], np.float32)


def through_bad_microphone(sound: F32, *, seed: int = 0) -> F32:
    """Return the sound as a bad microphone hears it: reverb 0.6 s, noise at 0 dB, high-pass 90 Hz."""
    return effects.bad_microphone(sound, np.random.default_rng([SEED, seed]))


def steady(style: str, bpm: float, *, seconds: float = 20.0, seed: int = 0) -> Piece:
    """Return one track."""
    return Piece(track(style, bpm, seconds=seconds, seed=seed), ((0.0, seconds, bpm),))


def mix(parts: list[tuple[str, float]], *, seconds: float, fade_s: float, seed: int = 0) -> Piece:
    """Return tracks of ``seconds`` each, the end of one fading into the start of the next; a cut if ``fade_s`` is 0."""
    fade, length = round(fade_s * RATE_HZ), round(seconds * RATE_HZ)
    whole = np.zeros(len(parts) * (length - fade) + fade, np.float32)
    ramp = np.sin(np.linspace(0.0, np.pi / 2.0, fade, dtype=np.float32))
    spans = []
    for index, (style, bpm) in enumerate(parts):
        sound, start = track(style, bpm, seconds=seconds, seed=seed + index), index * (length - fade)
        if fade:
            sound[:fade] *= ramp if index else 1.0
            sound[-fade:] *= ramp[::-1] if index < len(parts) - 1 else 1.0
        whole[start : start + len(sound)] += sound
        spans.append((start / RATE_HZ, (start + length) / RATE_HZ, bpm))
    return Piece(whole, tuple(spans))


def faded(sound: F32, *, depth: float, ramp_s: float) -> tuple[F32, F64]:
    """Play a track by a pitch fader that rises by ``depth`` in ``ramp_s``, falls to ``-depth`` and comes back to 0.

    Returns the sound and the speed of each of its samples.
    """
    corners_s, speeds = ramp_s * np.array([0.0, 1.0, 3.0, 4.0]), 1.0 + depth * np.array([0.0, 1.0, -1.0, 0.0])
    seconds = np.arange(round(corners_s[-1] * RATE_HZ)) / RATE_HZ
    speed = np.interp(seconds, corners_s, speeds)
    position = np.cumsum(speed)
    kept = position < len(sound) - 1
    return np.interp(position[kept], np.arange(len(sound)), sound).astype(np.float32), speed[kept]


def breakdown(style: str, bpm: float, *, beats: tuple[int, int, int]) -> F32:
    """Return a track of three parts in beats: whole, a held chord without any pulse, and whole again."""
    before, silent, after = beats
    score = patterns.compose(
        next(one for one in STYLES if one.name == style), np.random.default_rng(SEED), beats=sum(beats)
    )
    kept = [note for note in score.notes if not before <= note.start < before + silent]
    pad = [Note(float(before), float(silent), 5, pitch, 90) for pitch in (45, 52, 57, 60)]
    whole = Score(notes=[*kept, *pad], programs={**score.programs, 5: 89})
    return play(whole, bpm=bpm, seconds=(before + silent + after) * 60.0 / bpm)


def rubato(*, seconds: float) -> F32:
    """Return a piano that never keeps a tempo: each beat's length is its own, from half to one and a half."""
    rng = np.random.default_rng(SEED)
    score = patterns.compose(next(one for one in STYLES if one.name == "ballad"), rng, beats=2.0 * seconds)
    lengths = rng.uniform(0.5, 1.5, int(score.beats) + 2)
    starts = np.concatenate([[0.0], np.cumsum(lengths)])
    notes = [
        replace(note, start=float(np.interp(note.start, np.arange(len(starts)), starts)))
        for note in score.notes
        if note.channel != DRUM_CHANNEL
    ]
    programs = dict.fromkeys(range(4), 0)
    return play(Score(notes=notes, programs=programs), bpm=80.0, seconds=seconds)
