"""The peers of the beat benchmark: their decoders find beats that are plain, and who is absent is named."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.beat import peers
from training.beat.evaluate import Truth, score_times

if TYPE_CHECKING:
    from collections.abc import Callable

    from stream_analyzer.types import F32, F64

pytestmark = pytest.mark.train


@pytest.mark.parametrize("decode", [peers.pointer_forward, peers.pointer_whole])
def test_madmoms_bar_pointer_finds_plain_beats(decode: Callable[[F32], tuple[F64, F64]]) -> None:
    heard = np.full((1000, 2), 0.01, np.float32)
    heard[10::25, 0] = 0.95
    heard[10::100, 1] = 0.9
    truth_s = np.arange(0.2, 20.0, 0.5, dtype=np.float64)
    found = score_times(Truth(truth_s, np.arange(len(truth_s), dtype=np.float64) % 4 + 1), *decode(heard))
    assert found["beat"] > 0.95
    assert found["downbeat"] > 0.95


def test_a_decoder_that_looks_ahead_is_told_from_one_that_does_not() -> None:
    heard = np.full((600, 2), 0.01, np.float32)
    heard[10:300:25, 0] = 0.95
    changed = heard.copy()
    changed[300:, 0] = np.random.default_rng(0).uniform(0.0, 0.9, 300)
    early = [decoded[decoded < 6.0] for decoded in (peers.pointer_forward(heard)[0], peers.pointer_forward(changed)[0])]
    assert len(early[0]) > 5
    assert np.array_equal(early[0], early[1])


def test_who_is_absent_is_named() -> None:
    found, absent = peers.available(None)
    assert "librosa beat_track" in found
    assert not found["librosa beat_track"].online
    assert ("aubio-ledfx" in found) == (find_spec("aubio") is not None)
    assert any(one.startswith("BeatNet: no --wheel") for one in absent)
