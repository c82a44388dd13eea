"""Loudness by the signals of EBU Tech 3341 and 3342, generated here; what is not the head's own, through `Analyzer`."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.head import Step
from stream_analyzer.analysis.heads import load_heads
from stream_analyzer.analysis.loudness import head as loudness
from stream_analyzer.analysis.loudness.gating import Gating
from stream_analyzer.analysis.loudness.head import LoudnessHead
from stream_analyzer.analysis.loudness.true_peak import TruePeak
from stream_analyzer.analysis.steps import Steps
from stream_analyzer.system.resources import resource_folder
from stream_analyzer.types import AudioBlock, Level, Loudness

pytestmark = pytest.mark.skipif(not loudness.available(), reason="pyebur128 is not installed")

RATE_HZ = 48_000
Part = tuple[float, float]  # dBFS of a sine, and seconds


def tone(parts: list[Part], *, channels: int = 2, hz: float = 1000.0, rate_hz: int = RATE_HZ) -> np.ndarray:
    """Return a sine of those levels one after another on all channels; nothing where a level is minus infinity."""
    gains = np.concatenate([np.full(round(seconds * rate_hz), 10.0 ** (level / 20.0)) for level, seconds in parts])
    wave = gains * np.sin(2.0 * np.pi * hz * np.arange(len(gains)) / rate_hz)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def measure(sound: np.ndarray, *, rate_hz: int = RATE_HZ, analyzer: Analyzer | None = None) -> list[Loudness]:
    """Return what the head says of a sound, or an analyzer with it, which computes much else."""
    if analyzer:
        blocks = [sound[first : first + 7001] for first in range(0, len(sound), 7001)]
        events = [event for block in blocks for event in analyzer.feed(AudioBlock(block, rate_hz))]
        return [event for event in events if isinstance(event, Loudness)]
    head, steps = LoudnessHead(), Steps(rate_hz=rate_hz, channels=sound.shape[1], start_s=0.0)
    level = Level(0.0, 0.0, 0.0, clipping=False)
    heard = [
        Step(end_s, part, rate_hz, level, idle=False, frames={}, sound=part[:, 0]) for part, end_s in steps.push(sound)
    ]
    return [event for step in heard for event in head.hear(step)]


def per_channel(*levels: float) -> np.ndarray:
    """Return 20 s of a sine with a level in dBFS for each channel."""
    return np.hstack([tone([(level, 20.0)], channels=1) for level in levels])


@pytest.mark.parametrize(
    ("case", "sound", "lufs"),
    [
        (1, tone([(-23.0, 20.0)]), -23.0),
        (2, tone([(-33.0, 20.0)]), -33.0),
        (3, tone([(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)]), -23.0),
        (4, tone([(-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)]), -23.0),
        (5, tone([(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)]), -23.0),
        (6, per_channel(-28.0, -28.0, -24.0, -200.0, -30.0, -30.0), -23.0),
    ],
)
def test_tech_3341_integrated(case: int, sound: np.ndarray, lufs: float) -> None:
    last = measure(sound)[-1]
    assert last.integrated_lufs == pytest.approx(lufs, abs=0.1), f"case {case}"
    if case in (1, 2):
        assert (last.momentary_lufs, last.short_term_lufs) == pytest.approx((lufs, lufs), abs=0.1)


def programme(*, low: float, high: float, seed: int) -> np.ndarray:
    """Return 60 s of noise in the spectrum of speech and music, its level on the move: for the authentic programmes."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.normal(0.0, 1.0, 60 * RATE_HZ))
    spectrum /= np.maximum(np.arange(len(spectrum)) / 60.0, 100.0)
    wave = np.fft.irfft(spectrum)
    nodes = np.linspace(0.0, 60.0, 31)
    level = np.interp(np.arange(len(wave)) / RATE_HZ, nodes, rng.uniform(low, high, len(nodes)))
    wave *= 10.0 ** (level / 20.0) / np.sqrt(np.mean(wave**2))
    return np.stack([wave, np.roll(wave, 480)], axis=1).astype(np.float32)


