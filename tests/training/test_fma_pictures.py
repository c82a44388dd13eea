"""What is learnt from FMA-small's pictures: finite numbers of any picture, and enough of them to tell rhythms apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.studies.fma_pictures import learn, statistics

if TYPE_CHECKING:
    from stream_analyzer.types import U8

BANDS, COLUMNS = 109, 128


def _picture(period: int, seed: int) -> U8:
    """Return noise that swells every ``period`` columns."""
    noise = np.random.default_rng(seed).normal(40.0, 8.0, (BANDS, COLUMNS))
    return np.asarray(np.clip(noise + 10.0 * (np.arange(COLUMNS) % period == 0), 0, 85), np.uint8)


def test_a_picture_of_silence_has_finite_statistics() -> None:
    found = statistics(np.zeros((BANDS, COLUMNS), np.uint8))

    assert found.shape == statistics(_picture(4, 0)).shape
    assert np.isfinite(found).all()


def test_slow_and_quick_music_are_told_apart() -> None:
    periods, rows = np.repeat([4, 16], 20), range(40)
    values = np.stack([statistics(_picture(period, row)) for row, period in zip(rows, periods, strict=True)])
    asked = np.stack([statistics(_picture(period, 100 + period)) for period in (4, 16)])

    assert list(learn(values, np.where(periods == 4, "quick", "slow"), asked)) == ["quick", "slow"]
