"""The key network: alike in every key, judges that learn apart, and what survives in int8."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from stream_analyzer.analysis.key.chords import Heard
from training.key import net
from training.key.data import roughened
from training.nets.blocks import Average, OneOf, Round

pytestmark = pytest.mark.train

SHAPE = net.Shape(judges=2, chords=3, orders=4, rest=0.4, shrink=0.01, shrink_orders=1e-4)


def test_a_piece_in_another_key_has_the_same_answers_from_its_tonic() -> None:
    octaves = np.random.default_rng(3).uniform(0.0, 2.0, (8, 6, 12)).astype(np.float32)
    here, above = (Heard.of(np.roll(octaves, by, axis=-1).reshape(8, -1)).seen() for by in (0, 2))
    model = net.build(SHAPE)
    logits = model(np.stack([here, above])[..., None]).numpy()
    for first in (0, 12):
        low, high = logits[:, first : first + 12]
        assert np.roll(high, -2) == pytest.approx(low, abs=1e-4)
        assert np.ptp(low) > 1e-3
    assert logits[0, 24] == pytest.approx(logits[1, 24], abs=1e-4)


def test_each_window_teaches_one_judge_and_all_are_heard() -> None:
    answers = [tf.fill([60, 2], float(judge)) for judge in range(3)]
    taught = OneOf([0.5, 0.25, 0.25])(answers, training=True).numpy()
    assert set(np.unique(taught)) == {0.0, 1.0, 2.0}
    assert (taught[:, 0] == taught[:, 1]).all()
    assert np.unique(OneOf([0.5, 0.25, 0.25])(answers).numpy()) == pytest.approx([0.75])


def test_rows_go_round_and_time_is_averaged() -> None:
    rows = np.arange(6.0, dtype=np.float32).reshape(1, 3, 2, 1)
    assert Round(2)(rows).numpy()[0, :, 0, 0].tolist() == [0.0, 2.0, 4.0, 0.0, 2.0]
    assert Average()(rows).numpy()[0, :, 0, 0].tolist() == [0.5, 2.5, 4.5]


def test_roughened_frames_keep_what_stands_out() -> None:
    rng = np.random.default_rng(2)
    frames = np.tile(rng.uniform(0.0, 2.0, 72).astype(np.float32), (40, 1))
    alike = [np.corrcoef(roughened(frames, rng).mean(axis=0), frames[0])[0, 1] for _ in range(20)]
    assert min(alike) > 0.7
    assert min(alike) < 0.99 < max(alike)
