"""Compose short scores in the styles of `training.music.styles`: drums, bass, chords and lead. Times are beats."""

from __future__ import annotations

import numpy as np

from training.music.midi import DRUM_CHANNEL, Note, Score
from training.music.styles import EIGHTHS, FOUR, NONE, OFFBEAT, Style

KICK, RIM, SNARE, CLAP, CLOSED_HAT, OPEN_HAT, CRASH, RIDE, TOM, COWBELL = 36, 37, 38, 39, 42, 46, 49, 51, 45, 56
BASS, CHORDS, LEAD, ARPEGGIO = 0, 1, 2, 3  # channels
KITS = (0, 0, 8, 16, 24, 25, 25, 26)
# Sounds of odd and even beats, and of an accented one.
METRONOMES = (
    (33, 33, 34),
    (37, 37, 37),
    (76, 77, 76),
    (75, 75, 76),
    (42, 42, 46),
    (36, 36, 36),
    (36, 38, 36),
    (36, 39, 36),
    (31, 31, 34),
)
MINOR, MAJOR = (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 5, 7, 9, 11)
PROGRESSIONS = (
    (0, 5, 2, 6),
    (0, 3, 4, 0),
    (0, 4, 5, 3),
    (5, 3, 0, 4),
    (0, 0, 3, 4),
    (0, 6, 5, 4),
    (0, 0, 0, 0),
    (3, 4, 2, 5),
)


def compose(style: Style, rng: np.random.Generator, *, beats: float) -> Score:
    """Return a score of ``style``, at least ``beats`` long, in sections that add and drop instruments."""
    song = Song(style, rng)
    bar = 0
    while bar * 4 < beats:
        bars = int(rng.choice([2, 4, 4, 8]))
        song.section(bar, bars)
        bar += bars
    return song.score


def metronome(rng: np.random.Generator, *, beats: float) -> Score:
    """Return one sound on every beat, or two in turn, some with an accent at the bar: a click, a drum, a plain beat."""
    channel, sounds, length = DRUM_CHANNEL, METRONOMES[int(rng.integers(len(METRONOMES)))], 0.2
    programs = {DRUM_CHANNEL: int(rng.choice(KITS))}
    if rng.random() < 0.35:
        pitch = int(rng.integers(67, 100))
        channel, sounds = 0, (pitch, pitch, pitch + int(rng.choice([0, 5, 7, 12])))
        programs, length = {0: int(rng.choice([80, 81, 115, 13, 12, 9, 112]))}, float(rng.choice([0.05, 0.1, 0.3]))
    bar = int(rng.choice([1, 2, 3, 4, 4, 4]))
    notes = []
    for beat in range(int(beats)):
        pitch = sounds[2] if bar > 1 and beat % bar == 0 else sounds[beat % 2]
        notes.append(Note(float(beat), length, channel, pitch, 110 if beat % bar == 0 else 96))
    return Score(notes=notes, programs=programs)


