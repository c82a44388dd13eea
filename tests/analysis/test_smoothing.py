"""Forgetting mean and held label."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_analyzer.analysis.smoothing import PATIENCE, HeldLabel, PatientMean, RollingMean

if TYPE_CHECKING:
    from stream_analyzer.types import F32


def array(values: list[float]) -> F32:
    return np.array(values, np.float64)


def test_first_mean_is_the_first_vector() -> None:
    mean = RollingMean(time_constant_s=4.0)
    assert mean.value is None
    np.testing.assert_array_equal(mean.update(array([1.0, -2.0]), time_s=37.0), [1.0, -2.0])


def test_weight_falls_to_one_over_e_in_a_time_constant() -> None:
    mean = RollingMean(time_constant_s=4.0)
    mean.update(array([1.0]), time_s=10.0)
    result = mean.update(array([0.0]), time_s=14.0)
    old = math.exp(-1.0)
    assert result[0] == pytest.approx(old / (1.0 + old))
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, mean.value)


def test_hours_without_a_vector_forget_all() -> None:
    mean = RollingMean(time_constant_s=4.0)
    mean.update(array([5.0]), time_s=1.0)
    assert mean.update(array([-1.0]), time_s=1e5)[0] == -1.0


def test_reset_mean_equals_a_new_one() -> None:
    used, new = RollingMean(time_constant_s=2.0), RollingMean(time_constant_s=2.0)
    used.update(array([3.0]), time_s=1.0)
    used.reset()
    assert used.__dict__ == new.__dict__


def patient() -> PatientMean:
    return PatientMean(time_constant_s=4.0, labels=2, temperature=1.0)


def test_patient_mean_is_a_slow_one_while_all_agrees() -> None:
    mean, slow = patient(), RollingMean(time_constant_s=PATIENCE * 4.0)
    for second in range(60):
        vector = array([1.0 + 0.3 * (-1) ** second, 0.0, 5.0 * second])  # the third is no label
        np.testing.assert_allclose(mean.update(vector, time_s=second), slow.update(vector, time_s=second))


def test_patient_mean_leaves_what_is_over() -> None:
    mean, slow = patient(), RollingMean(time_constant_s=PATIENCE * 4.0)
    for second in range(120):
        vector = array([4.0, 0.0]) if second < 100 else array([0.0, 4.0])
        first, plain = mean.update(vector, time_s=second), slow.update(vector, time_s=second)
        if second == 106:
            assert first[1] > first[0], "seconds after the change it has begun again"
            assert plain[0] > plain[1], "which a slow mean alone takes longer for"
    assert first[1] - first[0] > 3.5, "little of what was before is left"


def test_reset_patient_mean_equals_a_new_one() -> None:
    used, new = patient(), patient()
    vectors = [array([1.0, 0.0]), array([-2.0, 3.0])]
    for second, vector in enumerate(vectors):
        used.update(vector, time_s=second)
    used.reset()
    for second, vector in enumerate(vectors):
        np.testing.assert_array_equal(used.update(vector, time_s=second), new.update(vector, time_s=second))


def test_label_changes_only_with_a_clear_lead() -> None:
    held = HeldLabel(margin=0.1)
    shown = [held.update(array(p)) for p in ([0.6, 0.4], [0.48, 0.52], [0.44, 0.56], [0.52, 0.48])]
    assert shown == [0, 0, 1, 1]


def test_reset_label_holds_nothing() -> None:
    held = HeldLabel(margin=0.5)
    held.update(array([0.9, 0.1]))
    held.reset()
    assert held.update(array([0.4, 0.6])) == 1