@pytest.mark.parametrize(("case", "low", "high"), [(7, -32.0, -18.0), (8, -60.0, -14.0)])
def test_tech_3341_programmes_of_narrow_and_wide_range(case: int, low: float, high: float) -> None:
    """Their sound can't be generated: noise that moves like them is held against the standard's own words instead."""
    import pyebur128 as reference

    sound = programme(low=low, high=high, seed=case)
    mode = reference.MeasurementMode
    state = reference.R128State(2, RATE_HZ, int(mode.MODE_I | mode.MODE_LRA))
    state.add_frames(sound.reshape(-1), len(sound))
    last = measure(sound)[-1]
    assert last.integrated_lufs == pytest.approx(reference.get_loudness_global(state), abs=0.01)
    assert last.range_lu == pytest.approx(reference.get_loudness_range(state), abs=0.2)


def test_tech_3341_case_9_short_term_is_steady() -> None:
    found = measure(tone([(-20.0, 1.34), (-30.0, 1.66)] * 5))
    assert [event.short_term_lufs for event in found if event.time_s > 3.0] == pytest.approx([-23.0] * 120, abs=0.1)


@pytest.mark.parametrize("offset", [0.0, 45.0, 60.0, 67.5])
@pytest.mark.parametrize(("divisor", "level"), [(4, -6.0), (6, -6.0), (8, -6.0)])
def test_tech_3341_true_peak_between_the_samples(divisor: int, level: float, offset: float) -> None:
    at = np.arange(2 * RATE_HZ)
    fade = np.minimum(1.0, np.minimum(at, at[::-1]) / 4800.0)
    wave = fade * 10.0 ** (level / 20.0) * np.sin(2.0 * np.pi * at / divisor + np.radians(offset))
    peak = measure(wave[:, None].astype(np.float32))[-1].true_peak_dbtp
    assert -0.4 <= peak - level <= 0.2


@pytest.mark.parametrize(
    ("parts", "range_lu"),
    [
        ([(-20.0, 20.0), (-30.0, 20.0)], 10.0),
        ([(-20.0, 20.0), (-15.0, 20.0)], 5.0),
        ([(-40.0, 20.0), (-20.0, 20.0)], 20.0),
        ([(-50.0, 20.0), (-35.0, 20.0), (-20.0, 20.0), (-35.0, 20.0), (-50.0, 20.0)], 15.0),
    ],
)
def test_tech_3342_range(parts: list[Part], range_lu: float) -> None:
    assert measure(tone(parts))[-1].range_lu == pytest.approx(range_lu, abs=1.0)


@pytest.mark.parametrize("rate_hz", [44_100, 96_000, 192_000, 11_025])
def test_at_any_rate(rate_hz: int) -> None:
    last = measure(tone([(-23.0, 5.0)], rate_hz=rate_hz), rate_hz=rate_hz)[-1]
    assert last.integrated_lufs == pytest.approx(-23.0, abs=0.1)
    assert last.true_peak_dbtp == pytest.approx(-23.0, abs=0.2)


@pytest.mark.parametrize(
    ("channels", "loud", "expected"),
    [
        (6, 3, None),  # LFE
        (6, 4, -23.0 - 3.01 + 1.49),
        (8, 4, -23.0 - 3.01),  # back
        (8, 6, -23.0 - 3.01 + 1.49),  # side
        (7, 4, -23.0 - 3.01),
        (12, 3, -23.0 - 3.01),  # a desk: inputs count alike
        (64, 63, -23.0 - 3.01),
    ],
)
def test_channels_have_their_weights(channels: int, loud: int, expected: float | None) -> None:
    sound = np.zeros((4 * RATE_HZ, channels), np.float32)
    sound[:, loud] = tone([(-23.0, 4.0)])[:, 0]
    found = measure(sound)[-1].integrated_lufs
    assert found is None if expected is None else found == pytest.approx(expected, abs=0.1)


def test_more_channels_than_the_library_takes_are_no_fault() -> None:
    assert measure(np.full((RATE_HZ, 70), 0.01, np.float32))


