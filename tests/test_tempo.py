"""Decoding of tempo logits: choice, decimals, octaves, states, holding, change of tempo, reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_analyzer.features import SPEC, StreamingLogMel
from stream_analyzer.manifest import Calibration, ModelInput, ModelManifest, ModelOutput
from stream_analyzer.tempo import OnsetHistory, TempoTracker, onset_strength

if TYPE_CHECKING:
    from stream_analyzer.types import F32, Tempo

BPM = 30.0 * 2.0 ** (np.arange(108) / 32.0)


def manifest(*, time_constant_s: float = 2.0) -> ModelManifest:
    return ModelManifest(
        name="tempo",
        version="0",
        task="tempo",
        file="model.tflite",
        sha256="",
        feature=SPEC,
        input=ModelInput(frames=150, every=4, stride=25, min_frames=38),
        output=ModelOutput(bpm=tuple(map(float, BPM))),
        calibration=Calibration(temperature=1.0),
        time_constant_s=time_constant_s,
        metrics=[],
        training={},
    )


def logits(*peaks: tuple[float, float]) -> F32:
    """Return logits of a mixture of narrow peaks: (BPM, weight)."""
    density = sum(weight * np.exp(-0.5 * (32.0 * np.log2(BPM / bpm)) ** 2) for bpm, weight in peaks)
    return np.log(density + 1e-7).astype(np.float32)


def clicks(bpm: float, seconds: float) -> F32:
    """Return log-mel frames of decaying noise bursts over hiss."""
    rng = np.random.default_rng(0)
    sound = rng.normal(0.0, 0.002, int(seconds * SPEC.sample_rate_hz))
    for beat in np.arange(0.2, seconds - 0.2, 60.0 / bpm):
        start = int(beat * SPEC.sample_rate_hz)
        sound[start : start + 2000] += rng.normal(0.0, 0.3, 2000) * np.exp(-np.arange(2000) / 400.0)
    return StreamingLogMel().push(sound.astype(np.float32))


def follow(tracker: TempoTracker, *, frames: F32, answer: F32, start_s: float = 0.0) -> list[Tempo]:
    """Feed frames with the same ``answer`` every 25 frames."""
    found = []
    for end in range(25, len(frames) + 1, 25):
        tracker.push(frames[end - 25 : end])
        found.append(tracker.update(answer, time_s=start_s + end / 50.0))
    return found


@pytest.mark.parametrize("bpm", [60.0, 87.3, 120.0, 128.0, 174.0, 191.5])
@pytest.mark.parametrize("off", [0.975, 1.0, 1.025])
def test_onsets_give_the_decimals_that_the_network_lacks(bpm: float, off: float) -> None:
    tempo = follow(TempoTracker(manifest()), frames=clicks(bpm, 14.0), answer=logits((bpm * off, 1.0)))[-1]
    assert tempo.bpm == pytest.approx(bpm, rel=1.5e-3)
    assert tempo.state == "locked"


def test_a_steady_track_shows_a_steady_number() -> None:
    found = follow(TempoTracker(manifest()), frames=clicks(128.0, 30.0), answer=logits((127.0, 1.0)))
    shown = [tempo.bpm for tempo in found if tempo.time_s > 12.0]
    assert max(shown) - min(shown) < 0.1


def test_without_onsets_the_posterior_decides() -> None:
    tempo = TempoTracker(manifest()).update(logits((100.0, 1.0)), time_s=3.0)
    assert tempo.bpm == pytest.approx(100.0, rel=0.01)
    assert tempo.confidence > 0.8
    assert tempo.age_s == 0.0


def test_octaves_are_alternatives_at_exact_multiples() -> None:
    tempo = TempoTracker(manifest()).update(logits((85.0, 0.6), (171.0, 0.4)), time_s=3.0)
    assert tempo.bpm == pytest.approx(85.0, rel=0.01)
    assert tempo.alternatives[0].bpm == pytest.approx(2.0 * tempo.bpm)
    assert tempo.alternatives[0].salience == pytest.approx(2.0 / 3.0, abs=0.05)
    assert tempo.state == "locked"


def test_a_slightly_stronger_octave_does_not_take_over() -> None:
    tracker = TempoTracker(manifest(time_constant_s=0.01))
    tracker.update(logits((85.0, 0.6), (170.0, 0.4)), time_s=3.0)
    assert tracker.update(logits((85.0, 0.48), (170.0, 0.52)), time_s=3.5).bpm == pytest.approx(85.0, rel=0.01)
    assert tracker.update(logits((85.0, 0.3), (170.0, 0.7)), time_s=4.0).bpm == pytest.approx(170.0, rel=0.01)


def test_a_new_tempo_is_followed() -> None:
    tracker = TempoTracker(manifest())
    follow(tracker, frames=clicks(128.0, 12.0), answer=logits((128.0, 1.0)))
    found = follow(tracker, frames=clicks(140.0, 8.0), answer=logits((140.0, 1.0)), start_s=12.0)
    assert found[7].bpm == pytest.approx(140.0, rel=0.02)
    assert found[-1].bpm == pytest.approx(140.0, rel=0.005)


def test_age_grows_while_windows_say_something_else() -> None:
    tracker = TempoTracker(manifest(time_constant_s=20.0))
    for step in range(10):
        tracker.update(logits((100.0, 1.0)), time_s=3.0 + step)
    tempo = tracker.update(logits((143.0, 1.0)), time_s=15.0)
    assert tempo.bpm == pytest.approx(100.0, rel=0.01)
    assert tempo.age_s == pytest.approx(3.0)


def test_no_pulse_is_searched_for_and_then_called_unsteady() -> None:
    tracker = TempoTracker(manifest())
    states = [tracker.update(np.zeros(108, np.float32), time_s=3.0 + 0.5 * step).state for step in range(40)]
    assert states[0] == "searching"
    assert states[-1] == "unsteady"


def test_silence_holds_the_last_tempo_and_doubts_it() -> None:
    tracker = TempoTracker(manifest())
    assert tracker.hold(time_s=1.0) is None
    shown = tracker.update(logits((100.0, 1.0)), time_s=3.0)
    held = tracker.hold(time_s=33.0)
    assert held is not None
    assert (held.bpm, held.state, held.age_s, held.time_s) == (shown.bpm, "holding", 30.0, 33.0)
    assert held.confidence == pytest.approx(shown.confidence / 2.0)


def test_what_was_long_ago_is_forgotten() -> None:
    tracker = TempoTracker(manifest())
    tracker.update(logits((100.0, 1.0)), time_s=3.0)
    assert tracker.update(logits((143.0, 1.0)), time_s=60.0).bpm == pytest.approx(143.0, rel=0.01)


def test_reset_equals_new() -> None:
    used, new = TempoTracker(manifest()), TempoTracker(manifest())
    follow(used, frames=clicks(128.0, 8.0), answer=logits((128.0, 1.0)))
    used.reset()
    frames, answer = clicks(97.0, 8.0), logits((97.0, 0.7), (194.0, 0.3))
    assert follow(used, frames=frames, answer=answer) == follow(new, frames=frames, answer=answer)


@given(cuts=st.lists(st.integers(0, 499), max_size=8), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_onset_history_is_the_same_for_any_cut(cuts: list[int], seed: int) -> None:
    frames = np.random.default_rng(seed).normal(-6.0, 3.0, (600, 16)).astype(np.float32)
    whole, cut = OnsetHistory(50.0), OnsetHistory(50.0)
    whole.push(frames)
    for part in np.split(frames, sorted(cuts)):
        cut.push(part)
    assert whole.refine(120.0) == cut.refine(120.0)


def test_onset_strength_hears_no_gain() -> None:
    frames = np.random.default_rng(0).normal(-6.0, 1.0, (50, 16)).astype(np.float32)
    np.testing.assert_allclose(onset_strength(frames), onset_strength(frames + np.float32(2.0)), atol=1e-5)


def test_all_numbers_are_finite_in_silence() -> None:
    tracker = TempoTracker(manifest())
    frames = np.full((500, 128), SPEC.log_floor, np.float32)
    tempo = follow(tracker, frames=frames, answer=logits((100.0, 1.0)))[-1]
    assert np.isfinite([tempo.bpm, tempo.confidence, tempo.age_s]).all()
    assert np.isfinite([tracker.mean_bpm]).all()
