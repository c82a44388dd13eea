"""The key's training path on tiny generated data: songs -> prepare -> train -> export -> evaluate."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_analyzer.analysis.manifest import load_manifest
from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.analysis.pitches import PITCHES, StreamingPitches
from stream_analyzer.errors import ConfigError
from tests.analysis.test_key import cadence
from tests.training.commands import command
from training.key import evaluate, pitch_set, songs, template
from training.key.score import scores, weighted
from training.key.songs import Composer
from training.music import mma_styles
from training.music.midi import DRUM_CHANNEL, Note, Score, write_midi

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[2]
TINY = ("float.steps=30", "float.batch=16", "float.warmup=1", "float.validate_every=15", "int8.steps=4", "int8.batch=8",
        "int8.warmup=1", "int8.validate_every=2")  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with data, generated songs, a run and a model."""
    folder = tmp_path_factory.mktemp("key")
    audio, annotations = folder / "shared/audio/gtzan", folder / "shared/annotations"
    audio.mkdir(parents=True)
    annotations.mkdir()
    rows, keys, songs = ["path,dataset,genre,bpm,ibi_cv,split,duration_s,source_id,licence"], ["clip,key"], []
    for key in range(24):
        name, sound = f"pop.{key:05d}", cadence(key, seconds=12.0)
        soundfile.write(audio / f"{name}.wav", sound, PITCHES.sample_rate_hz)
        rows.append(f"gtzan/{name}.wav,gtzan,pop,,,{'valid' if key % 4 == 0 else 'train'},12.0,{name},none")
        keys.append(f"{name},{('C', 'C#', 'D', 'D#', 'E', 'F', 'F#', 'G', 'G#', 'A', 'A#', 'B')[key % 12]} "
                    f"{'minor' if key >= 12 else 'major'}")  # fmt: skip
        songs.append(StreamingPitches().push(sound))
    keys.append("pop.00099,")
    (folder / "shared/audio/manifest.csv").write_text("\n".join(rows) + "\n")
    (annotations / "gtzan_keys.csv").write_text("\n".join(keys) + "\n")
    (folder / "songs").mkdir()
    generated = pitch_set.pack(songs, list(range(24)), ["train"] * 24, [f"0.{i}" for i in range(24)], "generated")
    generated.save(folder / "songs/shard_00000.npz")
    command("training.prepare", "keys", "--data", folder / "shared", "--out", folder / "data")
    config = (ROOT / "training/configs/key.toml").read_text().replace("runs/key/songs", str(folder / "songs"))
    (folder / "key.toml").write_text(config)
    overrides = [part for setting in TINY for part in ("--set", setting)]
    command("training.train", folder / "key.toml", "--prepared", folder / "data", "--out", folder / "run", *overrides)
    command("training.export", folder / "run", "--prepared", folder / "data", "--out", folder / "model")
    return folder


def test_the_exported_model_hears_keys_as_it_is_served(run: Path) -> None:
    model = TfliteModel(run / "model")
    model.verify()
    sounds = {key: cadence(key, seconds=9.0)[:, None] for key in (1, 14, 20)}
    judged = [evaluate._judge(run / "model", sound, 22_050, truth=key) for key, sound in sounds.items()]
    report = evaluate._report(judged)
    assert report["n"] == 3
    assert report["weighted"] > 0.5
    assert report["first_right_s_median"] < 9.0


def test_manifest_and_card_tell_of_it(run: Path) -> None:
    manifest = load_manifest(run / "model")
    assert (manifest.shape, manifest.window_s, round(manifest.first_s, 1)) == ((12, 2364), 30.0, 2.9)
    assert {row["dataset"] for row in manifest.metrics} == {"gtzan (audio, human keys)"}
    card = (run / "model" / "CARD.md").read_text()
    assert "{" not in card


def test_the_prepared_set_has_the_clips_with_a_key_and_no_other(run: Path) -> None:
    prepared = pitch_set.load([run / "data/keys.npz"])
    assert (len(prepared), sorted(prepared.key.tolist())) == (24, list(range(24)))
    assert sorted(set(prepared.split.tolist())) == ["train", "valid"]
    salient = prepared.salience([0, 13])
    assert [template.match(one) for one in salient] == [0, 13], "templates know a plain cadence"


def test_frames_of_another_definition_are_refused(tmp_path: Path) -> None:
    (tmp_path / "old.npz").write_bytes(b"no archive")
    with pytest.raises(ConfigError, match="can't read"):
        pitch_set.load([tmp_path / "old.npz"])
    np.savez(tmp_path / "other.npz", feature=np.array("0123456789abcdef"))
    with pytest.raises(ConfigError, match="made for feature definition 0123456789abcdef"):
        pitch_set.load([tmp_path / "other.npz"])
    with pytest.raises(ConfigError, match=r"training\.prepare music"):
        pitch_set.load([])


def test_scores_are_those_of_mirex() -> None:
    assert [weighted(0, found) for found in (0, 7, 21, 12, 5, None)] == [1.0, 0.5, 0.3, 0.2, 0.0, 0.0]
    assert scores([0, 21], [0, None])["weighted"] == 0.5


def test_a_report_is_published_with_its_intervals(run: Path) -> None:
    from training.publish import publish

    part = {"n": 40, "weighted": 0.5, "right": 0.4, "told_of_the_whole": 0.45, "right_within_15_s": 0.6}
    changes = {"n": 8, "followed_within_12_s": 0.75, "held_through_drums": 1.0, "n_held": 6}
    publish(run / "model", task="key", report={"gtzan": part, "key changes": changes}, split="valid")
    shown = [row for row in load_manifest(run / "model").metrics if "value" in row]
    assert [(row["metric"], row["n"]) for row in shown] == [
        ("weighted", 40), ("right", 40), ("told_of_the_whole", 40), ("right_within_15_s", 40),
        ("followed_within_12_s", 8), ("held_through_drums", 6),
    ]  # fmt: skip
    assert "interval" not in shown[0]
    assert shown[-1]["interval"][1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("channel", "kinds"), [(0, ["mma zoom/funk"]), (DRUM_CHANNEL, [])], ids=["tones", "drums alone"]
)
def test_a_groove_of_drums_alone_is_no_song(
    channel: int, kinds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "midi").mkdir()
    zipfile.ZipFile(tmp_path / "midi/pop909.zip", "w").close()
    score = Score(programs={})
    score.notes = [Note(start=0.0, length=1.0, channel=channel, pitch=60, velocity=90)]
    sound = np.full(40 * PITCHES.sample_rate_hz, 0.1, np.float32)
    monkeypatch.setattr(mma_styles, "grooves", lambda: {"zoom/funk": ["Funk", "Funk1"]})
    monkeypatch.setattr(songs, "run_mma", lambda _text, **_seed: write_midi(score, bpm=100.0))
    monkeypatch.setattr(songs, "render", lambda _midi, _rng: sound)
    made = Composer(tmp_path, split="train").chart(np.random.default_rng(0), 30.0)
    assert [song.kind for song in (made,) if song] == kinds
