"""Compose short scores in metres other than 4/4, and in 4/4 as plainly: drums, bass, chords, lead. Times are beats.

The beat of a compound metre (6/8, 12/8) is its dotted quarter: what a listener taps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from training.music.midi import DRUM_CHANNEL, Note, Score
from training.music.patterns import (
    BASS,
    CHORDS,
    CLAP,
    CLOSED_HAT,
    CRASH,
    KICK,
    KITS,
    LEAD,
    MAJOR,
    MINOR,
    OPEN_HAT,
    PROGRESSIONS,
    RIDE,
    RIM,
    SNARE,
)

Hits = np.ndarray[Any, np.dtype[np.bool_]]  # whether something is heard on each step of a bar
SIXTEENTHS = 4  # steps a beat
BASSES, KEYS, LEADS = (32, 33, 34, 35, 38, 39, 43), (0, 4, 16, 24, 25, 27, 29, 48, 89), (40, 56, 65, 71, 73, 80, 81, 11)


@dataclass(frozen=True, slots=True)
class Metre:
    """A bar of ``beats``, each divided in ``division``; ``stressed`` are the beats that a backbeat may fall on."""

    name: str
    beats: int
    division: int
    stressed: tuple[tuple[int, ...], ...]
    lowest_bpm: float
    highest_bpm: float
    weight: float


METRES = (
    Metre("2/4", 2, SIXTEENTHS, ((1,), ()), 90, 140, 1.0),
    Metre("3/4", 3, SIXTEENTHS, ((1, 2), (2,), (1,), ()), 80, 190, 3.0),
    Metre("4/4", 4, SIXTEENTHS, ((1, 3), (2,), (3,), ()), 60, 180, 2.0),
    Metre("5/4", 5, SIXTEENTHS, ((3,), (1, 3), (2, 4), (4,)), 90, 190, 1.0),
    Metre("6/8", 2, 3, ((1,), (1,), ()), 40, 90, 2.0),
    Metre("7/4", 7, 2, ((2, 4, 6), (3,), (2, 5), (3, 6)), 110, 230, 0.6),
    Metre("12/8", 4, 3, ((1, 3), (2,), ()), 50, 140, 2.0),
    Metre("9/8", 3, 3, ((1, 2), (2,), ()), 60, 110, 0.3),
)


def pick(rng: np.random.Generator) -> Metre:
    """Draw a metre by its weight."""
    weights = np.array([metre.weight for metre in METRES])
    return METRES[int(rng.choice(len(METRES), p=weights / weights.sum()))]


def compose(metre: Metre, rng: np.random.Generator, *, beats: float) -> Score:
    """Return a score in ``metre``, at least ``beats`` long, in sections that add and drop instruments."""
    song = _Song(metre, rng)
    bar = 0
    while bar * metre.beats < beats:
        bars = int(rng.choice([4, 4, 8]))
        song.section(bar, bars)
        bar += bars
    return song.score


@dataclass(frozen=True, slots=True)
class _Groove:
    """On which steps of a bar each is heard."""

    kick: list[int]
    snare: list[int]
    hat: list[int]
    bass: list[int]
    chords: list[int]


class _Song:
    """One piece in the making: fixed key, kit, instruments, chords and grooves."""

    def __init__(self, metre: Metre, rng: np.random.Generator) -> None:
        self.rng, self.metre = rng, metre
        self.steps = metre.beats * metre.division
        programs = {BASS: BASSES, CHORDS: KEYS, LEAD: LEADS}
        self.score = Score(programs={channel: int(rng.choice(some)) for channel, some in programs.items()})
        self.score.programs[DRUM_CHANNEL] = int(rng.choice(KITS))
        self.root = int(rng.integers(33, 45))
        self.scale = MINOR if rng.random() < 0.5 else MAJOR
        self.progression = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
        self.bars_a_chord = int(rng.choice([1, 1, 2]))
        self.jitter_beats = float(rng.choice([0.0, 0.004, 0.012]))
        self.swing = float(rng.uniform(0.1, 0.33)) if metre.division == 4 and rng.random() < 0.2 else 0.0
        self.snare = int(rng.choice([SNARE, SNARE, 40, CLAP, RIM]))
        self.hat = int(rng.choice([CLOSED_HAT, CLOSED_HAT, RIDE, OPEN_HAT, 70]))
        self.grooves = [self._groove() for _ in range(2)]

    def section(self, first_bar: int, bars: int) -> None:
        """Write ``bars`` bars in which the same instruments play the same groove."""
        rng = self.rng
        groove = self.grooves[int(rng.random() < 0.35)]
        drums, bass, chords, lead = rng.random(4) < (0.88, 0.85, 0.65, 0.5)
        drums = drums or not (bass or chords)
        tune = [(int(step), int(rng.integers(-2, 8))) for step in np.flatnonzero(rng.random(self.steps) < 0.3)]
        for bar in range(first_bar, first_bar + bars):
            degree = self.progression[bar // self.bars_a_chord % len(self.progression)]
            if drums:
                self._drums(bar, groove, first=bar == first_bar, last=bar == first_bar + bars - 1)
            if bass:
                self._play(
                    bar, [(step, int(rng.choice([0, 0, 4, 7, 2])) if step else 0) for step in groove.bass], BASS, degree
                )
            if chords:
                self._play(bar, [(step, third) for step in groove.chords for third in (0, 2, 4)], CHORDS, degree)
            if lead:
                self._play(bar, tune, LEAD, degree)

    def _drums(self, bar: int, groove: _Groove, *, first: bool, last: bool) -> None:
        """Write a bar of drums; the last of a section may end in a fill, the first begin with a crash."""
        fills = last and self.rng.random() < 0.4
        snare = [step for step in range(self.steps * 2 // 3, self.steps) if self.rng.random() < 0.7]
        for hits, pitch, velocity in (
            (groove.kick, KICK, 112),
            (snare if fills else groove.snare, self.snare, 106),
            (groove.hat, self.hat, 78),
            ([0] if first and self.rng.random() < 0.4 else [], CRASH, 92),
        ):
            for step in hits:
                self._note(bar, int(step), DRUM_CHANNEL, pitch, velocity)

    def _play(self, bar: int, notes: list[tuple[int, int]], channel: int, degree: int) -> None:
        """Write notes of a bar, each a step and an interval above ``degree`` of the scale."""
        octaves, velocity = {BASS: (0, 100), CHORDS: (24, 74), LEAD: (36, 86)}[channel]
        for step, interval in notes:
            self._note(bar, step, channel, self._pitch(degree + interval) + octaves, velocity)

    def _groove(self) -> _Groove:
        """Draw what is played in every bar."""
        rng, metre, steps = self.rng, self.metre, np.arange(self.steps)
        on_beat = steps % metre.division == 0
        backbeats = metre.stressed[int(rng.integers(len(metre.stressed)))]
        snare = np.isin(steps, [beat * metre.division for beat in backbeats]) | (rng.random(self.steps) < 0.03)
        loose = np.where(on_beat, 0.25, np.where(steps % 2 == 0, 0.12, 0.04))
        kick = (rng.random(self.steps) < loose) & ~snare
        bass = rng.random(self.steps) < np.where(on_beat, 0.5, 0.18)
        kick[0], bass[0] = rng.random(2) < 0.93
        every = int(rng.choice([1, 1, metre.division] if metre.division < SIXTEENTHS else [1, 2, 2, 4]))
        hat = steps % every == 0
        if metre.division == SIXTEENTHS and rng.random() < 0.15:
            hat = steps % SIXTEENTHS == SIXTEENTHS // 2
        found = (kick, snare, hat, bass, self._chords(on_beat))
        return _Groove(*([int(step) for step in np.flatnonzero(hits)] for hits in found))

    def _chords(self, on_beat: Hits) -> Hits:
        """Draw where chords begin: at the bar, on the beats after it (oom-pah), broken, or anywhere."""
        steps, style = np.arange(self.steps), self.rng.random()
        if style < 0.3:
            return np.asarray(steps == 0)
        if style < 0.5:
            return np.asarray(on_beat & (steps > 0))
        if style < 0.6:
            return np.asarray(steps % (1 if self.metre.division < SIXTEENTHS else 2) == 0)
        return np.asarray(self.rng.random(self.steps) < np.where(on_beat, 0.5, 0.15))

    def _note(self, bar: int, step: int, channel: int, pitch: int, velocity: int) -> None:
        """Add a note at a step of a bar, louder on the beat and on the first of the bar."""
        division = self.metre.division
        late = self.swing if division == SIXTEENTHS and step % 2 else 0.0
        start = bar * self.metre.beats + (step + late) / division + float(self.rng.normal(0.0, self.jitter_beats))
        velocity += int(self.rng.integers(-7, 8)) + (8 if step == 0 else (3 if step % division == 0 else -8))
        self.score.notes.append(
            Note(
                max(0.0, start), 1.3 / division, channel, int(np.clip(pitch, 20, 110)), int(np.clip(velocity, 20, 127))
            )
        )

    def _pitch(self, degree: int) -> int:
        octave, step = divmod(degree, 7)
        return self.root + 12 * octave + self.scale[step]
