"""Offsets and channels that cancel each other: what is analysed, what level and status say of it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.mixing import Mixer
from stream_analyzer.types import AudioBlock, Level, Status, Tempo
from tests.support.fakes import drum_loop, make_fakes

if TYPE_CHECKING:
    from stream_analyzer.kinds import Described
    from stream_analyzer.types import F32

RATE_HZ = 22_050
STEP = RATE_HZ // 10
MUSIC = drum_loop(8.0)


def mixed(samples: F32) -> tuple[F32, list[int | None]]:
    """Return what is analysed, and which channel was heard alone at each step."""
    mixer, parts, alone = Mixer(), [], []
    for start in range(0, len(samples), STEP):
        parts.append(mixer.push(samples[start : start + STEP]))
        alone.append(mixer.alone)
    return np.concatenate(parts), alone


def analysed(samples: F32) -> list[Described]:
    analyzer = Analyzer(make_fakes())
    return analyzer.feed(AudioBlock(samples, RATE_HZ)) + analyzer.end()


def states(events: list[Described]) -> set[str]:
    return {event.state for event in events if isinstance(event, Status)}


def stereo(left: F32, right: F32) -> F32:
    return np.concatenate([left, right], axis=1)


@pytest.mark.parametrize("gain", [1.0, 0.8, 1.25])
def test_an_inverted_channel_leaves_the_other(gain: float) -> None:
    heard, alone = mixed(stereo(MUSIC, -gain * MUSIC))
    strongest = 1 if gain > 1.0 else 0
    assert set(alone) == {strongest}
    assert np.std(heard) == pytest.approx(max(1.0, gain) * np.std(MUSIC), rel=0.05)
    events = analysed(stereo(MUSIC, -gain * MUSIC))
    assert "cancelling" in states(events)
    assert "live" not in states(events)
    details = {event.detail for event in events if isinstance(event, Status) and event.state == "cancelling"}
    assert details == {"the channels cancel each other: one may be inverted; the strongest is heard alone"}
    tempi = [event.bpm for event in events if isinstance(event, Tempo)]
    whole = [e.bpm for e in analysed(max(1.0, gain) * stereo(MUSIC, MUSIC)) if isinstance(e, Tempo)]
    assert tempi == pytest.approx(whole, rel=1e-3)


NOISE = np.random.default_rng(1).standard_normal((len(MUSIC), 1)).astype(np.float32)


@pytest.mark.parametrize(
    "samples",
    [
        stereo(MUSIC, MUSIC),
        stereo(MUSIC, np.zeros_like(MUSIC)),
        stereo(MUSIC, 0.3 * NOISE),  # unrelated
        stereo(MUSIC + 0.1 * NOISE, MUSIC - 0.1 * NOISE),  # wide
        np.concatenate([np.zeros((len(MUSIC), 7), np.float32), MUSIC], axis=1),
        np.zeros((len(MUSIC), 2), np.float32),
    ],
    ids=["mono", "one side", "unrelated", "wide", "one of eight", "silence"],
)
def test_other_sound_is_mixed(samples: F32) -> None:
    assert set(mixed(samples)[1]) == {None}
    assert "cancelling" not in states(analysed(samples))


def test_two_that_cancel_among_eight_are_found() -> None:
    samples = np.zeros((len(MUSIC), 8), np.float32)
    samples[:, 2:3], samples[:, 5:6] = MUSIC, -MUSIC
    assert set(mixed(samples)[1]) == {2}


def test_the_mix_comes_back_and_nothing_clicks() -> None:
    time = np.arange(10 * RATE_HZ)[:, None] / RATE_HZ
    tone = (0.3 * np.sin(2.0 * np.pi * 32.3 * time)).astype(np.float32)
    right = tone.copy()
    right[3 * RATE_HZ : 7 * RATE_HZ] *= -1.0
    heard, alone = mixed(stereo(tone, right))
    assert alone[25] is None
    assert alone[65] is not None
    assert alone[-1] is None
    change = np.flatnonzero([a != b for a, b in pairwise(alone)])
    for step in change:
        around = heard[(step + 1) * STEP - 100 : (step + 2) * STEP + 100]
        assert np.abs(np.diff(around)).max() < 0.01, "a smooth tone has no jump"


@pytest.mark.parametrize("offset", [0.02, -0.5, 0.9])
def test_a_constant_is_silence(offset: float) -> None:
    events = analysed(np.full((6 * RATE_HZ, 2), offset, np.float32))
    assert states(events) == {"starting", "silent", "ended"}
    silences = {event.silence for event in events if isinstance(event, Status) and event.state == "silent"}
    assert silences == {"quiet"}, "neither zeros nor sound elsewhere"
    assert not [event for event in events if isinstance(event, Tempo)]
    assert max(event.rms_dbfs for event in events if isinstance(event, Level)) < -100.0


def test_an_offset_changes_nothing_that_is_heard() -> None:
    plain, _ = mixed(0.5 * MUSIC)
    shifted, _ = mixed(0.5 * MUSIC + np.float32(0.4))
    np.testing.assert_allclose(shifted, plain, atol=0.01)


def test_without_one_the_samples_stay_as_they_are() -> None:
    assert np.array_equal(mixed(MUSIC)[0], MUSIC[:, 0])


def test_silence_after_loud_bass_is_silence_at_once() -> None:
    time = np.arange(4 * RATE_HZ)[:, None] / RATE_HZ
    bass = (0.9 * np.sin(2.0 * np.pi * 33.0 * time)).astype(np.float32)
    events = analysed(np.concatenate([bass, np.zeros_like(bass)]))
    loudness = [event.rms_dbfs for event in events if isinstance(event, Level)]
    assert max(loudness[41:]) < -60.0


def test_reset_equals_new() -> None:
    mixer = Mixer()
    mixer.push(stereo(MUSIC, -MUSIC)[:STEP] + np.float32(0.3))
    mixer.reset()
    again = Mixer()
    for start in range(0, len(MUSIC), STEP):
        step = stereo(MUSIC, MUSIC)[start : start + STEP]
        assert np.array_equal(mixer.push(step), again.push(step))
