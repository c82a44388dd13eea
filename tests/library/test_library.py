"""`analyze --out`: what the tables hold, what is done again and what is not, and how a run may end."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from stream_analyzer.library.hearing import Request, hear
from stream_analyzer.library.places import find
from tests.support.one_command import Command, plain_command
from tests.support.real_process import COMMAND, ROOT, environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return plain_command(capfd, monkeypatch)


def rows(out: Path, table: str = "files") -> list[dict[str, Any]]:
    """Return the rows of a table by the name of the file."""
    found = duckdb.execute(f"SELECT * FROM '{out}/{table}/*.parquet' ORDER BY path").fetchall()  # noqa: S608
    names = [one[0] for one in duckdb.execute(f"DESCRIBE SELECT * FROM '{out}/{table}/*.parquet'").fetchall()]  # noqa: S608
    return [dict(zip(names, row, strict=True)) for row in found]


def test_a_folder_becomes_tables_and_goes_on_where_it_was(
    command: Command, songs: Path, scheduler: str, tmp_path: Path
) -> None:
    folder, out = tmp_path / "songs", tmp_path / "results.parquet"
    shutil.copytree(songs, folder)
    flags = ("analyze", str(folder), "--out", str(out), "--scheduler", scheduler, "--json")
    code, err, said = command(*flags)
    assert (code, len(err)) == (1, 1)
    assert "broken.mp3" in err[0]
    assert json.loads(said) == {"result": str(out), "files": 3, "before": 0, "failures": 1, "stopped": False}
    files, parts = rows(out), rows(out, "parts")
    assert [row["path"].removeprefix(f"{folder}/") for row in files] == ["124.ogg", "132.flac", "more/140.mp3"]
    assert [abs(row["bpm"] / bpm - 1.0) < 0.02 for row, bpm in zip(files, (124, 132, 140), strict=True)] == [True] * 3
    assert {len(row["embedding"]) for row in files} == {200}
    assert [(row["path"], row["part"]) for row in parts] == [(row["path"], 1) for row in files]
    with (out / "failures.csv").open(newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == [str(folder / "broken.mp3")]

    before = {path: path.read_bytes() for path in out.rglob("*.parquet")}
    _, _, said = command(*flags)
    assert json.loads(said)["before"] == 3
    assert {path: path.read_bytes() for path in out.rglob("*.parquet")} == before, "nothing was done again"

    shutil.copy(songs / "124.ogg", folder / "132.flac")
    _, _, said = command(*flags)
    assert json.loads(said) == {"result": str(out), "files": 3, "before": 2, "failures": 1, "stopped": False}
    assert rows(out)[1]["bpm"] == rows(out)[0]["bpm"]
    assert len(rows(out, "parts")) == 3

    command(*flags, "--tempo-range", "60-120")
    assert len(rows(out)) == 3
    assert all(row["bpm"] < 80 and "tempo_range" in row["analyzed_by"] for row in rows(out)), "all anew"


def test_similar_lists_the_nearest_first(command: Command, songs: Path, scheduler: str, tmp_path: Path) -> None:
    out = tmp_path / "results.parquet"
    command("analyze", str(songs), "--out", str(out), "--scheduler", scheduler)
    twin = tmp_path / "twin.ogg"
    shutil.copy(songs / "124.ogg", twin)
    code, _, said = command("similar", str(twin), "--in", str(out), "--json")
    found = [json.loads(line) for line in said.splitlines()]
    assert code == 0
    assert found[0]["path"] == str(songs / "124.ogg")
    assert found[0]["similarity"] == pytest.approx(1.0)
    assert [one["similarity"] for one in found] == sorted((one["similarity"] for one in found), reverse=True)
    _, _, said = command("similar", str(songs / "124.ogg"), "--in", str(out), "--count", "1")
    assert said.count("\n") == 1
    assert "124.ogg" not in said, "a file is not listed for itself"


def test_embeddings_leave_the_judgement_as_it_was(songs: Path, command: Command) -> None:
    path = songs / "124.ogg"
    _, _, said = command("analyze", str(path), "--json")
    plain, row = json.loads(said), hear(find([str(path)])[0], Request()).file
    assert (row["bpm"], row["genre_confidence"]) == (plain["tempo"]["bpm"], plain["genre"]["confidence"])


def test_what_can_not_be_done_is_said(command: Command, songs: Path, tmp_path: Path) -> None:
    out, song = str(tmp_path / "out"), str(songs / "124.ogg")
    command.fails("analyze", song, "--workers", "2", code=2, says=("--out",))
    command.fails("analyze", song, "--out", out, "--write-tags", "bpm", code=2, says=("--write-tags",))
    command.fails("analyze", song, "--out", song, code=2, says=("is a file", "folder"))
    command.fails("analyze", str(tmp_path), "--out", out, code=3, says=("no sound file",))
    command.fails("analyze", "/no/such", "--out", out, code=3, says=("/no/such",))
    command.fails("analyze", "sftp://me:secret@x/y", "--out", out, code=2, says=("FSSPEC_SFTP_PASSWORD",))
    command.fails("analyze", song, "--out", out, "--workers", "-1", code=2, says=("-1",))
    command.fails("similar", song, "--in", str(tmp_path / "none"), code=2, says=("no result", "analyze"))


def test_without_the_extra_it_says_what_to_install(
    command: Command, songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_analyzer.library.find_spec", lambda _: None)
    command.fails("analyze", str(songs), "--out", "x", code=2, says=("stream-analyzer[cluster]",))
    assert command("analyze", str(songs / "124.ogg"))[0] == 0, "a file alone needs nothing of it"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_one_who_is_stopped_keeps_what_is_done(songs: Path, tmp_path: Path, how: signal.Signals) -> None:
    folder, out = tmp_path / "songs", tmp_path / "out"
    folder.mkdir()
    (folder / "00.mp3").write_bytes(b"no sound at all")
    for number in range(1, 60):
        os.link(songs / "124.ogg", folder / f"{number:02d}.ogg")
    process = subprocess.Popen(
        [*COMMAND, "analyze", str(folder), "--out", str(out), "--workers", "1", "--json"],
        env=environment(), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stderr
    assert "00.mp3" in process.stderr.readline(), "the first is done, and the others are under way"
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does it, to the workers too
    else:
        process.send_signal(how)
    said, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err == "stream-analyzer: stopped; the same command goes on from here\n"
    assert json.loads(said)["stopped"]
    assert json.loads(said)["files"] == (len(rows(out)) if (out / "files").exists() else 0)
