"""The tempo network, its task, and the whole way to an evaluated int8 model, on tiny generated data."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.model import TfliteModel
from tests.training.commands import command
from tests.training.conftest import pulsing_noise
from training.data.dataset import pack, to_bytes
from training.tempo.grid import BPM_BINS
from training.tempo.score import octave_errors, peak_bpm, scores

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[2]
TINY = (
    'init=""', "net.curves=2", "net.width=4",
    "float.steps=3", "float.batch=4", "float.warmup=1", "float.validate_every=3",
    "int8.steps=2", "int8.batch=4", "int8.warmup=1", "int8.validate_every=2",
)  # fmt: skip


def test_scores_follow_mir_eval() -> None:
    truth = np.array([100.0, 100.0, 100.0, 100.0, 100.0])
    estimate = np.array([104.0, 104.1, 50.0, 300.0, 130.0])
    found = scores(estimate, truth, truth)
    assert found["accuracy1"] == pytest.approx(0.2)
    assert found["accuracy2"] == pytest.approx(0.6)
    assert found["rmse_mean_bpm"] == 0.0
    assert octave_errors(estimate, truth) == {"third": 0, "half": 1, "double": 0, "triple": 1, "other": 2}


def test_peak_lies_between_bins() -> None:
    posterior = np.zeros(len(BPM_BINS))
    posterior[50:52] = 0.5
    assert BPM_BINS[50] < peak_bpm(posterior) < BPM_BINS[51]


def test_oscillators_answer_to_their_tempo() -> None:
    from training.tempo.grid import BANK_BPM, FRAMES_PER_SECOND
    from training.tempo.net import PHASES, oscillators

    kernels = oscillators(96)[:, 0, 0].reshape(96, PHASES, len(BANK_BPM))
    np.testing.assert_allclose(kernels.sum(axis=0), 0.0, atol=1e-4)
    for bpm in (60.0, 120.0, 174.0):
        beat = np.cos(2.0 * np.pi * np.arange(96) * bpm / 60.0 / FRAMES_PER_SECOND)
        answer = np.maximum(np.einsum("t,tpb->pb", beat, kernels), 0.0).sum(axis=0)
        assert BANK_BPM[answer.argmax()] == pytest.approx(bpm, rel=0.03)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data, prepared sets, a finished run and the exported model."""
    folder = tmp_path_factory.mktemp("tempo")
    rng = np.random.default_rng(0)
    write_prepared(folder / "prepared", rng)
    write_data(folder / "data", rng)
    overrides = [part for setting in (*TINY, f'sets={{"{folder}/synth" = 0.5}}') for part in ("--set", setting)]
    train = ("training.train", ROOT / "training/configs/tempo.toml", "--prepared", folder / "prepared")
    command(*train, "--out", folder / "run", *overrides)
    command("training.export", folder / "run", "--prepared", folder / "prepared", "--out", folder / "model")
    return folder


def write_prepared(folder: Path, rng: np.random.Generator) -> None:
    folder.mkdir()
    loud = [rng.normal(-6.0, 3.0, (387, 128)).astype(np.float32) for _ in range(4)]
    names = np.array([f"clip.{index}" for index in range(4)])
    split, bpm = np.array(["train", "train", "valid", "valid"]), np.array([100.0, 120.0, 90.0, np.nan])
    columns = {"name": names, "split": split, "bpm": bpm}
    pack(loud, frames_per_second=12.5, dataset=np.full(4, "gtzan"), **columns).save(folder / "gtzan.npz")
    fast = [rng.normal(-6.0, 3.0, (900, 128)).astype(np.float32) for _ in range(4)]
    pack(fast, frames_per_second=50.0, dataset=np.full(4, "fnf"), **columns).save(folder / "audio.npz")
    (folder.parent / "synth").mkdir()
    np.savez(
        folder.parent / "synth" / "shard_00000.npz",
        level=to_bytes(rng.normal(-6.0, 3.0, (2, 750, 128)).astype(np.float32)),
        length=np.array([750, 700]),
        bpm=np.array([128.0, 174.0]),
        feature=np.array(SPEC.digest),
    )


