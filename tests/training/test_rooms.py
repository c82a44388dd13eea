"""Rooms and sounds that are no music: the same seed gives the same sound, and each does what it is named after."""

from __future__ import annotations

import numpy as np
import pytest

from training.genre import not_music, rooms

RATE_HZ = 16_000
SIZE = 3 * RATE_HZ


def _music() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    time_s = np.arange(SIZE) / RATE_HZ
    return np.asarray(0.1 * np.sin(2.0 * np.pi * 440.0 * time_s) * (time_s % 0.5 < 0.25), np.float32)


@pytest.mark.parametrize("change", [rooms.through_a_room, rooms.otherwise_mastered])
def test_a_changed_sound_repeats_by_its_seed(change: rooms.Change) -> None:
    first, again, other = (change(_music(), RATE_HZ, np.random.default_rng(seed)) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert not np.array_equal(first, other[: len(first)])
    assert np.isfinite(first).all()
    assert abs(len(first) / SIZE - 1.0) < 0.09


def test_echoes_last_as_long_as_the_room_says() -> None:
    echoes = rooms.tail(RATE_HZ, np.random.default_rng(0), t60_s=0.5)
    early, late = (rooms.rms(echoes[int(at * RATE_HZ) : int((at + 0.02) * RATE_HZ)]) for at in (0.1, 0.4))

    assert 20.0 * np.log10(early / late) == pytest.approx(36.0, abs=12.0)  # 0.3 s of 60 dB in 0.5 s, sooner for treble


@pytest.mark.parametrize("kind", list(not_music.MAKERS))
def test_a_sound_that_is_no_music(kind: str) -> None:
    sound, again = (not_music.sound_of(kind, SIZE, RATE_HZ, np.random.default_rng(3)) for _ in range(2))

    np.testing.assert_array_equal(sound, again)
    assert sound.shape == (SIZE,)
    assert sound.dtype == np.float32
    assert np.isfinite(sound).all()
    assert 1e-3 < rooms.rms(sound) < 0.5


def test_hum_holds_nothing_but_multiples_of_the_mains() -> None:
    sound = not_music.hum(SIZE, RATE_HZ, np.random.default_rng(5))
    power = np.abs(np.fft.rfft(sound * np.hanning(SIZE))) ** 2
    hz = np.fft.rfftfreq(SIZE, 1.0 / RATE_HZ)
    near = np.minimum(np.abs((hz + 25.0) % 50.0 - 25.0), np.abs((hz + 30.0) % 60.0 - 30.0)) < 2.0

    assert power[near].sum() > 0.8 * power.sum()
