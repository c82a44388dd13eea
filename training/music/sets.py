"""Sets of dance music whose build-ups, drops and breakdowns are known, and songs that have none. 22 050 Hz, mono.

Scores in the styles of `patterns` are played by FluidSynth; noise that rises, filters that open and pauses before a
drop are laid on here. Seeded: a set is the same each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from stream_analyzer.analysis.features import SPEC
from training.music import effects, patterns
from training.music.midi import DRUM_CHANNEL, Note, write_midi
from training.music.styles import STYLES
from training.music.synth import render

if TYPE_CHECKING:
    from stream_analyzer.types import F32, F64

RATE_HZ = SPEC.sample_rate_hz
DANCE = ("house", "techno", "trance", "hardcore", "drum_and_bass", "breakbeat", "dubstep", "disco")
BEATS = 4  # a bar
LEVEL = 0.1  # root mean square of a track
ALL, DRUMS = (True, True, True, True), (True, False, False, False)  # drums, bass, chords, lead
QUIET, CHORDS = (False, False, True, True), (False, False, True, False)
_GRAIN = 1024  # samples of a piece of sound that a moving filter takes at once

What = Literal["build_up", "drop", "breakdown"]


@dataclass(frozen=True, slots=True)
class Turn:
    """Where the music turns: a build-up or a breakdown begins, or a drop falls."""

    what: What
    at_s: float


@dataclass(frozen=True, slots=True)
class Track:
    """Sound, and its turns in order."""

    sound: F32
    turns: tuple[Turn, ...]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.sound) / RATE_HZ


def dance_track(rng: np.random.Generator) -> Track:
    """Return a track with two drops: groove, breakdown, build-up, drop, and once more from the breakdown on."""
    dance = [style for style in STYLES if style.name in DANCE]
    style = dance[int(rng.integers(len(dance)))]
    bpm = float(rng.uniform(style.lowest_bpm, min(style.highest_bpm, 175.0)))
    song = patterns.Song(style, rng)
    song.score.programs[patterns.CHORDS] = int(rng.choice([48, 50, 81, 89, 90, 95]))
    bar = int(rng.choice([4, 8]))
    song.section(0, bar, plays=DRUMS)
    turns: list[Turn] = []
    builds: list[_Build] = []
    for groove in (int(rng.choice([8, 16])), 16):
        song.section(bar, groove, plays=ALL)
        bar += groove
        turns.append(Turn("breakdown", _seconds(bar, bpm)))
        quiet = int(rng.choice([4, 8]))
        song.section(bar, quiet, plays=QUIET if rng.random() < 0.6 else CHORDS)
        bar += quiet
        build = _Build.drawn(rng, first_bar=bar, bpm=bpm)
        turns.append(Turn("build_up", _seconds(bar, bpm)))
        song.section(bar, build.bars, plays=CHORDS if rng.random() < 0.6 else QUIET)
        build.write(song, rng)
        builds.append(build)
        bar += build.bars
        turns.append(Turn("drop", _seconds(bar, bpm)))
        if rng.random() < 0.7:
            song.score.notes.append(Note(bar * BEATS, 2.0, DRUM_CHANNEL, patterns.CRASH, 115))
    song.section(bar, 16, plays=ALL)
    song.section(bar + 16, 4, plays=DRUMS)
    sound = _levelled(render(write_midi(song.score, bpm=bpm), rng), seconds=_seconds(bar + 20, bpm))
    for build in builds:
        build.shape(sound, rng)
    return Track(_limited(sound), tuple(turns))


def plain_song(rng: np.random.Generator) -> Track:
    """Return a song of any style that begins with chords alone or with all, and has fills but no drop."""
    style = STYLES[int(rng.integers(len(STYLES)))]
    bpm = float(rng.uniform(style.lowest_bpm, style.highest_bpm))
    song = patterns.Song(style, rng)
    bar = 0
    if rng.random() < 0.5:
        bar = 4
        song.section(0, bar, plays=CHORDS)
    while _seconds(bar, bpm) < 75.0:
        song.section(bar, 8, plays=(True, True, bool(rng.random() < 0.7), bool(rng.random() < 0.6)))
        bar += 8
    sound = _levelled(render(write_midi(song.score, bpm=bpm), rng), seconds=_seconds(bar, bpm))
    return Track(_limited(sound), ())


def mixed(tracks: list[Track], rng: np.random.Generator) -> Track:
    """Play tracks one after another, cut or faded into each other within 4 s."""
    sounds, turns, at = [tracks[0].sound], list(tracks[0].turns), len(tracks[0].sound)
    for track in tracks[1:]:
        fade = round(float(rng.choice([0.0, 4.0])) * RATE_HZ)
        sound = track.sound.copy()
        if fade:
            ramp = np.sin(np.linspace(0.0, np.pi / 2.0, fade, dtype=np.float32))
            sound[:fade] = sound[:fade] * ramp + sounds[-1][-fade:] * ramp[::-1]
            sounds[-1] = sounds[-1][:-fade]
        at -= fade
        turns += [Turn(turn.what, turn.at_s + at / RATE_HZ) for turn in track.turns]
        sounds.append(sound)
        at += len(sound)
    return Track(np.concatenate(sounds), tuple(turns))


@dataclass(frozen=True, slots=True)
class _Build:
    """A build-up: drums that roll ever faster, noise that rises, a filter that opens, silence before the drop."""

    first_bar: int
    bars: int
    bpm: float
    rolls: bool
    rises: bool
    filters: Literal["high", "low", ""]
    pause_beats: float

    @classmethod
    def drawn(cls, rng: np.random.Generator, *, first_bar: int, bpm: float) -> _Build:
        rolls, rises = rng.random(2) < (0.75, 0.7)
        return cls(
            first_bar,
            int(rng.choice([4, 8, 8])),
            bpm,
            rolls=bool(rolls or not rises),
            rises=bool(rises),
            filters=rng.choice(["high", "low", ""]),
            pause_beats=float(rng.choice([0.0, 0.0, 0.5, 1.0, 2.0])),
        )

    def write(self, song: patterns.Song, rng: np.random.Generator) -> None:
        """Add the drums: a beat at first perhaps, and a roll of quarters, eighths, sixteenths and shorter notes."""
        first, beats = self.first_bar * BEATS, self.bars * BEATS
        if rng.random() < 0.4:
            song.score.notes += [
                Note(first + beat, 0.2, DRUM_CHANNEL, patterns.KICK, 105) for beat in range(beats * 3 // 4)
            ]
        if self.rolls:
            pitch = int(rng.choice([patterns.SNARE, 40, patterns.CLAP]))
            at = 0.0
            while at < beats:
                velocity = int(60 + 55 * at / beats)
                song.score.notes.append(Note(first + at, 0.1, DRUM_CHANNEL, pitch, velocity))
                at += (1.0, 0.5, 0.25, 0.125)[int(4.0 * at / beats)]

    def shape(self, sound: F32, rng: np.random.Generator) -> None:
        """Lay noise and filters on, in place."""
        first, last = (round(_seconds(bar, self.bpm) * RATE_HZ) for bar in (self.first_bar, self.first_bar + self.bars))
        if self.filters:
            corners_hz = (30.0, 700.0) if self.filters == "high" else (300.0, 9_000.0)
            sound[first:last] = _swept(sound[first:last], *corners_hz, kind=self.filters)
        if self.rises:
            hiss = _swept(rng.normal(0.0, 1.0, last - first).astype(np.float32), 400.0, 8_000.0, kind="band")
            swell = np.linspace(0.0, 1.0, last - first, dtype=np.float32) ** 2
            loud = float(rng.uniform(0.5, 1.2)) * LEVEL / float(np.sqrt(np.mean(hiss**2)))
            sound[first:last] += loud * swell * hiss
        if pause := round(self.pause_beats * 60.0 / self.bpm * RATE_HZ):
            ramp = min(pause, 400)
            sound[last - pause : last] *= np.pad(np.linspace(1.0, 0.0, ramp, dtype=np.float32), (0, pause - ramp))


def _swept(sound: F32, first_hz: float, last_hz: float, *, kind: Literal["high", "low", "band"]) -> F32:
    """Return a sound through a filter whose corner moves from one frequency to another."""
    hop = _GRAIN // 2
    count = len(sound) // hop + 2
    padded = np.pad(sound, (hop, (count + 1) * hop - len(sound)))
    grains = np.lib.stride_tricks.sliding_window_view(padded, _GRAIN)[::hop][:count]
    window = np.hanning(_GRAIN + 1)[:-1]
    corner_hz = first_hz * (last_hz / first_hz) ** np.linspace(0.0, 1.0, count)[:, None]
    bins_hz = np.fft.rfftfreq(_GRAIN, 1.0 / RATE_HZ)
    filtered = np.fft.irfft(np.fft.rfft(grains * window, axis=1) * _gain(bins_hz / corner_hz, kind), axis=1)
    whole = np.zeros((count + 1) * hop)
    for index, grain in enumerate(filtered):
        whole[index * hop : index * hop + _GRAIN] += grain
    return np.asarray(whole[hop : hop + len(sound)], np.float32)


def _gain(ratio: F64, kind: Literal["high", "low", "band"]) -> F64:
    """Return a filter's gain at a frequency of so many times its corner."""
    power = np.asarray(ratio**4)
    low = 1.0 / np.sqrt(1.0 + power)
    high = np.sqrt(power / (1.0 + power))
    return {"low": low, "high": high, "band": low * high}[kind]


def _levelled(sound: F32, *, seconds: float) -> F32:
    length = round(seconds * RATE_HZ)
    whole = np.pad(sound, (0, max(0, length - len(sound))))[:length]
    return np.asarray(whole * (LEVEL / max(float(np.sqrt(np.mean(whole**2))), 1e-6)), np.float32)


def _limited(sound: F32) -> F32:
    """Round peaks off, as a master does."""
    return np.asarray(0.9 * np.tanh(1.5 * effects.high_pass(sound, hz=25.0) / 0.9), np.float32)


def _seconds(bar: int, bpm: float) -> float:
    return bar * BEATS * 60.0 / bpm
