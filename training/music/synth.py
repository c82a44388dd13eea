"""Songs of exactly known tempo, rendered and kept as log-mel: what ``training.prepare music --known tempo`` writes.

Kinds: MMA accompaniments, scores of `patterns` and of `metres`, Groove MIDI drumming (train split), POP909 with drums
laid on. A shard holds log-mel bytes, 25 frames a second.
"""

from __future__ import annotations

import csv
import io
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from training.data.dataset import to_bytes
from training.music import effects, metres, mma_styles, patterns
from training.music.midi import DRUM_CHANNEL, Note, Score, read_midi, write_midi
from training.music.styles import GAME_STYLES, STYLES, pick_style

if TYPE_CHECKING:
    from stream_analyzer.types import F32, U8
    from training.music.shards import Shard

CLIP_S = 30.0
EVERY = 2  # stored: every second frame of the 50 a second
CLIPS_PER_SHARD = 48
BEATS_IN_BAR = 4  # of what has no other metre
# Shares of MMA, patterns, Groove MIDI, POP909, metronomes and other metres in a group.
SHARES = {
    "all": (0.38, 0.38, 0.12, 0.12, 0.0, 0.0),
    "game": (0.0, 1.0, 0.0, 0.0, 0.0, 0.0),
    "pulse": (0.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    "metre": (0.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    "beat": (0.28, 0.18, 0.12, 0.14, 0.0, 0.28),
}
# How often each sound font plays; the last one is compressed and costs seconds to open.
SOUND_FONTS = {
    "/usr/share/sounds/sf2/FluidR3_GM.sf2": 0.5,
    "/usr/share/sounds/sf2/TimGM6mb.sf2": 0.42,
    "/usr/share/sounds/sf3/MuseScore_General_Lite.sf3": 0.08,
}
ROOTS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
# Chords as degrees in semitones above the key, and kinds.
PROGRESSIONS = (
    ((0, "M"), (7, "M"), (9, "m"), (5, "M")),
    ((0, "M"), (5, "M"), (7, "7"), (0, "M")),
    ((2, "m7"), (7, "7"), (0, "M7"), (0, "M7")),
    ((0, "m"), (8, "M"), (3, "M"), (10, "M")),
    ((0, "m"), (5, "m"), (7, "7"), (0, "m")),
    ((0, "7"), (0, "7"), (5, "7"), (0, "7")),
    ((0, "M"), (9, "m"), (2, "m"), (7, "7")),
    ((0, "m7"), (10, "M"), (8, "M7"), (7, "7")),
)


@dataclass(frozen=True, slots=True)
class Clip:
    """A rendered song: log-mel bytes uint8 [frames, 128], its tempo, what it is, and whether effects were applied."""

    level: U8
    bpm: float
    kind: str
    clean: bool


@dataclass(frozen=True, slots=True)
class Song:
    """A MIDI file at ``bpm``; its bars of ``beats_in_bar`` begin at ``downbeat`` (in beats) and every bar from there.

    ``beats_in_bar`` is 0 where nobody says which beats begin a bar.
    """

    midi: bytes
    bpm: float
    kind: str
    downbeat: float = 0.0
    beats_in_bar: int = 4


@dataclass(frozen=True, slots=True)
class Recording:
    """A song as sound, mono float32 at 22 050 Hz, from ``start_s`` of its score on; whether effects were applied."""

    sound: F32
    song: Song
    start_s: float
    clean: bool


class Renderer:
    """Composes and renders clips; opens the MIDI collections once."""

    def __init__(self, data: Path, *, group: str = "all") -> None:
        """Read the MIDI archives under ``data / "midi"``; ``group`` says what to compose."""
        self._group = group
        self._groove = zipfile.ZipFile(data / "midi" / "groove_midi.zip")
        self._pop = zipfile.ZipFile(data / "midi" / "pop909.zip")
        with self._groove.open("groove/info.csv") as file:
            rows = list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8")))
        self._performances = [
            (row["midi_filename"], float(row["bpm"]), row["style"].split("/")[0])
            for row in rows
            if row["split"] == "train" and row["time_signature"] == "4-4" and float(row["duration"]) >= 10.0
        ]

    def clip(self, rng: np.random.Generator) -> Clip:
        """Compose, render and analyse one clip."""
        recording = self.record(rng)
        frames = StreamingLogMel().push(recording.sound)[::EVERY]
        return Clip(to_bytes(frames), recording.song.bpm, recording.song.kind, recording.clean)

    def record(self, rng: np.random.Generator, *, clean: float = 0.4) -> Recording:
        """Compose and render one song, the share ``clean`` of them without effects; draw again what can't be used."""
        makers = (self._mma, self._pattern, self._drumming, self._pop909, _metronome, _metre)
        while True:
            song = makers[int(rng.choice(len(makers), p=SHARES[self._group]))](rng)
            if song is None:
                continue
            sound = render(song.midi, rng)
            start = int(rng.uniform(0.0, 4.0) * SPEC.sample_rate_hz)
            if song.kind.startswith("pattern") and rng.random() < 0.4:
                sound = effects.pump(sound, rng, bpm=song.bpm)
            sound = sound[start : start + int(CLIP_S * SPEC.sample_rate_hz) + SPEC.n_fft]
            if len(sound) < 12 * SPEC.sample_rate_hz or np.max(np.abs(sound)) < 1e-3:
                continue
            untouched = bool(rng.random() < clean)
            if not untouched:
                sound = effects.random_chain(sound, rng)
            return Recording(sound.astype(np.float32), song, start / SPEC.sample_rate_hz, untouched)

    def _mma(self, rng: np.random.Generator) -> Song | None:
        library = mma_styles.grooves()
        style = str(rng.choice(list(library)))
        lowest, highest = mma_styles.tempo_range(style.split("/")[1].lower()) or (90.0, 130.0)
        bpm = float(rng.uniform(lowest, highest))
        key = int(rng.integers(12))
        progression = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
        chords = [ROOTS[(key + degree) % 12] + kind for degree, kind in progression]
        names = [str(name) for name in rng.choice(library[style], size=2)]
        text = mma_styles.song_text(style, bpm=bpm, seconds=CLIP_S + 6.0, chords=chords, names=names)
        midi = run_mma(text, seed=int(rng.integers(1 << 30)))
        return Song(midi, bpm, f"mma {style}", beats_in_bar=mma_styles.beats_in_bar(style)) if midi else None

    def _pattern(self, rng: np.random.Generator) -> Song:
        style = pick_style(rng, GAME_STYLES if self._group == "game" else STYLES)
        bpm = float(rng.uniform(style.lowest_bpm, style.highest_bpm))
        score = patterns.compose(style, rng, beats=(CLIP_S + 6.0) * bpm / 60.0)
        return Song(write_midi(score, bpm=bpm), bpm, f"pattern {style.name}")

    def _drumming(self, rng: np.random.Generator) -> Song:
        name, played_bpm, style = self._performances[int(rng.integers(len(self._performances)))]
        score = read_midi(self._groove.read(f"groove/{name}"))
        if score.bpm is None or abs(score.bpm / played_bpm - 1.0) > 0.01:
            score.bpm = played_bpm
        first = float(rng.uniform(0.0, max(0.0, score.beats - 40.0 * played_bpm / 60.0)))
        notes = [replace(note, start=note.start - first) for note in score.notes if note.start >= first]
        bpm = float(played_bpm * rng.uniform(0.9, 1.1))
        drums = Score(notes=notes, programs={DRUM_CHANNEL: int(rng.choice([0, 8, 16, 24, 25, 32, 40]))})
        if rng.random() < 0.4:
            band = patterns.compose(pick_style(rng), rng, beats=CLIP_S * bpm / 60.0)
            bar = -first % BEATS_IN_BAR
            drums.notes += [
                replace(note, start=note.start + bar) for note in band.notes if note.channel != DRUM_CHANNEL
            ]
            drums.programs |= {
                channel: program for channel, program in band.programs.items() if channel != DRUM_CHANNEL
            }
        return Song(write_midi(drums, bpm=bpm), bpm, f"groove {style}", downbeat=-first)

    def _pop909(self, rng: np.random.Generator) -> Song | None:
        number = f"{int(rng.integers(1, 910)):03d}"
        score = read_midi(self._pop.read(f"POP909/{number}/{number}.mid"))
        text = self._pop.read(f"POP909/{number}/beat_midi.txt").decode()
        beats = np.array([[float(value) for value in line.split()] for line in text.splitlines() if line.strip()])
        intervals = np.diff(beats[:, 0])
        if score.bpm is None or intervals.std() > 0.01 * intervals.mean():
            return None
        beat_bpm = 60.0 / float(np.median(intervals))
        if abs(beat_bpm / score.bpm - 1.0) > 0.005:
            return None
        bpm = float(beat_bpm * rng.uniform(0.9, 1.12))
        downbeats = beats[beats[:, -1] > 0.5, 0] if beats.shape[1] > 1 else beats[:, 0]
        bars = np.diff(np.flatnonzero(beats[:, -1] > 0.5))
        offset = float(downbeats[0]) * score.bpm / 60.0
        first = float(rng.uniform(0.0, max(0.0, score.beats - 45.0 * bpm / 60.0)))
        song = Score(programs={channel: int(rng.choice([0, 4, 24, 25, 48, 73, 80, 11])) for channel in range(4)})
        if rng.random() < 0.75:
            song.programs[DRUM_CHANNEL] = int(rng.choice(patterns.KITS))
            song.notes += _pop_drums(rng, offset=offset, beats=score.beats)
        song.notes += [note for note in score.notes if note.channel != DRUM_CHANNEL]
        song.notes = [replace(note, start=note.start - first) for note in song.notes if note.start >= first]
        regular = len(bars) > 0 and bool((bars == BEATS_IN_BAR).all())
        bar = BEATS_IN_BAR if regular else 0
        return Song(write_midi(song, bpm=bpm), bpm, "pop909", downbeat=offset - first, beats_in_bar=bar)


def _metronome(rng: np.random.Generator) -> Song:
    bpm = float(np.exp(rng.uniform(np.log(42.0), np.log(215.0))))
    score = patterns.metronome(rng, beats=(CLIP_S + 6.0) * bpm / 60.0)
    return Song(write_midi(score, bpm=bpm), bpm, "pulse", beats_in_bar=0)


def _metre(rng: np.random.Generator) -> Song:
    metre = metres.pick(rng)
    bpm = float(rng.uniform(metre.lowest_bpm, metre.highest_bpm))
    score = metres.compose(metre, rng, beats=(CLIP_S + 6.0) * bpm / 60.0)
    return Song(write_midi(score, bpm=bpm), bpm, f"metre {metre.name}", beats_in_bar=metre.beats)


def _pop_drums(rng: np.random.Generator, *, offset: float, beats: float) -> list[Note]:
    usable = [style for style in STYLES if style.name in ("rock", "soul", "ballad", "hip_hop", "disco", "j_pop")]
    style = usable[int(rng.integers(len(usable)))]
    drums = patterns.compose(style, rng, beats=beats)
    return [replace(note, start=note.start + offset) for note in drums.notes if note.channel == DRUM_CHANNEL]


def run_mma(text: str, *, seed: int) -> bytes:
    """Return the MIDI file that MMA makes of ``text``; empty if it refuses."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "song.mma", Path(folder) / "song.mid"
        source.write_text(f"RndSeed {seed}\n{text}", encoding="ascii")
        subprocess.run(["mma", "-f", str(target), str(source)], capture_output=True, check=False)
        return target.read_bytes() if target.exists() else b""


def render(midi: bytes, rng: np.random.Generator) -> F32:
    """Return mono float32 sound at 22 050 Hz of a MIDI file played by fluidsynth with a random sound font and room."""
    room = ("1", "1") if rng.random() < 0.5 else ("0", "0")
    font = str(rng.choice(list(SOUND_FONTS), p=list(SOUND_FONTS.values())))
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "song.mid", Path(folder) / "song.wav"
        source.write_bytes(midi)
        command = ["fluidsynth", "-niq", "-F", str(target), "-r", str(SPEC.sample_rate_hz), "-g", "0.5"]
        command += ["-R", room[0], "-C", room[1], font, str(source)]
        subprocess.run(command, capture_output=True, check=True)
        sound, _ = soundfile.read(target, dtype="float32", always_2d=True)
    return np.asarray(sound.mean(axis=1), np.float32)


def write_shard(shard: Shard, *, data: Path, group: str = "all") -> None:
    """Render the songs of a shard and write them whole or not at all."""
    renderer = Renderer(data, group=group)
    clips = [renderer.clip(rng) for rng in shard.rngs()]
    frames = int(CLIP_S * SPEC.frames_per_second / EVERY)
    levels = np.zeros((len(clips), frames, SPEC.n_mels), np.uint8)
    length = np.array([min(frames, len(clip.level)) for clip in clips])
    for row, clip in zip(levels, clips, strict=True):
        row[: len(clip.level)] = clip.level[:frames]
    with shard.target.writing() as file:
        np.savez(
            file,
            level=levels,
            length=length,
            bpm=np.array([clip.bpm for clip in clips], np.float32),
            kind=np.array([clip.kind for clip in clips]),
            clean=np.array([clip.clean for clip in clips]),
            feature=np.array(SPEC.digest),
        )
