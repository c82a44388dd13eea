"""The inputs compared with log-mel: each does what its name says; the comparison runs and remembers what is done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from training.data import sources
from training.nets import blocks
from training.studies import representations as inputs

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[2]


def level(frames: int = 126) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.full((1, frames, 128, 1), 5.0, np.float32)


def test_level_is_blind_to_gain_and_ends_at_the_depth() -> None:
    window = np.random.default_rng(0).normal(-5.0, 4.0, (2, 30, 128, 1)).astype(np.float32)
    found = blocks.relative_level(window, depth=inputs.DEPTH).numpy()
    np.testing.assert_allclose(found, blocks.relative_level(window + 3.0, depth=inputs.DEPTH).numpy(), atol=1e-5)
    assert found.max() == pytest.approx(inputs.DEPTH)
    assert found.min() == 0.0


def test_pcen_lets_a_steady_sound_fade_and_an_onset_stand_out() -> None:
    sound = level() + 5.0
    sound[:, 60:, 40:50] = 15.0
    found = inputs.pcen(sound).numpy()[0, :, :, 0]
    assert found[60, 45] > 1.5 * found[100, 45]  # new, then no longer
    assert found[100, 45] == pytest.approx(found[100, 100], rel=0.15)  # however loud it is
    assert found[:, 100].std() < 1e-4


def test_smoothing_is_a_first_order_recursion() -> None:
    signal = np.random.default_rng(1).normal(size=20)
    step = 1.0 - np.exp(-1.0 / (inputs.PCEN_SMOOTHING_S * inputs.FRAMES_PER_SECOND))
    state, expected = signal[0], []
    for value in signal:
        state = (1.0 - step) * state + step * value
        expected.append(state)
    np.testing.assert_allclose(inputs.smoothing(20) @ signal, expected, rtol=1e-5)


def test_mfcc_of_a_flat_spectrum_is_its_level_alone() -> None:
    found = inputs.mfcc(level()).numpy()
    assert found.shape == (1, 126, inputs.COEFFICIENTS, 1)
    assert found[0, 0, 0, 0] > 50.0
    np.testing.assert_allclose(found[:, :, 1:], 0.0, atol=1e-3)


def test_tones_and_strikes_are_told_apart() -> None:
    sound = np.zeros((1, 126, 128, 1), np.float32)
    sound[:, :, 60] = 16.0
    sound[:, 30] = 16.0
    lasting, striking = np.moveaxis(inputs.harmonic_percussive(sound).numpy()[0], -1, 0)
    assert lasting[80, 60] > striking[80, 60] + 5.0
    assert striking[30, 100] > lasting[30, 100] + 5.0


@pytest.mark.parametrize("axis", [1, 2])
def test_median_in_one_row_is_that_of_the_plane(axis: int) -> None:
    noise = np.random.default_rng(2).normal(size=(2, 40, 128)).astype(np.float32)
    plane = ndimage.median_filter(noise, 17, axes=(axis,), mode="nearest")
    np.testing.assert_array_equal(inputs.median(noise, axis, 17), plane)


def test_delta_is_the_slope() -> None:
    ramp = level()
    ramp += np.arange(126, dtype=np.float32)[None, :, None, None] * 0.25
    found = inputs.with_delta(ramp).numpy()
    np.testing.assert_array_equal(found[..., :1], ramp)
    np.testing.assert_allclose(found[:, 5:-5, :, 1], 0.25, atol=1e-4)


def test_comparison_prints_a_row_for_each_input_and_trains_each_once(data: Path, tmp_path: Path) -> None:
    sets = {"gtzan": sources.read_gtzan, "fma-small": sources.read_fma_small, "audio": sources.read_audio}
    for name, read in sets.items():
        read(data).save(tmp_path / f"{name}.npz")
    command = [
        sys.executable,
        "-m",
        "training.studies.inputs",
        "--prepared",
        str(tmp_path),
        "--out",
        str(tmp_path / "out"),
    ]
    command += ["--steps", "2", "--batch", "4", "--seeds", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    texts = []
    for _ in range(2):
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=600, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr[-2000:]
        texts.append(done.stdout)
    rows = [line.split("|")[1].strip() for line in texts[0].splitlines() if line.startswith("| ")]
    assert rows == ["input", *inputs.INPUTS]
    assert texts[0].count("loss") == len(inputs.INPUTS)
    assert texts[1] == "\n".join(texts[0].splitlines()[-len(rows) - 1 :]) + "\n"
    kept_apart = {f"{name.replace(' ', '')}-2x4-1" for name in inputs.INPUTS}  # from trainings of another length
    assert {folder.name for folder in (tmp_path / "out").iterdir()} == kept_apart
