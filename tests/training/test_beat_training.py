"""Training of beats: what is cut lines up with its beats, the streaming network is the whole one, all of it runs."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections import OrderedDict
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter

import numpy as np
import pytest

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.model import TfliteModel, pairs_of_past
from stream_analyzer.errors import ConfigError, ModelError
from stream_analyzer.types import Beat
from training.beat import clips as clip_files
from training.beat import data, evaluate, songs, teacher
from training.beat.clips import Clip
from training.beat.export import BLOCK, blocks, streaming_network
from training.beat.net import build
from training.data.dataset import to_bytes
from training.music import metres
from training.music.patterns import KICK
from training.music.synth import Recording, Song

from .commands import command

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.train

NET: dict[str, Any] = {"width": 8, "blocks": 3, "dropout": 0.0}


def clip(name: str = "clicks", *, seconds: float = 12.0, every_s: float = 0.5) -> Clip:
    """Return a clip whose frames are loud where a beat begins, each third beat a downbeat."""
    time_s = np.arange(0.3, seconds, every_s)
    frames = np.full((round(seconds * 50), SPEC.n_mels), -10.0, np.float32)
    frames[np.rint(time_s * 50).astype(int)] = 2.0
    place = np.arange(len(time_s)) % 3 + 1.0
    return Clip(name, to_bytes(frames), np.asarray(time_s, np.float64), np.asarray(place, np.float64))


@pytest.mark.parametrize("spread", [0.0, 0.25])
def test_targets_lie_where_the_beats_of_a_cut_are(spread: float) -> None:
    for seed in range(12):
        cut = data.cut(clip(), np.random.default_rng(seed), frames=300, spread=spread)
        loud = np.flatnonzero(cut.frames.mean(axis=1) > -4.0)
        beats = np.flatnonzero(cut.target[:, 0] == 1.0)
        assert len(beats) >= 8
        assert np.abs(loud[:, None] - beats).min(axis=1).max() <= 1
        assert set(np.flatnonzero(cut.target[:, 1] == 1.0)) <= set(beats)
        assert np.diff(np.flatnonzero(cut.target[:, 1] == 1.0)).min() >= 2 * np.diff(beats).min()


def test_what_a_clip_does_not_fill_or_say_counts_for_nothing() -> None:
    short = replace(clip(seconds=4.0), place=np.zeros(8))
    cut = data.cut(short, np.random.default_rng(0), frames=300, spread=0.0)
    assert cut.weight[:190, 0].min() == 1.0
    assert cut.weight[210:].max() == 0.0
    assert cut.weight[:, 1].max() == 0.0


def test_what_a_teacher_heard_is_the_target() -> None:
    heard = np.linspace(0.0, 1.0, 600, dtype=np.float32)[:, None] * np.array([[1.0, 0.5]], np.float32)
    labelled = replace(clip(), time_s=np.empty(0), place=np.empty(0), heard=heard)
    cut = data.cut(labelled, np.random.default_rng(1), frames=200, spread=0.0)
    assert np.allclose(cut.target[:, 1], 0.5 * cut.target[:, 0], atol=1e-3)
    assert np.diff(cut.target[:, 0]).min() > 0.0


def test_clips_survive_their_file(tmp_path: Path) -> None:
    heard = replace(clip("heard"), time_s=np.empty(0), place=np.empty(0), heard=np.full((600, 2), 0.25, np.float32))
    clip_files.write_clips(tmp_path / "tapped.npz", [clip("one"), clip("two", every_s=0.7)])
    clip_files.write_clips(tmp_path / "heard.npz", [heard])
    found = {one.name: one for one in clip_files.read_clips(tmp_path)}
    assert set(found) == {"one", "two", "heard"}
    assert np.array_equal(found["two"].time_s, clip(every_s=0.7).time_s)
    assert np.array_equal(found["two"].level, clip(every_s=0.7).level)
    assert found["heard"].heard is not None
    assert found["heard"].heard.max() == 0.25
    with pytest.raises(ConfigError, match="no clips in"):
        clip_files.read_clips(tmp_path / "absent")
    with np.load(tmp_path / "tapped.npz") as file:
        np.savez(tmp_path / "tapped.npz", **{**file, "feature": np.array("other")})
    with pytest.raises(ConfigError, match="make it again"):
        clip_files.read_clips(tmp_path)


def test_a_recording_knows_its_beats() -> None:
    song = Song(b"", 120.0, "made", downbeat=1.0, beats_in_bar=3)
    recording = Recording(np.zeros(5 * SPEC.sample_rate_hz, np.float32), song, start_s=0.8, clean=True)
    time_s, place = songs.beats(recording)
    assert time_s[:3] == pytest.approx([0.2, 0.7, 1.2])  # beats 2, 3, 4 of the score fall at 1.0, 1.5, 2.0 s
    assert place[:4].tolist() == [2.0, 3.0, 1.0, 2.0]  # beat 1 is a downbeat, so is beat 4
    unknown = replace(recording, song=replace(song, beats_in_bar=0))
    assert not songs.beats(unknown)[1].any()


@pytest.mark.parametrize("metre", metres.METRES, ids=lambda metre: metre.name)
def test_bars_of_a_metre_begin_alike(metre: metres.Metre) -> None:
    on_beats = np.zeros(metre.beats)
    for seed in range(8):
        score = metres.compose(metre, np.random.default_rng(seed), beats=64.0)
        assert score.beats > 64.0 - metre.beats
        kicks = [note.start % metre.beats for note in score.notes if note.pitch == KICK]
        np.add.at(on_beats, [round(one) % metre.beats for one in kicks if abs(one - round(one)) < 0.05], 1)
    assert int(np.argmax(on_beats)) == 0


def test_the_streaming_network_hears_what_the_whole_one_hears() -> None:
    config = {"net": NET}
    whole = build(**NET)
    rng = np.random.default_rng(2)
    weights = [rng.normal(0.0, 0.3, weight.shape) for weight in whole.get_weights()]
    positive = ["variance" in weight.name for weight in whole.weights]
    whole.set_weights([np.abs(one) + 1.0 if above else one for one, above in zip(weights, positive, strict=True)])
    streaming = streaming_network(whole, config)
    levels = rng.uniform(0.0, 10.0, (12 * BLOCK, 128)).astype(np.float32)
    expected = whole.predict(levels[None, :, :, None], verbose=0)[0]
    past = [np.zeros(tensor.shape, np.float32) for tensor in streaming.inputs[1:]]
    heard = []
    for block in blocks(levels):
        logits, *past = streaming.predict([block, *past], verbose=0)
        heard.append(logits.reshape(BLOCK, 2))
    assert np.abs(np.concatenate(heard) - expected).max() < 1e-3
    assert np.abs(expected).max() > 0.1


def test_beats_are_scored_against_taps() -> None:
    truth = evaluate.Truth(*(np.asarray(one, np.float64) for one in (np.arange(0.0, 20.0, 0.5), np.arange(40) % 4 + 1)))
    beats = [
        Beat(time + 0.05, time + 0.01, int(place), 4, confidence=1.0, next_s=time + 0.52, bpm=120.0)
        for time, place in zip(truth.time_s, truth.place, strict=True)
    ]
    right = evaluate.score(truth, beats)
    assert (right["beat"], right["cmlt"], right["downbeat"], right["metre"]) == (1.0, 1.0, 1.0, 1.0)
    assert right["foretold_ms"] == pytest.approx(20.0)
    doubled = evaluate.score(truth, [replace(beat, beat_s=beat.beat_s / 2.0) for beat in beats])
    assert doubled["beat"] < 0.8
    assert doubled["amlt"] > doubled["cmlt"]
    assert evaluate.score(truth, [])["beat"] == 0.0
    unsaid = evaluate.Truth(truth.time_s, np.zeros(40))
    assert np.isnan(evaluate.score(unsaid, beats)["metre"])


def test_the_teacher_reads_weights_and_hears_in_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = {
        "conv1.weight": (2, 1, 10), "conv1.bias": (2,), "linear0.weight": (150, 262), "linear0.bias": (150,),
        **{f"lstm.{name}_l{n}": (600, 150) if "weight" in name else (600,) for n in (0, 1) for name in teacher.PARTS},
        "linear.weight": (3, 150), "linear.bias": (3,),
    }  # fmt: skip
    wheel = tmp_path / "made.whl"
    _write_torch(wheel, {name: rng.normal(0.0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()})
    network = teacher.BeatNet(wheel, 1)
    features = rng.uniform(0.0, 1.0, (2, 30, 272)).astype(np.float32)
    heard = network.run(features)
    assert heard.shape == (2, 30, 2)
    assert (heard[..., 1] <= heard[..., 0]).all()
    later = features.copy()
    later[:, 20:] = 0.0
    changed = network.run(later)
    assert np.array_equal(changed[:, :20], heard[:, :20])  # causal
    assert np.abs(changed[:, 20:] - heard[:, 20:]).max() > 1e-4


class _Stored:
    """Pickles as torch's storages do."""

    def __init__(self, key: str) -> None:
        self.key = key


