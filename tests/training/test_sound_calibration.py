"""Confidences of the genre are calibrated on what the service shows: after some seconds, as it remembers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stream_analyzer.analysis.genre.output import GenreOutput
from tests.support.fakes import fake_model
from training.genre.sound_calibration import Moments, calibrate

MANIFEST = fake_model("genre").manifest
LABELS = len(GenreOutput.of(MANIFEST).labels)
WINDOWS = 12


def moments(*, factor: float, right: float = 0.7, clips: int = 100) -> Moments:
    """Return clips of one label of two, named right in a share ``right``; logits say so, times ``factor``."""
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=clips)
    said = np.where(np.arange(clips) < right * clips, truth, 1 - truth)
    rows = []
    for label in said:
        logits = np.full((WINDOWS, LABELS), -30.0)
        logits[:, :2] = 0.0
        logits[:, label] = factor * np.log(right / (1.0 - right))
        rows.append(logits)
    return Moments(rows, truth, np.array([f"{index}" for index in range(clips)]))


@pytest.mark.parametrize("factor", [1.0, 1.5, 1.9])
def test_the_temperature_takes_back_what_is_too_sure(factor: float) -> None:
    found = calibrate(moments(factor=factor), MANIFEST)
    assert found["temperature"] == pytest.approx(factor, abs=0.051)
    assert found["error"] < 0.02
    assert found["confident"] <= 0.7


def test_songs_count_the_same_however_many_clips_they_have() -> None:
    given = moments(factor=1.0)
    song = given.song.copy()
    song[70:] = "the one that is always wrong"
    found = calibrate(replace(given, song=song), MANIFEST)
    assert found["temperature"] < 0.9, "70 songs of 71 are right, so all could be surer"
