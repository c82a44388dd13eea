"""Songs of exactly known key, rendered and kept as pitch frames: what ``training.prepare music --known key`` writes.

Three kinds: MMA accompaniments of progressions in a key, POP909 in any key by its annotation, with other instruments
and drums laid on, and drumming alone, which has no key. Rooms, microphones and codecs spoil most of them. A shard
holds pitch frames as bytes.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.pitches import PITCHES, StreamingPitches
from training.key.pitch_set import NO_KEY, TONICS, pack
from training.music import effects, mma_styles, patterns
from training.music.midi import DRUM_CHANNEL, Note, Score, read_midi, write_midi
from training.music.styles import STYLES, pick_style
from training.music.synth import ROOTS, render, run_mma

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream_analyzer.types import F32
    from training.music.shards import Shard

CLIP_S = 30.0
CLIPS_PER_SHARD = 32
SHARES = (0.5, 0.42, 0.08)  # MMA, POP909, drums alone
PROGRAMS = (0, 1, 4, 5, 6, 11, 16, 19, 24, 25, 26, 27, 29, 40, 48, 50, 52, 56, 61, 65, 73, 80, 81, 89)
BASSES = (32, 33, 34, 35, 38, 39, 43, 87)

# Chords as degrees in semitones above the tonic, and kinds; each begins or ends where its key is at rest.
MAJOR = (
    ((0, "M"), (7, "M"), (9, "m"), (5, "M")),
    ((0, "M"), (5, "M"), (7, "7"), (0, "M")),
    ((0, "M"), (9, "m"), (5, "M"), (7, "7")),
    ((0, "M"), (9, "m"), (2, "m"), (7, "7")),
    ((0, "M7"), (9, "m7"), (2, "m7"), (7, "7")),
    ((2, "m7"), (7, "7"), (0, "M7"), (0, "M7")),
    ((0, "M"), (0, "M"), (5, "M"), (7, "M")),
    ((0, "M"), (4, "m"), (5, "M"), (7, "M")),
    ((0, "7"), (5, "7"), (0, "7"), (7, "7")),
    ((0, "M"), (10, "M"), (5, "M"), (0, "M")),
    ((0, "M"), (5, "M"), (0, "M"), (5, "M")),
    ((0, "M"), (5, "m"), (0, "M"), (7, "M")),
    ((0, "M"), (2, "7"), (7, "7"), (0, "M")),
    ((0, "7"), (0, "7"), (5, "7"), (0, "7"), (7, "7"), (5, "7"), (0, "7"), (7, "7")),
)
MINOR = (
    ((0, "m"), (8, "M"), (3, "M"), (10, "M")),
    ((0, "m"), (5, "m"), (7, "7"), (0, "m")),
    ((0, "m"), (10, "M"), (8, "M"), (7, "7")),
    ((0, "m7"), (10, "M"), (8, "M7"), (7, "7")),
    ((0, "m"), (0, "m"), (5, "m"), (0, "m")),
    ((0, "m"), (10, "M"), (0, "m"), (10, "M")),
    ((0, "m"), (5, "m"), (0, "m"), (7, "m")),
    ((0, "m7"), (5, "7"), (0, "m7"), (5, "7")),
    ((0, "m"), (8, "M"), (10, "M"), (0, "m")),
    ((0, "m7"), (0, "m7"), (5, "m7"), (0, "m7")),
    ((0, "m"), (3, "M"), (10, "M"), (5, "m")),
    ((0, "m"), (0, "m"), (0, "m"), (0, "m")),
    ((0, "m"), (5, "m"), (10, "7"), (3, "M7"), (8, "M7"), (2, "m7b5"), (7, "7"), (0, "m")),
)


@dataclass(frozen=True, slots=True)
class Song:
    """A rendered song: mono sound at 22 050 Hz, its key (0-11 major, 12-23 minor, 24 none), and what it is."""

    sound: F32
    key: int
    kind: str


class Composer:
    """Composes and renders songs of one split: every tenth of POP909 is for validation. Opens POP909 once."""

    def __init__(self, data: Path, *, split: str) -> None:
        """Read POP909 under ``data / "midi"``; ``split`` is train or valid."""
        self._pop = zipfile.ZipFile(data / "midi" / "pop909.zip")
        self._numbers = [number for number in range(1, 910) if (number % 10 == 0) == (split == "valid")]

    def song(self, rng: np.random.Generator, *, seconds: float = CLIP_S) -> Song:
        """Compose and render a song of at least half the length; draws again when a draw can't be used."""
        makers: tuple[Callable[..., Song | None], ...] = (self.chart, self.pop909, self.drums)
        while True:
            song = makers[int(rng.choice(len(makers), p=SHARES))](rng, seconds)
            if song:
                return song

    def chart(self, rng: np.random.Generator, seconds: float, *, cadence: bool = False) -> Song | None:
        """Render an MMA accompaniment; with a ``cadence`` one whose chords leave no doubt of the key."""
        library = mma_styles.grooves()
        style = str(rng.choice(list(library)))
        lowest, highest = mma_styles.tempo_range(style.split("/")[1].lower()) or (90.0, 130.0)
        bpm = float(rng.uniform(lowest, highest))
        minor = bool(rng.random() < 0.55)
        tonic = int(rng.integers(12))
        known = [one for one in (MINOR if minor else MAJOR) if not cadence or _ends_somewhere(one)]
        progression = known[int(rng.integers(len(known)))]
        chords = [ROOTS[(tonic + degree) % 12] + kind for degree, kind in progression]
        names = [str(name) for name in rng.choice(library[style], size=2)]
        text = mma_styles.song_text(style, bpm=bpm, seconds=seconds + 6.0, chords=chords, names=names)
        midi = run_mma(text, seed=int(rng.integers(1 << 30)))
        if not (midi and _has_pitches(midi)):
            return None
        return _rendered(midi, rng, seconds, key=tonic + 12 * minor, kind=f"mma {style}")

    def pop909(self, rng: np.random.Generator, seconds: float) -> Song | None:
        """Render a stretch of a song of POP909, in any key, with other instruments, mostly with drums."""
        number = f"{int(rng.choice(self._numbers)):03d}"
        score = read_midi(self._pop.read(f"POP909/{number}/{number}.mid"))
        lines = self._pop.read(f"POP909/{number}/key_audio.txt").decode().split("\n")
        rows = [line.split() for line in lines if line.strip()]
        if len(rows) != 1 or score.bpm is None:  # a song that modulates has its own clock for it
            return None
        name, _, mode = rows[0][2].partition(":")
        shift = int(rng.integers(-6, 6))
        bpm = float(score.bpm * rng.uniform(0.85, 1.15))
        first = float(rng.uniform(0.0, max(0.0, score.beats - (seconds + 8.0) * bpm / 60.0)))
        song = Score(programs={channel: int(rng.choice(PROGRAMS)) for channel in range(4)})
        song.notes = [
            replace(note, start=note.start - first, pitch=min(127, max(0, note.pitch + shift)))
            for note in score.notes
            if note.start >= first and note.channel != DRUM_CHANNEL
        ]
        if rng.random() < 0.7:
            song.programs[DRUM_CHANNEL] = int(rng.choice(patterns.KITS))
            song.notes += _beat(rng, beats=(seconds + 6.0) * bpm / 60.0)
        key = (TONICS[name] + shift) % 12 + 12 * (mode == "min")
        return _rendered(write_midi(song, bpm=bpm), rng, seconds, key=key, kind=f"pop909 {number}")

    def drums(self, rng: np.random.Generator, seconds: float) -> Song | None:
        """Render drumming alone, which has no key."""
        bpm = float(rng.uniform(80.0, 170.0))
        song = Score(programs={DRUM_CHANNEL: int(rng.choice(patterns.KITS))})
        song.notes = _beat(rng, beats=(seconds + 6.0) * bpm / 60.0)
        return _rendered(write_midi(song, bpm=bpm), rng, seconds, key=NO_KEY, kind="drums")


