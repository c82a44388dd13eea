"""Sounds that are no music, made here: hum, tones, noise, fans, applause, talk, the run-out groove of a record.

Each maker takes a length in samples, a rate and a generator of random numbers, and returns mono float64 [samples] of
any level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.genre.rooms import band_gain, crowd, from_db, shaped, tail, through_a_room, unit

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_analyzer.types import F32, F64

    Maker = Callable[[int, int, np.random.Generator], F64]

GROOVE_S = (60.0 / 100.0 * 3.0, 60.0 / 45.0)  # one turn at 33 1/3 and at 45 turns a minute


def hum(size: int, rate_hz: int, rng: np.random.Generator) -> F64:
    """Return the hum of a bad cable or a transformer: harmonics of 50 or 60 Hz over a little hiss."""
    time_s, mains_hz = np.arange(size) / rate_hz, rng.choice((50.0, 60.0))
    orders = np.arange(1, int(rng.integers(2, 30)))
    gains = rng.uniform(0.1, 1.0, len(orders)) / orders ** rng.uniform(0.3, 2.0)
    gains[1::2] *= rng.choice((1.0, 0.1))
    parts = np.sin(2.0 * np.pi * mains_hz * orders[:, None] * time_s + rng.uniform(0.0, 6.3, (len(orders), 1)))
    return unit(gains @ parts) + unit(crowd(size, rate_hz, rng)) * from_db(-rng.uniform(10.0, 70.0))


def tones(size: int, rate_hz: int, rng: np.random.Generator) -> F64:
    """Return one to three steady, gliding or beeping tones, as of a test signal, an alarm or feedback."""
    time_s, total = np.arange(size) / rate_hz, np.zeros(size)
    for _ in range(int(rng.integers(1, 4))):
        hz = np.exp(rng.uniform(np.log(60.0), np.log(0.45 * rate_hz)))
        glide = rng.choice((0.0, 0.0, 0.0, rng.uniform(-0.05, 0.05)))
        wave = np.sin(2.0 * np.pi * hz * time_s * (1.0 + 0.5 * glide * time_s / 10.0))
        total += np.tanh(wave * rng.choice((0.2, 3.0))) * rng.uniform(0.2, 1.0)
    if rng.random() < 0.3:
        total *= (time_s % rng.uniform(0.2, 2.0)) < rng.uniform(0.1, 1.0)
    return total + unit(crowd(size, rate_hz, rng)) * from_db(-rng.uniform(20.0, 80.0))


def noise(size: int, rate_hz: int, rng: np.random.Generator) -> F64:
    """Return noise from white to brown, often behind a low-pass or in a band, steady or swelling."""
    slope = rng.uniform(0.0, 2.0)
    sound = shaped(rng.standard_normal(size), rate_hz, lambda hz: np.maximum(hz, 20.0) ** (-0.5 * slope))
    low_hz, high_hz = np.exp(rng.uniform(np.log([5.0, 150.0]), np.log([400.0, 12_000.0])))
    order = int(rng.integers(1, 9))
    sound = shaped(sound, rate_hz, lambda hz: band_gain(hz, low_hz=low_hz, high_hz=high_hz, order=order))
    return unit(sound) * _swell(size, rate_hz, rng, depth=rng.choice((0.0, rng.uniform(0.0, 1.0))))


def fan(size: int, rate_hz: int, rng: np.random.Generator) -> F64:
    """Return a fan or an engine: noise that its blades modulate, and their tones."""
    time_s, blades_hz = np.arange(size) / rate_hz, np.exp(rng.uniform(np.log(8.0), np.log(300.0)))
    phase = 2.0 * np.pi * blades_hz * (time_s + 0.02 * np.sin(2.0 * np.pi * rng.uniform(0.05, 0.5) * time_s))
    air = noise(size, rate_hz, rng) * (1.0 + rng.uniform(0.0, 0.9) * np.sin(phase))
    orders = np.arange(1, 8)
    parts = (rng.uniform(0.0, 1.0, 7) / orders) @ np.sin(orders[:, None] * phase)
    return unit(air) + unit(parts) * from_db(rng.uniform(-30.0, 3.0))


def applause(size: int, rate_hz: int, rng: np.random.Generator) -> F64:
    """Return claps at random, from a few people to a hall; at times some people cheer."""
    length = int(0.03 * rate_hz)
    clap_s = np.arange(length) / rate_hz
    hits = np.zeros(size)
    count = int(size / rate_hz * np.exp(rng.uniform(np.log(5.0), np.log(1500.0))))
    np.add.at(hits, rng.integers(0, size, count), rng.uniform(0.1, 1.0, count) * rng.choice((-1.0, 1.0), count))
    clap = np.diff(rng.standard_normal(length), prepend=0.0) * np.exp(-rng.uniform(60.0, 250.0) * clap_s)
    padded = np.convolve(hits, clap)[:size] + 0.3 * np.convolve(hits, np.roll(clap, length // 3))[:size]
    low_hz, high_hz = rng.uniform(200.0, 900.0), rng.uniform(2500.0, 7000.0)
    padded = shaped(padded, rate_hz, lambda hz: band_gain(hz, low_hz=low_hz, high_hz=high_hz, order=1))
    return unit(padded) + unit(talk(size, rate_hz, rng)) * from_db(-rng.uniform(6.0, 50.0))


def talk(size: int, rate_hz: int, rng: np.random.Generator) -> F64:
    """Return something like speech: buzzing vowels and hissing consonants in words with pauses."""
    total, at = np.zeros(size), int(rng.uniform(0.0, 0.5) * rate_hz)
    pitch_hz = np.exp(rng.uniform(np.log(80.0), np.log(280.0)))
    pause_s = rng.uniform(0.1, 1.0)
    while at < size:
        for _ in range(int(rng.integers(2, 10))):
            syllable = _syllable(rate_hz, rng, pitch_hz=pitch_hz * np.exp(rng.normal(0.0, 0.12)))
            end = min(size, at + len(syllable))
            if at < end:
                total[at:end] += syllable[: end - at]
            at = end + int(rng.uniform(0.0, 0.08) * rate_hz)
        at += int(rng.uniform(0.2, 1.8) * pause_s * rate_hz)
    return total + unit(crowd(size, rate_hz, rng)) * 0.1 * from_db(-rng.uniform(0.0, 40.0))


def _syllable(rate_hz: int, rng: np.random.Generator, *, pitch_hz: float) -> F64:
    size = int(rng.uniform(0.07, 0.3) * rate_hz)
    time_s = np.arange(size) / rate_hz
    bend = 1.0 + rng.uniform(-0.2, 0.2) * time_s / time_s[-1]
    voiced = rng.random() < 0.8
    source = (pitch_hz * bend * time_s) % 1.0 - 0.5 if voiced else 0.3 * rng.standard_normal(size)
    formants_hz = rng.uniform((250.0, 800.0, 2000.0), (900.0, 2300.0, 3500.0)) * (1.0 if voiced else 1.8)

    def mouth(hz: F64) -> F64:
        gain: F64 = 0.02 + np.exp(-(((hz[:, None] - formants_hz) / (0.1 * formants_hz + 50.0)) ** 2)) @ np.array(
            [1.0, 0.6, 0.3]
        )
        return gain

    return shaped(source, rate_hz, mouth) * np.hanning(size) * rng.uniform(0.4, 1.0)


def groove(size: int, rate_hz: int, rng: np.random.Generator) -> F64:
    """Return the end of a record: rumble and hiss, crackle, and a click or two each turn."""
    turn = int(rng.choice(GROOVE_S) * rate_hz)
    clicks, click_s = np.zeros(size), np.arange(int(0.01 * rate_hz)) / rate_hz
    for start in rng.integers(0, turn, int(rng.integers(0, 4))):
        clicks[start::turn] += rng.uniform(0.5, 3.0)
    crackle = rng.random(size) < rng.uniform(0.0, 30.0) / rate_hz
    clicks += crackle * rng.exponential(0.5, size)
    hit = rng.standard_normal(len(click_s)) * np.exp(-rng.uniform(300.0, 2000.0) * click_s)
    rumble = shaped(rng.standard_normal(size), rate_hz, lambda hz: 1.0 / (1.0 + (hz / 60.0) ** 2))
    hiss = rng.standard_normal(size) * from_db(-rng.uniform(20.0, 50.0))
    return unit(rumble) * from_db(-rng.uniform(10.0, 40.0)) + hiss + np.convolve(clicks, hit)[:size]


def ticks(size: int, rate_hz: int, rng: np.random.Generator) -> F64:
    """Return a clock, a metronome, typing or steps: short hits and nothing between."""
    hit_s = np.arange(int(0.08 * rate_hz)) / rate_hz
    resonance_hz = np.exp(rng.uniform(np.log(150.0), np.log(5000.0)))
    body = np.sin(2.0 * np.pi * resonance_hz * hit_s) + rng.uniform(0.0, 2.0) * rng.standard_normal(len(hit_s))
    hit = body * np.exp(-rng.uniform(40.0, 400.0) * hit_s)
    period, hits = rng.uniform(0.15, 1.5), np.zeros(size)
    jitter_s = rng.choice((0.0, rng.uniform(0.0, 0.8))) * period
    for at_s in np.arange(rng.uniform(0.0, period), size / rate_hz, period) + jitter_s * rng.random():
        at = int((at_s + jitter_s * rng.uniform(-0.5, 0.5)) * rate_hz)
        if 0 <= at < size:
            hits[at] += rng.uniform(0.6, 1.0)
    quiet = unit(crowd(size, rate_hz, rng)) * from_db(-rng.uniform(25.0, 70.0))
    return np.asarray(np.convolve(hits, hit)[:size] + quiet, np.float64)


def _swell(size: int, rate_hz: int, rng: np.random.Generator, *, depth: float) -> F64:
    points = max(4, int(size / rate_hz * rng.uniform(0.2, 3.0)))
    loudness = 1.0 - depth + depth * rng.gamma(2.0, 0.5, points)
    return np.interp(np.linspace(0.0, points - 1.0, size), np.arange(points), loudness)


MAKERS: dict[str, Maker] = {maker.__name__: maker for maker in (hum, tones, noise, fan, applause, talk, groove, ticks)}


def sound_of(kind: str, size: int, rate_hz: int, rng: np.random.Generator) -> F32:
    """Return one sound of a kind, at times through a room and a microphone."""
    sound = MAKERS[kind](size, rate_hz, rng)
    if rng.random() < 0.3:
        sound = 0.5 * sound + np.convolve(sound, tail(rate_hz, rng, t60_s=0.4))[:size]
    heard = np.asarray(unit(sound) * 0.05, np.float32)
    return through_a_room(heard, rate_hz, rng) if rng.random() < 0.3 else heard
