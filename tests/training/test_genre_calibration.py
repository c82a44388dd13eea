"""Temperatures and thresholds of the genre model, on logits whose right answer is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_analyzer.analysis.genre.output import SubGenre
from stream_analyzer.analysis.manifest import ModelInput
from training.data import sources
from training.genre import calibration

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.types import F32

pytestmark = pytest.mark.train

WINDOW = ModelInput(frames=126, every=4, stride=50, min_frames=38, live_frames=63)


def test_sub_genre_temperature_is_that_of_the_draw() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0.0, 3.0, (4000, 5))
    flags = rng.random(logits.shape) < 1.0 / (1.0 + np.exp(-logits / 2.0))
    found = calibration.sub_genre_temperature(logits.astype(np.float32), flags.astype(np.float32))
    assert found == pytest.approx(2.0, rel=0.1)


def test_sub_genre_is_shown_from_where_it_is_mostly_right() -> None:
    logits = np.array([[3.0], [2.0], [1.5], [1.0], [0.5], [0.0], [-1.0], [9.0]], np.float32)
    flags = np.array([[1], [0], [1], [1], [0], [0], [0], [0]], np.float32)
    label = np.array([*["Electronic"] * 7, "Rock"])  # the surest is heard as another genre, which can't show it
    logits, flags, label = (np.repeat(column, 2, axis=0) for column in (logits, flags, label))  # enough to be measured
    sub = SubGenre("House", "Electronic", 0.5)
    (sure,) = calibration.sure_sub_genres([sub], calibration.Tagged(label, logits, flags), temperature=1.0)
    assert sure.threshold == pytest.approx(1.0 / (1.0 + np.exp(-0.5)), abs=1e-4)
    nothing = calibration.Tagged(label, logits, np.zeros_like(flags))
    (never,) = calibration.sure_sub_genres([sub], nothing, temperature=1.0)
    assert never.threshold == calibration.NEVER_SURE


def test_music_threshold_lets_nearly_all_music_pass(data: Path) -> None:
    frames = sources.read_gtzan(data)
    logits = iter(np.linspace(-0.5, 5.0, 3 * 28))

    def predict(windows: F32) -> F32:
        return np.array([[next(logits)] for _ in windows], np.float32)

    found = calibration.music_threshold([frames], predict, window=WINDOW)
    assert found == pytest.approx(1.0 / (1.0 + np.exp(0.5 - 5.5 * calibration.HELD_BACK)), abs=1e-3)
    assert calibration.music_threshold([], predict, window=WINDOW) == calibration.MUSIC_TO
    logits = iter(np.full(3 * 28, -9.0))
    assert calibration.music_threshold([frames], predict, window=WINDOW) == calibration.MUSIC_FROM
