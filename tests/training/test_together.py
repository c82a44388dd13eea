"""Two processes that train together learn what one learns; and what is drawn ahead is what would be drawn in turn."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from tests.support.real_process import ROOT, environment, free_port
from training.task import Batch

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.train


def learn(out: Path, *arguments: str) -> subprocess.Popen[str]:
    out.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.training.together", str(out), *arguments]
    env = environment({"TF_USE_LEGACY_KERAS": "1", "CUDA_VISIBLE_DEVICES": ""})
    return subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def result(out: Path) -> tuple[list[float], list[Any]]:
    """Return the losses that were logged, and all weights."""
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    weights: list[Any] = []
    with h5py.File(out / "float.weights.h5") as file:
        file.visititems(lambda _, found: weights.append(found[()]) if isinstance(found, h5py.Dataset) else None)
    return [row["loss"] for row in rows], weights


def test_two_workers_learn_what_one_learns(tmp_path: Path) -> None:
    ports = [str(free_port()) for _ in range(2)]
    one, two = tmp_path / "one", tmp_path / "two"
    processes = [learn(one), *(learn(two, str(number), *ports) for number in range(2))]
    for process in processes:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
    (losses, weights), (losses_of_two, weights_of_two) = result(one), result(two)
    assert len(losses) == 3
    np.testing.assert_allclose(losses_of_two, losses, rtol=1e-4)
    assert len(weights) == len(weights_of_two) > 3
    for found, wanted in zip(weights_of_two, weights, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)


class Numbers:
    """Draws batches that tell their seed."""

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        return Batch(rng.normal(size=(size, 2, 3)).astype(np.float32), {"label": rng.integers(9, size=size)})


@pytest.mark.filterwarnings("ignore:distutils")
def test_batches_ahead_are_those_of_their_steps() -> None:
    from training.train import Phase, batches

    found = list(batches(Numbers(), Phase(steps=7, rate=1.0), seed=[3], first=2, size=4))  # type: ignore[arg-type]
    wanted = [Numbers().batch(np.random.default_rng([3, step]), 4) for step in range(2, 7)]
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one.windows, other.windows)
        np.testing.assert_array_equal(one.targets["label"], other.targets["label"])
