"""Decoding of genre logits: scores, smoothing, hysteresis, holding without music."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_analyzer.features import SPEC
from stream_analyzer.genre import GenreTracker, sigmoid, softmax
from stream_analyzer.manifest import ModelInput, ModelManifest, ModelOutput

if TYPE_CHECKING:
    from stream_analyzer.types import F32

LABELS = ("Blues", "Rock", "Jazz")


def manifest(*, temperature: float = 1.0, time_constant_s: float = 3.0) -> ModelManifest:
    return ModelManifest(
        name="genre",
        version="0",
        task="genre",
        file="model.tflite",
        sha256="",
        feature=SPEC,
        input=ModelInput(frames=125, every=4, stride=50, min_frames=37),
        output=ModelOutput(labels=LABELS),
        temperature=temperature,
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
    assert (genre.label, genre.time_s, genre.age_s) == ("Blues", 14.0, 4.0)
    assert genre.music < 0.1


def test_not_music_from_the_start_leaves_no_trace() -> None:
    tracker, fresh = GenreTracker(manifest()), GenreTracker(manifest())
    genre = tracker.update(logits(0.0, 0.0, 5.0, music=-6.0), time_s=1.0)
    assert genre.label == "Jazz"
    assert genre.music < 0.01
    later = tracker.update(logits(1.0, 0.0, 0.0), time_s=60.0)
    assert later.scores == fresh.update(logits(1.0, 0.0, 0.0), time_s=60.0).scores


def test_hold_before_the_first_is_none_and_then_ages() -> None:
    tracker = GenreTracker(manifest())
    assert tracker.hold(time_s=1.0) is None
    last = tracker.update(logits(1.0, 0.0, 0.0), time_s=2.0)
    held = tracker.hold(time_s=5.5)
    assert held is not None
    assert (held.age_s, held.time_s, held.scores) == (3.5, 5.5, last.scores)


def test_reset_tracker_equals_a_new_one() -> None:
    used, new = GenreTracker(manifest()), GenreTracker(manifest())
    used.update(logits(5.0, 0.0, 0.0), time_s=2.0)
    used.reset()
    assert used.hold(time_s=3.0) is None
    window = logits(0.0, 1.0, 0.5)
    assert used.update(window, time_s=4.0) == new.update(window, time_s=4.0)


def test_extreme_logits_stay_finite() -> None:
    genre = GenreTracker(manifest(temperature=0.1)).update(logits(1e4, -1e4, 0.0, music=1e4), time_s=1.0)
    assert genre.confidence == 1.0
    assert genre.music == 1.0