def _write_torch(wheel: Path, weights: dict[str, np.ndarray[Any, Any]]) -> None:
    """Write weights as torch does: a zip with a pickle of views into stored numbers."""
    inner = wheel.with_suffix(".pt")

    class Writer(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return ("storage", None, obj.key, "cpu", 0) if isinstance(obj, _Stored) else None

    tensors = OrderedDict((name, _Tensor(name, value)) for name, value in weights.items())
    with zipfile.ZipFile(inner, "w") as archive, archive.open("archive/data.pkl", "w") as file:
        Writer(file).dump(tensors)
    with zipfile.ZipFile(inner, "a") as archive:
        for name, value in weights.items():
            archive.writestr(f"archive/data/{name}", value.tobytes())
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(inner, "BeatNet/models/model_1_weights.pt")


class _Tensor:
    def __init__(self, name: str, value: np.ndarray[Any, Any]) -> None:
        self.name, self.value = name, value

    def __reduce__(self) -> Any:
        return _rebuild_tensor_v2, (_Stored(self.name), 0, self.value.shape, (), False, OrderedDict())


def _rebuild_tensor_v2(*_: object) -> None:
    """Stand for torch's function of this name: the reader replaces it."""


def test_the_whole_path_runs(tmp_path: Path) -> None:
    recordings, songs_folder, run = tmp_path / "recordings", tmp_path / "songs", tmp_path / "run"
    for folder in (recordings, songs_folder):
        folder.mkdir()
    clip_files.write_clips(
        songs_folder / "shard_00000.npz", [clip(f"song {n}", every_s=0.4 + 0.1 * n) for n in range(3)]
    )
    for split in ("train", "valid"):
        clip_files.write_clips(recordings / f"tapped_{split}.npz", [clip(f"{split} {n}") for n in range(2)])
    settings = {"net.width": 8, "net.blocks": 3, "float.steps": 4, "float.batch": 2, "float.validate_every": 2,
                "float.warmup": 1, "mix.heard": 0.0, "mix.frames": 200, "float.precision": '"float32"'}  # fmt: skip
    arguments = ["--songs", str(songs_folder), "--recordings", str(recordings), "--out", str(run), "--init", ""]
    command(
        "training.beat.train", *arguments, *(x for key, value in settings.items() for x in ("--set", f"{key}={value}"))
    )
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == [2, 4]
    command("training.beat.export", run, "--recordings", recordings, "--out", tmp_path / "beat", "--version", "0")
    model = TfliteModel(tmp_path / "beat")
    model.verify()
    assert model.outputs == 2 * BLOCK
    assert "Beat model, version 0" in (tmp_path / "beat" / "CARD.md").read_text(encoding="utf-8")
    levels = clip().level[:BLOCK].astype(np.float32) / 25.0
    first, second = model.run(levels), model.run(levels)
    model.reset()
    assert np.array_equal(model.run(levels), first)
    assert not np.array_equal(first, second)  # it keeps a past


def test_a_past_that_nothing_renews_is_refused() -> None:
    levels = {
        "name": "levels",
        "shape": np.array([1, 5, 128, 1]),
        "quantization": (0.1, 3),
        "dtype": np.int8,
        "index": 4,
    }
    kept = {**levels, "name": "past", "shape": np.array([1, 4, 1, 8]), "index": 5}
    with pytest.raises(ModelError, match="has no output that renews it"):
        pairs_of_past("beat", [levels, kept], [{**kept, "quantization": (0.2, 3)}], but=(1, 5, 128, 1))
    assert pairs_of_past("beat", [levels, kept], [{**kept, "index": 6}], but=(1, 5, 128, 1)) == [(5, 6)]


def test_a_lesson_learns_from_what_is_there() -> None:
    with catch_warnings():
        simplefilter("ignore")  # what TensorFlow warns of is not ours
        train = import_module("training.beat.train")
    mix = train.Mix(songs=0.5, tapped=0.5, heard=0.0, frames=200, spread=0.2, spoilt=0.5)
    lesson = train.BeatLesson(mix, NET, {"songs": [clip()], "tapped": [], "heard": []}, [clip("valid")])
    batch = lesson.batch(np.random.default_rng(0), 3)
    assert batch.windows.shape == (3, 200, 128)
    assert batch.targets["target"].shape == batch.targets["weight"].shape == (3, 200, 2)
    perfect = lesson.validate(lambda levels: _logits_of_clicks(levels[0])[None])
    assert perfect["beat"] > 0.95
    assert perfect["score"] > lesson.validate(lambda levels: np.zeros((1, levels.shape[1], 2), np.float32))["score"]


def _logits_of_clicks(levels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    loud = levels.mean(axis=1) > 5.0
    return np.where(loud[:, None], 4.0, -4.0) * np.ones((1, 2), np.float32)