def _ends_somewhere(progression: tuple[tuple[int, str], ...]) -> bool:
    """Tell whether a progression has a dominant, which leads to its tonic alone."""
    return any(degree == 7 and kind in ("M", "7") for degree, kind in progression)


def _has_pitches(midi: bytes) -> bool:
    """Tell whether more than drums play, which some grooves leave alone."""
    return any(note.channel != DRUM_CHANNEL for note in read_midi(midi).notes)


def _rendered(midi: bytes, rng: np.random.Generator, seconds: float, *, key: int, kind: str) -> Song | None:
    """Return a song from somewhere in its first seconds on; None if it is too short or silent."""
    sound = render(midi, rng)
    first = int(rng.uniform(0.0, 3.0) * PITCHES.sample_rate_hz)
    sound = sound[first : first + int(seconds * PITCHES.sample_rate_hz)]
    if len(sound) < seconds / 2.0 * PITCHES.sample_rate_hz or np.max(np.abs(sound)) < 1e-3:
        return None
    return Song(sound, key, kind)


def _beat(rng: np.random.Generator, *, beats: float) -> list[Note]:
    notes = patterns.compose(pick_style(rng, STYLES), rng, beats=beats).notes
    return [note for note in notes if note.channel == DRUM_CHANNEL]


def spoil(sound: F32, rng: np.random.Generator) -> F32:
    """Put a sound through a room and a microphone, mostly, and off pitch by up to a third of a semitone, at times."""
    if rng.random() < 0.4:
        ratio = 2.0 ** (rng.uniform(-0.35, 0.35) / 12.0)
        places = np.arange(0.0, len(sound) - 1.0, ratio)
        sound = np.interp(places, np.arange(len(sound)), sound).astype(np.float32)
    return effects.random_chain(sound, rng) if rng.random() < 0.6 else sound


def write_shard(shard: Shard, *, data: Path, split: str = "train") -> None:
    """Render the songs of a shard and write them whole or not at all."""
    composer, songs, frames = Composer(data, split=split), [], []
    for rng in shard.rngs():
        songs.append(composer.song(rng))
        frames.append(StreamingPitches().push(spoil(songs[-1].sound, rng)))
    keys, kinds = [song.key for song in songs], np.array([song.kind for song in songs])
    names = [f"{shard.number}.{index}" for index in range(shard.songs)]
    replace(pack(frames, keys, [split] * shard.songs, names, "generated"), kind=kinds).save(shard.target.name)
