"""Decoding of genre logits: scores, smoothing, hysteresis, holding without music."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.genre.output import Calibration, GenreOutput, SubGenre
from stream_analyzer.analysis.genre.tracker import SWITCH_MARGIN, GenreTracker
from stream_analyzer.analysis.manifest import ModelInput, ModelManifest
from stream_analyzer.analysis.probability import logit, sigmoid, softmax
from stream_analyzer.analysis.smoothing import HeldLabel

if TYPE_CHECKING:
    from stream_analyzer.types import F32, Genre

LABELS = ("Blues", "Rock", "Jazz")
SUB_GENRES = (SubGenre("Punk", "Rock", 0.6), SubGenre("Psych-Rock", "Rock", 0.4), SubGenre("Swing", "Jazz", 0.5))


def manifest(
    *, temperature: float = 1.0, time_constant_s: float = 3.0, sub_genres: tuple[SubGenre, ...] = ()
) -> ModelManifest:
    return ModelManifest(
        name="genre",
        version="0",
        task="genre",
        file="model.tflite",
        sha256="",
        feature=SPEC,
        input=ModelInput(frames=125, every=4, stride=50, min_frames=37),
        output=GenreOutput(labels=LABELS, sub_genres=sub_genres).to_dict(),
        calibration=asdict(Calibration(temperature=temperature, sub_temperature=2.0, music_threshold=0.6)),
        time_constant_s=time_constant_s,
        metrics=[],
        training={},
    )


def logits(*values: float, music: float = 6.0) -> F32:
    return np.array([*values, music], np.float32)


def test_scores_are_sorted_and_sum_to_one() -> None:
    genre = GenreTracker(manifest()).update(logits(0.0, 2.0, 1.0), time_s=10.0)
    assert [score.label for score in genre.scores] == ["Rock", "Jazz", "Blues"]
    assert sum(score.p for score in genre.scores) == pytest.approx(1.0)
    assert (genre.label, genre.confidence, genre.age_s) == ("Rock", genre.scores[0].p, 0.0)
    assert genre.music == pytest.approx(sigmoid(6.0))


def test_temperature_softens() -> None:
    sharp = GenreTracker(manifest(temperature=1.0)).update(logits(0.0, 3.0, 0.0), time_s=1.0)
    soft = GenreTracker(manifest(temperature=3.0)).update(logits(0.0, 3.0, 0.0), time_s=1.0)
    assert sharp.confidence > soft.confidence
    assert soft.confidence == pytest.approx(float(softmax(np.array([0.0, 1.0, 0.0], np.float32))[1]))


def test_label_stays_while_the_lead_is_small() -> None:
    tracker = GenreTracker(manifest(time_constant_s=1e-6))
    tracker.update(logits(1.0, 0.0, 0.0), time_s=1.0)
    close = tracker.update(logits(1.0, 1.01, 0.0), time_s=2.0)
    assert close.scores[0].label == "Rock"
    assert close.label == "Blues"
    assert close.confidence == pytest.approx(close.scores[1].p)
    assert tracker.update(logits(0.0, 2.0, 0.0), time_s=3.0).label == "Rock"


def test_a_small_lead_is_clear_among_many_unlikely_labels() -> None:
    held = HeldLabel(margin=0.05)
    assert held.update(np.array([0.12, 0.10, 0.10], np.float32)) == 0
    assert held.update(np.array([0.11, 0.15, 0.14], np.float32)) == 1, "11 % must not stand above 15 %"


def test_two_close_labels_are_named_together_and_do_not_flicker() -> None:
    tracker = GenreTracker(manifest(time_constant_s=1e-6))
    first = tracker.update(logits(2.0, 1.7, -2.0), time_s=1.0)
    assert (first.label, first.second and first.second.label, first.sure) == ("Blues", "Rock", True)
    assert first.second is not None
    assert first.second.p == pytest.approx(first.scores[1].p)
    assert tracker.update(logits(2.0, 1.3, -2.0), time_s=2.0).second is not None, "a little less keeps it"
    assert tracker.update(logits(2.0, 0.0, -2.0), time_s=3.0).second is None
    assert tracker.update(logits(2.0, 1.3, -2.0), time_s=4.0).second is None, "... and does not bring it back"


def test_a_label_that_is_likelier_wrong_than_right_is_not_sure() -> None:
    tracker = GenreTracker(manifest(time_constant_s=1e-6))
    unsure = tracker.update(logits(0.3, 0.0, 0.1), time_s=1.0)
    assert unsure.confidence + (unsure.second.p if unsure.second else 0.0) >= 0.5, "two of three are likely enough"
    assert GenreTracker(manifest()).update(logits(3.0, 0.0, 0.0), time_s=1.0).sure
    assert not GenreTracker(manifest()).update(logits(3.0, 0.0, 0.0, music=-6.0), time_s=1.0).sure


def test_one_odd_window_does_not_change_a_steady_label() -> None:
    tracker = GenreTracker(manifest())
    for second in range(10):
        tracker.update(logits(3.0, 0.0, 0.0), time_s=float(second))
    assert tracker.update(logits(0.0, 3.0, 0.0), time_s=10.0).label == "Blues"


def test_without_music_the_genre_is_held_and_ages() -> None:
    tracker = GenreTracker(manifest(time_constant_s=0.5))
    steady = tracker.update(logits(3.0, 0.0, 0.0), time_s=10.0)
    for second in (12.0, 13.0, 14.0):
        genre = tracker.update(logits(0.0, 0.0, 5.0, music=-6.0), time_s=second)
    assert genre.scores == steady.scores
    assert (genre.label, genre.state, genre.time_s, genre.age_s) == ("Blues", "not_music", 14.0, 4.0)
    assert genre.music < 0.1


def test_not_music_from_the_start_leaves_no_trace() -> None:
    tracker, fresh = GenreTracker(manifest()), GenreTracker(manifest())
    genre = tracker.update(logits(0.0, 0.0, 5.0, music=-6.0), time_s=1.0)
    assert (genre.label, genre.confidence, genre.state) == (None, 0.0, "not_music")
    assert genre.scores[0].label == "Jazz", "what was rejected can be seen"
    assert genre.music < 0.01
    assert tracker.hold(time_s=2.0) is None
    later = tracker.update(logits(1.0, 0.0, 0.0), time_s=60.0)
    assert later == fresh.update(logits(1.0, 0.0, 0.0), time_s=60.0)


def test_doubtful_sound_is_searched_until_it_is_music_or_not() -> None:
    tracker = GenreTracker(manifest(time_constant_s=1e-6))
    threshold = logit(0.6)
    doubtful = (threshold - 0.1, threshold - 0.9)
    music = (threshold + 0.1, threshold - 0.9, threshold - 1.1, threshold - 0.1, threshold + 0.1)
    states = [
        tracker.update(logits(1.0, 0.0, 0.0, music=value), time_s=float(second)).state
        for second, value in enumerate((*doubtful, *music))
    ]
    assert states == ["searching", "searching", "music", "music", "not_music", "not_music", "music"]


def test_a_sub_genre_is_shown_within_its_genre_from_its_threshold_on() -> None:
    def shown(rock: float, *subs: float) -> tuple[str, float] | None:
        window = np.array([0.0, rock, 0.0, *(2.0 * logit(p) for p in subs), 6.0], np.float32)
        sub = GenreTracker(manifest(sub_genres=SUB_GENRES)).update(window, time_s=1.0).sub_genre
        return (sub.label, round(sub.p, 4)) if sub else None

    assert shown(3.0, 0.01, 0.41, 0.99) == ("Psych-Rock", 0.41)
    assert shown(3.0, 0.61, 0.5, 0.99) == ("Punk", 0.61)
    assert shown(3.0, 0.59, 0.39, 0.99) is None
    assert shown(-3.0, 0.99, 0.99, 0.01) is None


def test_the_shown_sub_genre_does_not_flicker_at_its_threshold() -> None:
    tracker = GenreTracker(manifest(time_constant_s=1e-6, sub_genres=SUB_GENRES))
    shown = []
    for second, p in enumerate((0.59, 0.61, 0.56, 0.54, 0.59)):
        window = np.array([0.0, 3.0, 0.0, 2.0 * logit(p), -9.0, -9.0, 6.0], np.float32)
        shown.append(tracker.update(window, time_s=float(second)).sub_genre)
    assert [score and score.label for score in shown] == [None, "Punk", "Punk", None, None]


def test_hold_before_the_first_is_none_and_then_ages() -> None:
    tracker = GenreTracker(manifest())
    assert tracker.hold(time_s=1.0) is None
    last = tracker.update(logits(1.0, 0.0, 0.0), time_s=2.0)
    held = tracker.hold(time_s=5.5)
    assert held is not None
    assert (held.age_s, held.time_s, held.state, held.scores) == (3.5, 5.5, "holding", last.scores)


@st.composite
def streams(draw: st.DrawFn) -> list[tuple[float, F32 | None]]:
    """Windows of any logits and pauses (None), at times that never go back."""
    any_logit = st.floats(-1e6, 1e6, width=32) | st.floats(-4.0, 4.0, width=32)
    window = st.lists(any_logit, min_size=7, max_size=7).map(lambda values: np.array(values, np.float32))
    steps = draw(st.lists(st.tuples(st.floats(0.0, 100.0), st.none() | window), max_size=6))
    times = np.cumsum([step for step, _ in steps])
    return [(float(time_s), window) for time_s, (_, window) in zip(times, steps, strict=True)]


def play(tracker: GenreTracker, stream: list[tuple[float, F32 | None]]) -> list[Genre | None]:
    return [
        tracker.hold(time_s=time_s) if window is None else tracker.update(window, time_s=time_s)
        for time_s, window in stream
    ]


@given(before=streams(), stream=streams())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_reset_tracker_equals_a_new_one(before: list[tuple[float, F32 | None]], stream: Any) -> None:
    used, new = (GenreTracker(manifest(sub_genres=SUB_GENRES)) for _ in range(2))
    play(used, before)
    used.reset()
    assert play(used, stream) == play(new, stream)


@given(stream=streams())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_logits_give_finite_and_consistent_genres(stream: list[tuple[float, F32 | None]]) -> None:
    tracker = GenreTracker(manifest(temperature=0.1, sub_genres=SUB_GENRES))
    for genre in filter(None, play(tracker, stream)):
        assert 0.0 <= genre.music <= 1.0
        assert sorted(score.label for score in genre.scores) == sorted(LABELS)
        assert sum(score.p for score in genre.scores) == pytest.approx(1.0, abs=1e-4)
        shares = {score.label: score.p for score in genre.scores}
        assert genre.confidence == shares.get(genre.label or "", 0.0)
        assert genre.age_s >= 0.0
        assert genre.age_s == 0.0 or genre.state in ("holding", "not_music")
        assert (genre.label is None) <= (genre.state == "not_music")
        if genre.sub_genre:
            sub = next(sub for sub in SUB_GENRES if sub.label == genre.sub_genre.label)
            assert sub.parent == genre.label
            assert genre.sub_genre.p >= sub.threshold - SWITCH_MARGIN
