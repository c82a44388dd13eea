"""`stream-analyzer sets`: lists, shows, exports and deletes; each form read by a reader that we did not write."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from typing import TYPE_CHECKING

import pytest

from stream_analyzer.cli import main
from tests.support.nights import pieces, write_night

if TYPE_CHECKING:
    from pathlib import Path

AT = 1_790_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "sets.sqlite"
    write_night(found, pieces(), at=AT)
    return found


def sets(path: Path, *arguments: str) -> int:
    return main(["sets", *arguments, "--log", str(path)])


def test_list_is_newest_first_and_searches(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_night(path, pieces(120)[:200], at=AT + 86_400, source="Line 1/2")
    assert sets(path) == 0
    newest, oldest = capsys.readouterr().out.splitlines()
    assert "0:03:20" in newest
    assert "Line 1/2" in newest
    assert "3 parts" in oldest
    assert sets(path, "list", "hip", "audio", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["id"], found["parts"], found["duration_s"]) == (1, 3, 180)
    assert sets(path, "list", "100%") == 0
    assert "no set is like that" in capsys.readouterr().out


def test_show_tells_each_part(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sets(path, "show", "1") == 0
    _, first, second, third = capsys.readouterr().out.splitlines()
    assert first.split() == [
        "0:00:00",
        "1",
        "0:01:00",
        "124.0",
        "BPM,",
        "8A,",
        "A",
        "minor,",
        "Electronic",
        "-12.0",
        "LUFS",
    ]
    assert "7B, F major, Jazz" in second
    assert third.strip().startswith("0:02:00")


def test_csv_is_read_by_the_csv_module(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sets(path, "export", "last") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["start_s"], row["bpm"], row["camelot"], row["genre"]) for row in rows] == [
        ("0", "124.0", "8A", "Electronic"),
        ("60", "148.0", "7B", "Jazz"),
        ("120", "92.0", "7A", "Hip-Hop"),
    ]


def test_json_holds_every_second(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sets(path, "export", "last", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["set"]["id"] == 1
    assert len(found["parts"]) == found["set"]["parts"] == 3
    seconds = found["seconds"]
    assert {len(seconds[name]) for name in ("time_s", "bpm", "top", "key", "lufs")} == {180}
    assert (seconds["bpm"][70], seconds["keys"][seconds["key"][70]], seconds["lufs"][70]) == (148.0, "F major", -12.0)


def test_a_cue_sheet_is_as_its_grammar_says(path: Path, tmp_path: Path) -> None:
    """Held to the manual of GNU ccd2cue: its commands, quotes, and MM:SS:FF."""
    cue = tmp_path / "set.cue"
    assert sets(path, "export", "1", "--format", "cue", "--output", str(cue)) == 0
    lines = cue.read_text().splitlines()
    commands = re.compile(
        r'REM .+|(TITLE|PERFORMER) "[^"]*"|FILE "[^"]*" WAVE|TRACK \d\d AUDIO|INDEX 01 \d{2,}:[0-5]\d:[0-7]\d'
    )
    assert all(commands.fullmatch(line.strip()) for line in lines)
    assert [line.split()[-1] for line in lines if "INDEX" in line] == ["00:00:00", "01:00:00", "02:00:00"]


def test_labels_are_as_audacitys_manual_says(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Start, end and text with tabs between, times in seconds with a point."""
    assert sets(path, "export", "1", "--format", "labels") == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [(float(start), float(end)) for start, end, _ in rows] == [(0.0, 60.0), (60.0, 120.0), (120.0, 180.0)]


def test_delete_needs_numbers_and_deletes_these_alone(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_night(path, pieces(), at=time.time())
    assert sets(path, "delete") == 2
    assert sets(path, "delete", "1", "7") == 1
    assert sets(path, "delete", "1") == 0
    capsys.readouterr()
    assert sets(path, "list", "--json") == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == [2]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("show", "99"), 1, "there is no set '99'"),
        (("show", "one"), 1, "there is no set 'one'"),
        (("show", "1", "2"), 2, "one set at a time"),
        (("export", "1", "--format", "pdf"), 2, "invalid choice"),
        (("export", "1", "--output", "/dev/null/x"), 2, "can't write /dev/null/x"),
    ],
)
def test_what_is_asked_wrong_is_told(
    path: Path, arguments: tuple[str, ...], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sets(path, *arguments) == code
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


def test_without_a_log_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sets(tmp_path / "none.sqlite") == 1
    assert "there is no set log" in capsys.readouterr().err
    assert main(["sets", "--log", "off"]) == 2
    assert main(["sets", "--log", str(tmp_path)]) == 2
    (tmp_path / "diary").write_bytes(b"dear diary" * 500)
    assert sets(tmp_path / "diary") == 1
    assert "not a database" in capsys.readouterr().err


def test_a_part_is_named_and_then_found(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = ["mark", "--log", str(path), "--part", "2"]
    assert main([*named, "--title", 'So "What"', "--artist", "Miles Davis"]) == 0
    assert main([*named, "--title", "Blue in Green"]) == 0, "what is not given stays"
    assert main(["mark", "--log", str(path), "--part", "9", "--title", "x"]) == 1
    capsys.readouterr()
    assert sets(path, "show") == 0
    assert "Miles Davis - Blue in Green" in capsys.readouterr().out
    assert sets(path, "list", "green", "--json") == 0
    assert json.loads(capsys.readouterr().out)["id"] == 1
    assert sets(path, "export", "--format", "cue") == 0
    assert '    PERFORMER "Miles Davis"\n' in capsys.readouterr().out