def write_data(folder: Path, rng: np.random.Generator) -> None:
    folder.mkdir()
    np.savez(
        folder / "gtzan_mel_test.npz",
        name=np.array(["blues.00000", "blues.00001"]),
        genre=np.array(["blues", "blues"]),
        split=np.array(["test", "train"]),
        level=rng.integers(0, 256, (2, 128, 387), np.uint8),
        range_db=np.full(2, 80.0, np.float32),
        peak_db=np.full(2, 30.0, np.float32),
        frame_index=np.rint(np.arange(387) * 3.3368).astype(np.int64),
        bpm=np.array([100.0, 120.0]),
        ibi_cv=np.zeros(2),
    )
    soundfile.write(folder / "song.wav", pulsing_noise(rng, 6.0), 22_050)
    with (folder / "manifest.csv").open("w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["path", "dataset", "genre", "bpm", "ibi_cv", "split", "duration_s", "source_id", "licence"])
        writer.writerow(["song.wav", "fnf", "game", "150.0", "", "", "6.0", "", ""])


def test_exported_model_replays_its_golden_window(run: Path) -> None:
    model = TfliteModel(run / "model")
    with np.load(run / "model" / "golden.npz") as golden:
        np.testing.assert_array_equal(model.run(golden["window"]), golden["logits"])
    assert len(model.manifest.output["bpm"]) == len(BPM_BINS)
    assert "{" not in (run / "model" / "CARD.md").read_text()


def test_recovered_weights_are_those_that_were_quantized(run: Path) -> None:
    from training import recover
    from training.tempo import net

    model, taught = net.build(curves=2, width=4), net.build(curves=2, width=4)
    recover.recover(model, run / "model" / "model.tflite")
    taught.load_weights(run / "run" / "float.weights.h5")  # before the few steps of the int8 phase
    compared = 0
    for one, other in zip(model.layers, taught.layers, strict=True):
        weights = one.get_weights()
        if len(weights) not in (1, 2):
            continue
        shape = (-1, weights[0].shape[2]) if "depthwise" in one.name else (-1, weights[0].shape[-1])
        for found, true in zip(weights[0].reshape(shape).T, other.get_weights()[0].reshape(shape).T, strict=True):
            assert np.corrcoef(found, true)[0, 1] > 0.98, one.name  # what is folded scales a filter as a whole
            compared += 1
    assert compared > 100
    windows = np.random.default_rng(1).normal(-6.0, 3.0, (6, 150, 128)).astype(np.float32)
    said = model.predict(windows[..., None], verbose=0)
    recover.normalise(model, [windows[:3], windows[3:]])
    np.testing.assert_allclose(model.predict(windows[..., None], verbose=0), said, atol=1e-4)


def test_evaluate_scores_features_and_audio_of_any_split_and_suffix(run: Path) -> None:
    text = command(
        "training.evaluate", "tempo", "--data", run / "data", "--split", "test", "--model", run / "model", "--json"
    )
    report = json.loads(text)
    assert {name: values["n"] for name, values in report.items()} == {"gtzan_mel_test": 1, "exact_songs": 1}
    for values in report.values():
        assert {"accuracy1", "accuracy2", "rmse_bpm", "rmse_mean_bpm", "octave_errors", "first_right_s"} <= set(values)


def test_report_draws_every_picture_into_the_model_folder(run: Path) -> None:
    prepared, data, model = run / "prepared", run / "data", run / "model"
    where = ("--run", run / "run", "--prepared", prepared, "--data", data, "--split", "test", "--model", model)
    command("training.report", "tempo", *where)
    for name in ("scatter", "errors", "octaves", "examples", "learning"):
        assert (model / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert 1_500 < (model / f"{name}.png").stat().st_size < 150_000
