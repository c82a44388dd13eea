"""Libraries that lie elsewhere: real servers of SFTP and S3, from which sound is read and to which the tables go."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import fsspec.config
import pytest

from stream_analyzer.errors import AudioError, ConfigError
from stream_analyzer.library.hearing import Heard
from stream_analyzer.library.places import Place, brought, find, near
from stream_analyzer.library.table import Table
from tests.support.one_command import plain_command
from tests.support.s3 import bucket
from tests.support.sftp import PASSWORD, USER, sftp

if TYPE_CHECKING:
    from pathlib import Path


def test_sound_and_tables_may_lie_on_a_server(
    songs: Path,
    scheduler: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = plain_command(capfd, monkeypatch)
    monkeypatch.setitem(fsspec.config.conf, "sftp", {"password": PASSWORD})
    shutil.copytree(songs, tmp_path / "music")
    with sftp(tmp_path) as port:
        place = f"sftp://{USER}@127.0.0.1:{port}"
        flags = ("analyze", f"{place}/music", "--out", f"{place}/out", "--scheduler", scheduler)
        code, err, _ = command(*flags)
        assert (code, len(err)) == (1, 1), err
        assert f"{place}/music/broken.mp3" in err[0]
        _, _, said = command(*flags)
        assert "3 files, 3 of them from before" in said
        assert [one.path for one in find([f"{place}/music/124.ogg"])] == [f"{place}/music/124.ogg"]
        _, _, said = command("similar", f"{place}/music/124.ogg", "--in", f"{place}/out")
        assert f"{place}/music/132.flac" in said
        monkeypatch.setitem(fsspec.config.conf, "sftp", {"password": "a wrong one"})
        command.fails("analyze", place, "--out", str(tmp_path / "none"), code=2, says=("can't be reached", "Auth"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["failures.csv", "files", "parts"]


def test_a_bucket_is_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with bucket(monkeypatch) as name:
        place, path = Place(f"{name}/music"), f"{name}/music/more/1.ogg"
        place.write("more/1.ogg", b"no sound")
        assert [(one.path, one.size) for one in find([f"{name}/music"])] == [(path, 8)]
        assert find([path])[0].modified is not None
        with brought(path) as file:
            assert file.read_bytes() == b"no sound"
        assert (place.exists("more/1.ogg"), place.exists("more/2.ogg")) == (True, False)
        with pytest.raises(AudioError, match="No such file"), brought(f"{name}/music/more/2.ogg"):
            pass

        table = Table(f"{name}/out", analyzed_by="test")
        table.add(Heard({"path": path, "size": 8}, [{"path": path, "part": 1}]))
        table.flush()
        assert len(Table(f"{name}/out", analyzed_by="test")) == 1
        copy = near(f"{name}/out")
    assert sorted(path.name for path in copy.rglob("*")) == ["000001.parquet"] * 2 + ["files", "parts"]


def test_a_file_that_can_not_be_brought_now_is_not_called_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_more: object) -> None:
        msg = "the line is cut"
        raise EOFError(msg)

    path = f"file://{tmp_path}/song.ogg"
    with pytest.raises(AudioError, match="No such file"), brought(path):
        pass
    monkeypatch.setattr(Place(path).fs, "open", fail)
    with pytest.raises(ConfigError, match="line is cut"), brought(path):
        pass


def test_a_copy_is_made_anew_where_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    far, name = tmp_path / "far", f"file://{tmp_path}/far"
    (far / "fma").mkdir(parents=True)
    (far / "fma" / "0").write_bytes(b"one")
    (far / "1").write_bytes(b"two")
    copy = near(name)
    assert ((copy / "fma" / "0").read_bytes(), (copy / "1").read_bytes()) == (b"one", b"two")

    (copy / "fma" / "0").write_bytes(b"own")
    os.utime(copy / "fma" / "0", (far / "fma" / "0").stat()[7:9])
    (far / "1").write_bytes(b"2.0")
    os.utime(far / "1", (1.0, 1.0))
    assert near(name) == copy
    assert ((copy / "fma" / "0").read_bytes(), (copy / "1").read_bytes()) == (b"own", b"2.0"), "the changed one alone"
    assert sorted(path.name for path in copy.rglob("*")) == ["0", "1", "fma"]
    assert near(far) == far, "a folder here is no copy"


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(str(tmp_path))
    place.write("files/1", b"before")

    def fail(*_arguments: object) -> None:
        msg = "the line is cut"
        raise OSError(msg)

    def break_off() -> None:
        with place.writing("files/1") as file:
            file.write(b"aft")
            fail()

    with pytest.raises(ConfigError, match="line is cut"):
        break_off()
    assert (tmp_path / "files/1").read_bytes() == b"before"
    monkeypatch.setattr(place.fs, "mv", fail)
    with pytest.raises(ConfigError, match="line is cut; make room"):
        place.write("files/1", b"after")
    assert (tmp_path / "files/1").read_bytes() == b"before"
