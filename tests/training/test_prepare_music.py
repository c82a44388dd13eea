"""`prepare music`: songs by the shard, each drawn from the seed and its number alone."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_analyzer.analysis.features import SPEC
from tests.support.cluster import in_process
from tests.training.commands import command
from training import prepare
from training.music import synth
from training.tempo.task import load_synth

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.types import F32

pytestmark = pytest.mark.train


def noise(_midi: bytes, rng: np.random.Generator) -> F32:
    """Return sound where fluidsynth would play."""
    return rng.normal(0.0, 0.1, 40 * SPEC.sample_rate_hz).astype(np.float32)


def test_songs_are_rendered_by_the_shard_and_what_is_there_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "midi").mkdir()
    with zipfile.ZipFile(tmp_path / "midi" / "groove_midi.zip", "w") as groove:
        groove.writestr("groove/info.csv", "midi_filename,bpm,style,split,time_signature,duration\n")
    zipfile.ZipFile(tmp_path / "midi" / "pop909.zip", "w").close()
    monkeypatch.setattr(synth, "render", noise)
    monkeypatch.setitem(prepare.MUSIC, "tempo", (synth.write_shard, 2))
    out, seconds = tmp_path / "songs", 3 * synth.CLIP_S
    with in_process() as scheduler:
        where = ("--data", tmp_path, "--out", out, "--scheduler", scheduler)
        flags = ("music", "--known", "tempo", "--group", "pulse", "--hours", str(seconds / 3600.0), *where)
        assert "3 songs in 2 shards" in command("training.prepare", *flags)
        whole = load_synth(out)
        assert [path.name for path in sorted(out.iterdir())] == ["shard_00000.npz", "shard_00001.npz"]
        assert len(set(whole.bpm)) == 3

        first = (out / "shard_00000.npz").stat().st_mtime_ns
        (out / "shard_00001.npz").unlink()
        command("training.prepare", *flags)
    assert (out / "shard_00000.npz").stat().st_mtime_ns == first
    np.testing.assert_array_equal(load_synth(out).level, whole.level)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("music --known key", "music needs"),
        ("music --out x", "music needs"),
        ("musik", "no set named musik"),
        ("music --out x --known key --group beat", "--group beat: is for songs of --known tempo"),
        ("fma --audio x --metadata x --split valid", "--split valid: is for songs of --known key"),
    ],
)
def test_what_is_wrong_is_said(flags: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        prepare.main(flags.split())
    assert said in capsys.readouterr().err
