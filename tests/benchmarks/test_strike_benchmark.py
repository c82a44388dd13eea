"""How late a beat was struck is counted from the nearest one."""

from __future__ import annotations

from benchmarks.strike import FIRST, lateness_ms


def test_early_and_late_are_told_apart_and_the_first_beats_do_not_count() -> None:
    struck_s = [100.2] * FIRST + [100.0 + beat / 2 + late for beat, late in enumerate([-0.004] + [0.003] * 20 + [0.01])]
    found = lateness_ms(struck_s, 90.0)
    assert (found["beats"], found["median_ms"]) == (22, 3.0)
    assert found["p5_ms"] < 3.0 < found["p95_ms"]