def test_the_channels_count_before_they_are_mixed() -> None:
    sound = tone([(-23.0, 5.0)])
    sound[:, 1] *= -1.0
    assert measure(sound, analyzer=Analyzer([LoudnessHead()]))[-1].integrated_lufs == pytest.approx(-23.0, abs=0.1), (
        "their mix is silence"
    )


def test_silence_has_no_integrated_loudness_and_finite_numbers() -> None:
    last = measure(np.zeros((5 * RATE_HZ, 2), np.float32))[-1]
    assert last == Loudness(5.0, -120.0, -120.0, None, 0.0, -120.0)


def test_the_analyzer_gives_it_the_channels_and_silence_for_bad_samples() -> None:
    sound = tone([(-23.0, 5.0)])
    sound[RATE_HZ, 0] = np.nan
    sound[RATE_HZ + 1, 1] = np.inf
    last = measure(sound, analyzer=Analyzer([LoudnessHead()]))[-1]
    assert last.integrated_lufs == pytest.approx(-23.0, abs=0.1)


def test_a_set_goes_on_over_silence_a_gap_and_another_format_and_ends_with_the_reset() -> None:
    analyzer = Analyzer([LoudnessHead()])
    measure(tone([(-23.0, 10.0), (-200.0, 10.0)]), analyzer=analyzer)
    analyzer.feed(AudioBlock(tone([(-200.0, 1.0)]), RATE_HZ, lost=5 * RATE_HZ))
    pause = measure(tone([(-200.0, 1.0)], rate_hz=44_100, channels=1), rate_hz=44_100, analyzer=analyzer)[-1]
    assert pause.integrated_lufs == pytest.approx(-23.0, abs=0.1)
    assert pause.true_peak_dbtp == pytest.approx(-23.0, abs=0.2)
    analyzer.reset()
    assert measure(tone([(-200.0, 1.0)]), analyzer=analyzer)[-1].integrated_lufs is None
    assert measure(tone([(-33.0, 5.0)]), analyzer=analyzer)[-1].integrated_lufs == pytest.approx(-33.0, abs=0.2)


def test_it_comes_with_every_step() -> None:
    times = [event.time_s for event in measure(tone([(-23.0, 2.05)]))]
    assert len(times) == 20
    assert [later - sooner for sooner, later in pairwise(times)] == pytest.approx([0.1] * 19)


def test_gating_forgets_nothing_however_long_a_set_lasts() -> None:
    gating = Gating()
    for _ in range(200_000):
        gating.add(10.0**-2.3)
    for _ in range(100_000):
        gating.add(10.0**-4.0)  # 17 LU below: a pause
    assert gating.integrated() == pytest.approx(-23.0, abs=0.01)


def test_without_the_library_the_head_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [head.name for head in load_heads(resource_folder("models"))]
    assert "loudness" in names
    monkeypatch.setattr(loudness, "LIBRARY", "no_such_library")
    assert [head.name for head in load_heads(resource_folder("models"))] == [
        name for name in names if name != "loudness"
    ]


@pytest.mark.parametrize("seed", range(4))
def test_true_peak_leaves_out_only_what_can_not_raise_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sound = (rng.normal(0.0, 1.0, (9000, 2)) * np.linspace(1.0, 0.3, 9000)[:, None]).astype(np.float32)
    sound[6000:6400] *= rng.uniform(1.0, 4.0)
    found = TruePeak(2)
    for block in np.split(sound, np.sort(rng.integers(0, 9000, 7))):
        found.push(block)
    offsets = np.arange(-6, 7)[:, None] - np.arange(4) / 4.0
    taps = np.where(np.abs(offsets) < 6.0, np.sinc(offsets) * np.cos(np.pi / 12.0 * offsets) ** 2, 0.0)
    taps /= taps.sum(axis=0)
    every = [np.convolve(channel, of_phase[::-1]) for channel in sound.T for of_phase in taps.T]
    peak = max(float(np.abs(one).max()) for one in every)
    assert found.peak == pytest.approx(peak, rel=1e-5)
    assert peak >= float(np.abs(sound).max())