class Song:
    """One piece in the making: fixed key, kit, instruments, and chords."""

    def __init__(self, style: Style, rng: np.random.Generator) -> None:
        self.rng = rng
        self.style = style
        programs = {channel: int(rng.choice(choices)) for channel, choices in enumerate(style.programs)}
        self.score = Score(programs={**programs, DRUM_CHANNEL: int(rng.choice(KITS))})
        self.root = int(rng.integers(33, 45))
        self.scale = MINOR if rng.random() < 0.6 else MAJOR
        self.progression = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
        self.jitter_beats = float(rng.choice([0.0, 0.004, 0.015]))
        self.snare = int(rng.choice([SNARE, SNARE, 40, CLAP, RIM]))
        self.hat = int(rng.choice([CLOSED_HAT, CLOSED_HAT, RIDE, OPEN_HAT, 70]))

    def section(self, first_bar: int, bars: int, *, plays: tuple[bool, bool, bool, bool] | None = None) -> None:
        """Add bars, in which drums, bass, chords and lead play or rest: by chance, unless it is said."""
        rng, style = self.rng, self.style
        pattern = style.drums[int(rng.integers(len(style.drums)))]
        drawn = rng.random(4) < (0.88, 0.8, 0.6, 0.55)
        plays_drums, plays_bass, plays_chords, plays_lead = drawn if plays is None else plays
        parts = (rng.random(3) < (0.92, 0.92, 0.85)) | (plays is not None)
        drums = tuple(
            _vary(steps, rng) if part else NONE[: len(steps)] for steps, part in zip(pattern, parts, strict=True)
        )
        bass = style.bass[int(rng.integers(len(style.bass)))]
        chords = _vary(str(rng.choice([FOUR, "x...............", OFFBEAT, "x..x..x.........", EIGHTHS])), rng)
        lead = self._phrase(len(bass))
        for bar in range(first_bar, first_bar + bars):
            degree = self.progression[bar % len(self.progression)]
            if plays_drums:
                fill = bar == first_bar + bars - 1 and rng.random() < 0.4
                self._drums(bar, drums, fill=fill)
                if bar == first_bar and rng.random() < 0.5:
                    self._add(bar * 4.0, 2.0, DRUM_CHANNEL, CRASH, 100)
            if plays_bass or not (plays_drums or plays_chords):
                self._steps(bar, bass, BASS, [self._pitch(degree)], 100)
            if plays_chords:
                self._steps(bar, chords, CHORDS, [self._pitch(degree + third) + 24 for third in (0, 2, 4)], 75)
            if plays_lead:
                for step, length, offset in lead:
                    self._add(bar * 4.0 + step * 4.0 / len(bass), length, LEAD, self._pitch(degree + offset) + 36, 88)

    def _phrase(self, steps: int) -> list[tuple[int, float, int]]:
        """Return a bar of melody: step, length in beats, scale degree."""
        rng = self.rng
        density = rng.choice([0.15, 0.3, 0.5, 1.0])
        strong = np.where(np.arange(steps) % (steps // 4) == 0, 1.6, np.where(np.arange(steps) % 2 == 0, 1.2, 0.6))
        hits = np.flatnonzero(rng.random(steps) < density * strong)
        degrees = rng.integers(-2, 8, len(hits))
        return [(int(step), 3.0 / steps, int(degree)) for step, degree in zip(hits, degrees, strict=True)]

    def _drums(self, bar: int, drums: tuple[str, ...], *, fill: bool) -> None:
        voices = (KICK, self.snare, self.hat)
        for pattern, pitch, velocity in zip(drums, voices, (115, 108, 78), strict=True):
            last = len(pattern) // 2 if fill and pitch != self.hat else len(pattern)
            self._steps(bar, pattern[:last] + "." * (len(pattern) - last), DRUM_CHANNEL, [pitch], velocity)
        if fill:
            steps = len(drums[0])
            for step in range(steps * 3 // 4, steps):
                if self.rng.random() < 0.8:
                    pitch = int(self.rng.choice([self.snare, TOM, 47, 50]))
                    self._add(bar * 4.0 + step * 4.0 / steps, 0.2, DRUM_CHANNEL, pitch, 100)

    def _steps(self, bar: int, steps: str, channel: int, pitches: list[int], velocity: int) -> None:
        length = 4.0 / len(steps)
        for step, mark in enumerate(steps):
            if mark != "x":
                continue
            start = bar * 4.0 + step * length
            if len(steps) == 16 and step % 2:
                start += self.style.swing * length
            accent = 8 if step % (len(steps) // 4) == 0 else -6
            for pitch in pitches:
                self._add(start, length * 0.9, channel, pitch, velocity + accent)

    def _pitch(self, degree: int) -> int:
        octave, step = divmod(degree, 7)
        return self.root + 12 * octave + self.scale[step]

    def _add(self, start: float, length: float, channel: int, pitch: int, velocity: int) -> None:
        start += float(self.rng.normal(0.0, self.jitter_beats)) if self.jitter_beats else 0.0
        velocity += int(self.rng.integers(-6, 7))
        self.score.notes.append(
            Note(max(0.0, start), length, channel, int(np.clip(pitch, 20, 110)), int(np.clip(velocity, 20, 127)))
        )


def _vary(steps: str, rng: np.random.Generator) -> str:
    """Drop a few hits and add fewer, so that no two songs share a pattern."""
    drop, add = rng.uniform(0.0, 0.12), rng.uniform(0.0, 0.06)
    varied = []
    for step, mark in enumerate(steps):
        if mark == "x":
            varied.append("." if rng.random() < drop and step else "x")
        else:
            varied.append("x" if rng.random() < add and "x" in steps else ".")
    return "".join(varied)
