"""Decoding of tempo logits: choice, decimals, octaves, states, holding, change of tempo, reset."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from stream_analyzer.analysis.manifest import ModelInput, ModelManifest
from stream_analyzer.analysis.tempo.onsets import OnsetHistory, onset_strength
from stream_analyzer.analysis.tempo.output import Calibration, TempoOutput
from stream_analyzer.analysis.tempo.tracker import TempoTracker

if TYPE_CHECKING:
    from stream_analyzer.analysis.tempo.tracker import Listen
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
        output=TempoOutput(bpm=tuple(map(float, BPM))).to_dict(),
        calibration=asdict(Calibration(temperature=1.0)),
        time_constant_s=time_constant_s,
        metrics=[],
        training={},
    )


def logits(*peaks: tuple[float, float]) -> F32:
    """Return logits of a mixture of narrow peaks: (BPM, weight)."""
    density = sum(weight * np.exp(-0.5 * (32.0 * np.log2(BPM / bpm)) ** 2) for bpm, weight in peaks)
    return np.log(density + 1e-7).astype(np.float32)


def says(answer: F32) -> Listen:
    """Return a model that hears the same in any window."""
    return lambda _: answer


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
        found.append(tracker.update(says(answer), time_s=start_s + end / 50.0))
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
    tempo = TempoTracker(manifest()).update(says(logits((100.0, 1.0))), time_s=3.0)
    assert tempo.bpm == pytest.approx(100.0, rel=0.01)
    assert tempo.confidence > 0.8
    assert tempo.age_s == 0.0


def test_octaves_are_alternatives_at_exact_multiples() -> None:
    tempo = TempoTracker(manifest()).update(says(logits((85.0, 0.6), (171.0, 0.4))), time_s=3.0)
    assert tempo.bpm == pytest.approx(85.0, rel=0.01)
    assert tempo.alternatives[0].bpm == pytest.approx(2.0 * tempo.bpm)
    assert tempo.alternatives[0].salience == pytest.approx(2.0 / 3.0, abs=0.05)
    assert tempo.state == "octave"
    assert tempo.confidence < 0.6


def test_an_octave_takes_over_and_never_while_locked() -> None:
    tracker = TempoTracker(manifest(time_constant_s=0.01))
    slow, fast = logits((85.0, 0.95), (170.0, 0.05)), logits((85.0, 0.1), (170.0, 0.9))
    before = [tracker.update(says(slow), time_s=0.5 * step) for step in range(20)]
    after = [tracker.update(says(fast), time_s=10.0 + 0.5 * step) for step in range(120)]
    assert {tempo.state for tempo in before} == {"locked"}
    assert after[1].state == "octave", "one window says nothing yet, but the question is open"
    jumps = [step for step in range(1, 120) if abs(after[step].bpm / after[step - 1].bpm - 1.0) > 0.1]
    assert {after[step].state for step in jumps} <= {"octave"}
    assert {tempo.state for tempo in after[:20]} == {"octave"}, "ten seconds are not enough"
    assert (after[-1].state, round(after[-1].bpm)) == ("locked", 170)


def test_octaves_that_alternate_lock_nothing_after_the_first() -> None:
    tracker = TempoTracker(manifest(time_constant_s=0.01))
    slow, fast = logits((94.0, 0.8), (188.0, 0.2)), logits((94.0, 0.25), (188.0, 0.75))
    found = [tracker.update(says((slow, fast)[step // 30 % 2]), time_s=0.5 * step) for step in range(240)]
    locked = [round(tempo.bpm) for tempo in found if tempo.state == "locked"]
    assert set(locked) <= {94}, "a fader that takes what is locked does not jump"


def test_clicks_on_every_other_beat_leave_the_octave_open() -> None:
    found = follow(TempoTracker(manifest()), frames=clicks(60.0, 14.0), answer=logits((120.0, 1.0)))
    tempo = found[-1]
    assert tempo.bpm == pytest.approx(120.0, rel=0.01)
    assert tempo.state == "octave"
    assert tempo.confidence <= 0.5
    assert tempo.alternatives[0].bpm == pytest.approx(60.0, rel=0.01)
    assert tempo.alternatives[0].salience >= 0.5


def test_a_double_without_any_strokes_between_is_no_question() -> None:
    answer = logits((112.0, 0.6), (224.0, 0.4))
    assert follow(TempoTracker(manifest()), frames=clicks(112.0, 14.0), answer=answer)[-1].state == "locked"
    assert follow(TempoTracker(manifest()), frames=clicks(224.0, 14.0), answer=answer)[-1].state == "octave"


def test_who_asked_for_a_range_has_answered_the_question() -> None:
    tracker = TempoTracker(manifest(), tempo_range=(90.0, 180.0))
    assert follow(tracker, frames=clicks(60.0, 14.0), answer=logits((120.0, 0.6), (60.0, 0.4)))[-1].state == "locked"


def test_only_what_was_locked_is_held() -> None:
    guess, sure = logits((72.0, 0.2), (101.0, 0.2), (144.0, 0.2), (190.0, 0.2), (233.0, 0.2)), logits((126.0, 1.0))
    tracker = TempoTracker(manifest(time_constant_s=0.01))
    tracker.update(says(guess), time_s=3.0)
    alone = tracker.hold(time_s=5.0)
    assert alone
    assert (alone.state, alone.age_s) == ("searching", 2.0)
    tracker.reset()
    tracker.update(says(sure), time_s=3.0)
    found = [tracker.update(says(guess), time_s=40.0 + step) for step in range(3)]
    assert "locked" not in {tempo.state for tempo in found}
    late = tracker.hold(time_s=50.0)
    assert late
    assert late.state != "holding", "what was locked is long past"
    tracker.reset()
    tracker.update(says(sure), time_s=20.0)
    tracker._locked = False  # as after a break with a rhythm of its own
    assert round(tracker.update(says(guess), time_s=27.0).bpm) != 126
    held = tracker.hold(time_s=31.0)
    assert held
    assert (round(held.bpm), held.state, held.age_s) == (126, "holding", 11.0)


def test_a_new_tempo_is_followed() -> None:
    tracker = TempoTracker(manifest())
    follow(tracker, frames=clicks(128.0, 12.0), answer=logits((128.0, 1.0)))
    found = follow(tracker, frames=clicks(140.0, 8.0), answer=logits((140.0, 1.0)), start_s=12.0)
    assert found[7].bpm == pytest.approx(140.0, rel=0.02)
    assert found[-1].bpm == pytest.approx(140.0, rel=0.005)


def test_a_change_is_heard_in_the_newest_seconds_before_the_window_tells() -> None:
    tracker, asked = TempoTracker(manifest()), []
    follow(tracker, frames=clicks(128.0, 12.0), answer=logits((128.0, 1.0)))

    def listen(frames: int) -> F32:
        asked.append(frames)
        return logits((140.0, 1.0)) if frames < 100 else logits((128.0, 0.4), (140.0, 0.4), (97.0, 0.2))

    found = [tracker.update(listen, time_s=12.5 + 0.5 * step).bpm for step in range(4)]
    assert found[-1] == pytest.approx(140.0, rel=0.01)
    assert asked[:2] == [150, 44]
    assert sorted(asked[-3:]) == asked[-3:], "after a change the window grows with the new music alone"
    assert asked[-1] < 100
    asked.clear()
    tracker.update(listen, time_s=19.0)
    assert asked[0] == 150, "and then it is whole again"


def test_a_steady_track_is_listened_to_once_a_judgement() -> None:
    tracker, asked = TempoTracker(manifest()), []
    for step in range(20):
        tracker.update(lambda frames: asked.append(frames) or logits((100.0, 1.0)), time_s=3.0 + 0.5 * step)  # type: ignore[func-returns-value]
    assert asked == [150] * 20


def test_an_octave_is_no_change() -> None:
    tracker = TempoTracker(manifest())
    for step in range(20):
        tracker.update(says(logits((85.0, 1.0))), time_s=3.0 + 0.5 * step)
    newest = tracker.update(lambda frames: logits((85.0 if frames == 150 else 170.0, 1.0)), time_s=13.5)
    assert newest.bpm == pytest.approx(85.0, rel=0.01)


def test_a_breakdown_is_held_and_then_given_up() -> None:
    tracker, flat = TempoTracker(manifest()), np.zeros(108, np.float32)
    for step in range(20):
        tracker.update(says(logits((126.0, 1.0))), time_s=3.0 + 0.5 * step)
    found = [tracker.update(says(flat), time_s=13.0 + 0.5 * step) for step in range(100)]
    held = [tempo for tempo in found if tempo.state == "holding"]
    assert held[0].time_s == 13.0
    assert 20.0 < held[-1].time_s - held[0].time_s <= 30.0
    assert {round(tempo.bpm) for tempo in held} == {126}
    assert held[-1].age_s > 20.0
    assert held[-1].confidence < 0.6 * held[0].confidence
    assert found[-1].state == "unsteady"


@pytest.mark.parametrize("weak", [0.0, 0.3])
def test_a_breakdown_ends_with_the_same_tempo(weak: float) -> None:
    """A held chord may sound a little like some tempo."""
    tracker, peak = TempoTracker(manifest()), np.exp(logits((85.0, 1.0)))
    chord = np.log((1.0 - weak) / len(BPM) + weak * peak / peak.sum()).astype(np.float32)
    for step in range(60):
        answer = chord if 20 <= step < 50 else logits((126.0, 1.0))
        tempo = tracker.update(says(answer), time_s=3.0 + 0.5 * step)
        assert round(tempo.bpm) == 126
    assert (tempo.state, tempo.age_s) == ("locked", 0.0)


@pytest.mark.parametrize(("depth", "seconds"), [(0.08, 30.0), (-0.08, 30.0)])
def test_a_pitch_fader_is_followed(depth: float, seconds: float) -> None:
    still = clicks(128.0, seconds + 6.0)
    speed = 1.0 + depth * np.arange(round(seconds * 50.0)) / (seconds * 50.0)
    moved = still[np.minimum(np.rint(np.cumsum(speed)).astype(int), len(still) - 1)]
    tracker = TempoTracker(manifest())
    for end in range(25, len(moved) + 1, 25):
        tracker.push(moved[end - 25 : end])
        lagging_bpm = 128.0 * speed[max(0, end - 300)]  # what a window of 12 s would say
        tempo = tracker.update(says(logits((lagging_bpm, 1.0))), time_s=end / 50.0)
    assert tempo.bpm == pytest.approx(128.0 * speed[-1], rel=0.01)


@pytest.mark.parametrize(
    ("tempo_range", "bpm", "shown"),
    [
        ((90.0, 180.0), 64.0, 128.0),
        ((60.0, 120.0), 174.0, 87.0),
        ((70.0, 200.0), 174.0, 174.0),
        ((40.0, 80.0), 250.0, 62.5),
    ],
)
def test_a_tempo_is_folded_into_the_range_by_octaves(
    tempo_range: tuple[float, float], bpm: float, shown: float
) -> None:
    tempo = TempoTracker(manifest(), tempo_range=tempo_range).update(says(logits((bpm, 1.0))), time_s=3.0)
    assert tempo.bpm == pytest.approx(shown, rel=0.01)
    assert tempo.confidence > 0.8


def test_octaves_outside_the_range_count_for_the_one_inside_and_stay_alternatives() -> None:
    answer = says(logits((64.0, 0.35), (128.0, 0.25), (170.0, 0.4)))
    tempo = TempoTracker(manifest(), tempo_range=(90.0, 180.0)).update(answer, time_s=3.0)
    assert tempo.bpm == pytest.approx(128.0, rel=0.01)
    assert tempo.confidence > 0.45, "more than a quarter of the evidence"
    assert tempo.alternatives[0].bpm == pytest.approx(170.0, rel=0.02)
    assert any(other.bpm == pytest.approx(64.0, rel=0.01) for other in tempo.alternatives)


@given(bpm=st.floats(30.0, 300.0), low=st.floats(30.0, 150.0), octaves=st.floats(1.0, 1.5))
@settings(deadline=None)
def test_whatever_is_heard_lies_in_the_range(bpm: float, low: float, octaves: float) -> None:
    high = low * 2.0**octaves
    tempo = TempoTracker(manifest(), tempo_range=(low, high)).update(says(logits((bpm, 1.0))), time_s=3.0)
    assert low / 1.006 <= tempo.bpm <= high * 1.006


def test_age_grows_while_windows_say_something_else() -> None:
    tracker = TempoTracker(manifest(time_constant_s=20.0))
    for step in range(10):
        tracker.update(says(logits((100.0, 1.0))), time_s=3.0 + step)
    tempo = tracker.update(says(logits((143.0, 1.0))), time_s=15.0)
    assert tempo.bpm == pytest.approx(100.0, rel=0.01)
    assert tempo.age_s == pytest.approx(3.0)


def test_no_pulse_is_searched_for_and_then_called_unsteady() -> None:
    tracker = TempoTracker(manifest())
    states = [tracker.update(says(np.zeros(108, np.float32)), time_s=3.0 + 0.5 * step).state for step in range(40)]
    assert states[0] == "searching"
    assert states[-1] == "unsteady"


def test_silence_holds_the_last_tempo_and_doubts_it() -> None:
    tracker = TempoTracker(manifest())
    assert tracker.hold(time_s=1.0) is None
    shown = tracker.update(says(logits((100.0, 1.0))), time_s=3.0)
    held = tracker.hold(time_s=33.0)
    assert held is not None
    assert (held.bpm, held.state, held.age_s, held.time_s) == (shown.bpm, "holding", 30.0, 33.0)
    assert held.confidence == pytest.approx(shown.confidence / 2.0)


def test_what_was_long_ago_is_forgotten() -> None:
    tracker = TempoTracker(manifest())
    tracker.update(says(logits((100.0, 1.0))), time_s=3.0)
    assert tracker.update(says(logits((143.0, 1.0))), time_s=60.0).bpm == pytest.approx(143.0, rel=0.01)


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
    whole.keep(3.0)
    assert whole.refine(120.0) != cut.refine(120.0)
    cut.keep(3.0)
    assert whole.refine(120.0) == cut.refine(120.0)


def test_onset_strength_hears_no_gain() -> None:
    frames = np.random.default_rng(0).normal(-6.0, 1.0, (50, 16)).astype(np.float32)
    np.testing.assert_allclose(onset_strength(frames), onset_strength(frames + np.float32(2.0)), atol=1e-5)


def test_all_numbers_are_finite_in_silence() -> None:
    tracker = TempoTracker(manifest())
    frames = np.full((500, 128), SPEC.log_floor, np.float32)
    tempo = follow(tracker, frames=frames, answer=logits((100.0, 1.0)))[-1]
    assert np.isfinite([tempo.bpm, tempo.confidence, tempo.age_s]).all()
    assert np.isfinite(tracker.posterior).all()
