"""The pieces of a result: few and whole, and each row once, whenever a run is killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from stream_analyzer.library.hearing import Heard
from stream_analyzer.library.table import Table

if TYPE_CHECKING:
    from pathlib import Path


def heard(path: str) -> Heard:
    """Return the rows of a file with two parts."""
    return Heard({"path": path, "size": 1}, [{"path": path, "part": 1}, {"path": path, "part": 2}])


def rows(out: Path, table: str) -> list[Any]:
    return duckdb.execute(f"SELECT path FROM '{out}/{table}/*.parquet' ORDER BY path").fetchall()  # noqa: S608


def test_a_few_rows_at_a_time_make_one_piece(tmp_path: Path) -> None:
    for name in "abc":
        table = Table(str(tmp_path), analyzed_by="test")
        table.add(heard(name))
        table.flush()
    assert [path.name for path in (tmp_path / "files").iterdir()] == ["000001.parquet"]
    assert rows(tmp_path, "files") == [("a",), ("b",), ("c",)]
    assert len(rows(tmp_path, "parts")) == 6


def test_a_full_piece_is_followed_by_another(tmp_path: Path) -> None:
    table = Table(str(tmp_path), analyzed_by="test")
    for number in range(201):
        table.add(heard(f"{number:03d}"))
    table.flush()
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == ["000001.parquet", "000002.parquet"]
    assert len(rows(tmp_path, "files")) == 201


@pytest.mark.parametrize("before", [[], ["a"]])
def test_one_killed_while_it_writes_has_each_row_once_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: list[str]
) -> None:
    table = Table(str(tmp_path), analyzed_by="test")
    for name in before:
        table.add(heard(name))
    table.flush()
    write = table.place.write

    def die(name: str, data: bytes) -> None:
        if name.startswith("files/"):
            raise KeyboardInterrupt
        write(name, data)

    monkeypatch.setattr(table.place, "write", die)
    table.add(heard("b"))
    with pytest.raises(KeyboardInterrupt):
        table.flush()

    again = Table(str(tmp_path), analyzed_by="test")
    assert len(again) == len(before)
    again.add(heard("b"))
    again.flush()
    assert rows(tmp_path, "files") == [(name,) for name in [*before, "b"]]
    assert rows(tmp_path, "parts") == [(name,) for name in [*before, "b"] for _ in range(2)]
