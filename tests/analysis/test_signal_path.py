"""The parts before and after the features: mixing, resampling, steps, levels, rolling windows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_analyzer.analysis.level import FLOOR_DBFS, measure_level
from stream_analyzer.analysis.manifest import ModelInput
from stream_analyzer.analysis.resample import Resampler, mix, pick_channels
from stream_analyzer.analysis.rolling import RollingWindow
from stream_analyzer.analysis.spans import spans
from stream_analyzer.analysis.steps import Steps
from tests.support.fakes import drum_loop


def test_mix_is_the_mean_and_a_channel_can_be_picked() -> None:
    stereo = np.array([[1.0, 0.0], [0.5, -0.5]], np.float32)
    np.testing.assert_array_equal(mix(stereo), [0.5, 0.0])
    np.testing.assert_array_equal(mix(pick_channels(stereo, 2)), [0.0, -0.5])
    np.testing.assert_array_equal(mix(pick_channels(stereo, 7)), [0.0, -0.5])


@given(channels=st.integers(1, 8), seed=st.integers(0, 99))
def test_mix_of_many_channels_is_their_mean(channels: int, seed: int) -> None:
    sound = np.random.default_rng(seed).standard_normal((50, channels)).astype(np.float32)
    untouched = sound.copy()
    np.testing.assert_allclose(mix(sound), sound.mean(axis=1), atol=1e-6)
    np.testing.assert_array_equal(sound, untouched)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_resampling_does_not_depend_on_blocks(rate_hz: int) -> None:
    signal = drum_loop(1.0, rate_hz=rate_hz)[:, 0]
    whole = Resampler(rate_hz, 22_050).push(signal)
    resampler = Resampler(rate_hz, 22_050)
    resampler.push(signal[:777])
    resampler.reset()
    parts = [resampler.push(part) for part in np.array_split(signal, 37)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert 0 <= 22_050 - len(whole) < 0.1 * 22_050, "the filter keeps little back"


@given(cuts=st.lists(st.integers(0, 4000), max_size=20), rate_hz=st.sampled_from([4000, 11_025, 22_050]))
def test_steps_are_the_same_for_any_cut(cuts: list[int], rate_hz: int) -> None:
    samples = np.arange(8000, dtype=np.float32).reshape(4000, 2)
    whole = list(Steps(rate_hz=rate_hz, channels=2, start_s=5.0).push(samples))
    steps = Steps(rate_hz=rate_hz, channels=2, start_s=5.0)
    parts = [step for part in np.split(samples, sorted(cuts)) for step in steps.push(part)]
    assert [end_s for _, end_s in parts] == [end_s for _, end_s in whole]
    for (part, _), (one, _) in zip(parts, whole, strict=True):
        np.testing.assert_array_equal(part, one)
    assert steps.is_full_with(rate_hz // 10 + 1)
    rest, end_s = steps.rest()
    assert steps.is_full_with(0) is False
    assert sum(len(step) for step, _ in parts) + len(rest) == 4000
    assert end_s == pytest.approx(5.0 + 4000 / rate_hz, abs=1e-3)


def test_steps_of_an_odd_rate_do_not_drift() -> None:
    steps = Steps(rate_hz=11_025, channels=1, start_s=0.0)
    lengths = [len(step) for step, _ in steps.push(np.zeros((11_025 * 4, 1), np.float32))]
    assert sum(lengths) == 11_025 * 4
    assert set(lengths) == {1102, 1103}


def test_level_of_a_full_scale_sine() -> None:
    sine = np.sin(2.0 * np.pi * 441.0 * np.arange(4410) / 44_100).astype(np.float32)[:, None]
    level = measure_level(sine, sine[:, 0], time_s=0.1)
    assert level.rms_dbfs == pytest.approx(-3.01, abs=0.01)
    assert level.peak_dbfs == pytest.approx(0.0, abs=0.01)
    assert not measure_level(0.9 * sine, 0.9 * sine[:, 0], time_s=0.1).clipping
    assert measure_level(np.clip(2.0 * sine, -1.0, 1.0), np.clip(2.0 * sine, -1.0, 1.0)[:, 0], time_s=0.1).clipping


def test_level_of_silence_is_finite() -> None:
    level = measure_level(np.zeros((100, 2), np.float32), np.zeros((100, 2), np.float32)[:, 0], time_s=0.1)
    assert (level.rms_dbfs, level.peak_dbfs, level.clipping) == (FLOOR_DBFS, FLOOR_DBFS, False)


SHAPE = ModelInput(frames=5, every=3, stride=7, min_frames=2)


def test_window_holds_every_nth_frame_oldest_first() -> None:
    window = RollingWindow(SHAPE, n_mels=1, fill=-9.0)
    stream = np.arange(40, dtype=np.float32)[:, None]
    window.push(stream[:4])
    np.testing.assert_array_equal(window.frames[:, 0], [-9, -9, -9, 0, 3])
    window.push(stream[4:])
    np.testing.assert_array_equal(window.frames[:, 0], [27, 30, 33, 36, 39])


@given(sizes=st.lists(st.integers(0, 9), max_size=30))
def test_window_does_not_depend_on_blocks(sizes: list[int]) -> None:
    stream = np.arange(sum(sizes), dtype=np.float32)[:, None]
    blocks, singly = RollingWindow(SHAPE, n_mels=1, fill=0.0), RollingWindow(SHAPE, n_mels=1, fill=0.0)
    at = 0
    for size in sizes:
        due = blocks.push(stream[at : at + size])
        due_singly = [singly.push(stream[i : i + 1]) for i in range(at, at + size)]
        at += size
        assert due == any(due_singly)
        np.testing.assert_array_equal(blocks.frames, singly.frames)


@given(live_frames=st.integers(2, 5), count=st.integers(0, 60))
@settings(deadline=None)
def test_a_live_window_holds_the_newest_frames_alone(live_frames: int, count: int) -> None:
    shape, stream = replace(SHAPE, live_frames=live_frames), np.arange(count, dtype=np.float32)[:, None]
    window, whole = (RollingWindow(one, n_mels=1, fill=-9.0) for one in (shape, SHAPE))
    assert window.push(stream) == whole.push(stream)
    np.testing.assert_array_equal(window.frames[-live_frames:], whole.frames[-live_frames:])
    assert (window.frames[:-live_frames] == -9.0).all()


def test_the_newest_frames_alone_are_a_window_that_is_still_filling() -> None:
    window = RollingWindow(SHAPE, n_mels=1, fill=-9.0)
    window.push(np.arange(40, dtype=np.float32)[:, None])
    np.testing.assert_array_equal(window.newest(2)[:, 0], [-9, -9, -9, 36, 39])
    np.testing.assert_array_equal(window.newest(5)[:, 0], [27, 30, 33, 36, 39])
    np.testing.assert_array_equal(window.frames[:, 0], [27, 30, 33, 36, 39])


def test_window_is_due_when_ready_and_then_each_stride() -> None:
    window = RollingWindow(SHAPE, n_mels=1, fill=0.0)
    due = [i + 1 for i in range(30) if window.push(np.zeros((1, 1), np.float32))]
    assert due == [4, 7, 14, 21, 28]


def test_window_reset_equals_new() -> None:
    window = RollingWindow(SHAPE, n_mels=1, fill=-9.0)
    window.push(np.ones((50, 1), np.float32))
    window.reset()
    np.testing.assert_array_equal(window.frames, RollingWindow(SHAPE, n_mels=1, fill=-9.0).frames)
    assert not window.ready
    assert [window.push(np.ones((1, 1), np.float32)) for _ in range(4)] == [False, False, False, True]


@given(length=st.integers(1, 60), size=st.integers(1, 20), hop=st.integers(1, 9))
def test_spans_are_all_that_fit(length: int, size: int, hop: int) -> None:
    signal = np.arange(2 * length, dtype=np.float32).reshape(2, length)
    found = spans(signal, size, hop=hop)
    starts = range(0, length - size + 1, hop)
    assert found.shape == (2, len(starts), size)
    for place, start in enumerate(starts):
        np.testing.assert_array_equal(found[:, place], signal[:, start : start + size])
