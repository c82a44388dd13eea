"""A device that delivers another number of samples a second than it says, and those that only stutter."""

from __future__ import annotations

import numpy as np
import pytest

from stream_analyzer.sound.device.rate import RateCheck

BLOCK_S = 0.05


def rates(says_hz: int, delivers_hz: float, *, seconds: float, late_s: float = 0.0) -> list[int]:
    """Return the rates that a check comes to, block by block; each block comes up to ``late_s`` late."""
    check, rng = RateCheck(says_hz), np.random.default_rng(1)
    size = round(says_hz * BLOCK_S)
    arrivals_s = (
        block * size / delivers_hz + late_s * rng.random() for block in range(int(seconds * delivers_hz / size))
    )
    return [says_hz, *(check.rate_hz for now_s in arrivals_s if check.count(size, now_s=now_s))]


@pytest.mark.parametrize(
    ("says_hz", "delivers_hz"), [(48_000, 44_100), (44_100, 48_000), (44_100, 16_000), (96_000, 48_000)]
)
def test_the_true_rate_is_found_once(says_hz: int, delivers_hz: int) -> None:
    assert rates(says_hz, delivers_hz, seconds=19.0) == [says_hz], "one window may be an accident"
    assert rates(says_hz, delivers_hz, seconds=120.0, late_s=0.04) == [says_hz, delivers_hz]


@pytest.mark.parametrize("part", [1.0001, 0.9999, 1.01, 0.99, 0.95, 0.7])
def test_clocks_that_drift_and_devices_that_stutter_are_left_alone(part: float) -> None:
    assert rates(48_000, 48_000 * part, seconds=120.0, late_s=0.04) == [48_000]


def test_what_is_told_to_be_lost_counts() -> None:
    check = RateCheck(48_000)
    assert not any(check.count(44_100 // 20 + 195, now_s=block * BLOCK_S) for block in range(1200))
