"""The yardstick of `benchmarks.tempo`: what counts as right, and that its pitch fader plays as fast as it says."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy", reason="needs the train extra")

from benchmarks import tempo_music as music
from benchmarks.tempo import Shown, off, step_s


def test_while_tracks_overlap_either_tempo_is_right() -> None:
    piece = music.Piece(np.zeros(0, np.float32), ((0.0, 20.0, 128.0), (12.0, 40.0, 140.0)))
    assert off(Shown(5.0, 128.0), piece) == 0.0
    assert off(Shown(5.0, 140.0), piece) == pytest.approx(140.0 / 128.0 - 1.0)
    assert off(Shown(15.0, 128.0), piece) == off(Shown(15.0, 140.0), piece) == 0.0
    assert off(Shown(30.0, 128.0), piece) > 0.08
    assert off(Shown(50.0, 140.0), piece) == np.inf


@pytest.mark.parametrize(
    ("switches_at_s", "forgets_at_s", "wanted_s"),
    [(22.5, 99.0, 2.5), (22.5, 25.0, 8.0), (99.0, 99.0, float("inf"))],
)
def test_a_step_is_followed_once_the_new_tempo_stays(
    monkeypatch: pytest.MonkeyPatch, switches_at_s: float, forgets_at_s: float, wanted_s: float
) -> None:
    piece = music.Piece(np.zeros(0, np.float32), ((0.0, 20.0, 128.0), (20.0, 40.0, 140.0)))
    monkeypatch.setattr(music, "mix", lambda *_, **__: piece)

    def follow(_: object) -> list[Shown]:
        def bpm(time_s: float) -> float:
            new = time_s >= switches_at_s and not forgets_at_s <= time_s < forgets_at_s + 3.0
            return 140.0 if new else 128.0

        return [Shown(time_s, bpm(time_s)) for time_s in np.arange(3.0, 40.0, 0.5)]

    assert step_s(follow, ("house", "trance"), bad=False) == wanted_s


def test_the_fader_plays_as_fast_as_it_says() -> None:
    seconds = np.arange(40 * music.RATE_HZ) / music.RATE_HZ
    sound, speed = music.faded(np.sin(2.0 * np.pi * 440.0 * seconds).astype(np.float32), depth=0.08, ramp_s=8.0)
    assert (speed.min(), speed.max()) == (pytest.approx(0.92), pytest.approx(1.08))
    for at_s in (2.0, 8.0, 20.0, 30.0):
        start = round(at_s * music.RATE_HZ)
        part = sound[start : start + 2048] * np.hanning(2048)
        hz = np.abs(np.fft.rfft(part, 1 << 16)).argmax() * music.RATE_HZ / (1 << 16)
        assert hz == pytest.approx(440.0 * speed[start + 1024], rel=2e-3)
