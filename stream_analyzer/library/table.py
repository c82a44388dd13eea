"""The results as Parquet: `files/` with a row a file, `parts/` with a row a part. The only user of pyarrow.

A result is a folder of pieces, each written whole or not at all, so that nothing but the last rows is lost however a
run ends; a file counts as done when its row is in a piece. `docs/library.md` describes the columns.
"""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from stream_analyzer.errors import ConfigError
from stream_analyzer.library.places import Found, Place

if TYPE_CHECKING:
    from collections.abc import Collection

    from stream_analyzer.library.hearing import Heard, Row

_WHOLE = {
    "path": pa.string(), "size": pa.int64(), "modified": pa.timestamp("us", tz="UTC"), "duration_s": pa.float64(),
    "bpm": pa.float64(), "bpm_confidence": pa.float64(), "genre": pa.string(), "genre_confidence": pa.float64(),
    "key": pa.string(), "camelot": pa.string(), "key_confidence": pa.float64(), "music": pa.float64(),
    "lufs": pa.float64(), "range_lu": pa.float64(), "true_peak_dbtp": pa.float64(), "drops_s": pa.list_(pa.float64()),
    "problem": pa.string(), "analyzed_by": pa.string(), "embedding": pa.list_(pa.float32()),
}  # fmt: skip
_PART = {
    "path": pa.string(), "part": pa.int32(), "start_s": pa.int32(), "end_s": pa.int32(), "bpm": pa.float64(),
    "genre": pa.string(), "key": pa.string(), "camelot": pa.string(), "lufs": pa.float64(),
}  # fmt: skip
SCHEMAS = {"parts": pa.schema(_PART), "files": pa.schema(_WHOLE)}  # written in this order: files tell what is done
_ROWS, _EVERY_S = 200, 30.0


class Table:
    """A result and the rows that are not written yet. One run at a time writes to it."""

    def __init__(self, name: str, *, analyzed_by: str) -> None:
        """Open the result ``name``, which may not exist yet; its new rows were ``analyzed_by`` these models."""
        self.place = Place(name)
        self._by = analyzed_by
        self._rows: dict[str, list[Row]] = {"parts": [], "files": []}
        self._written_s = time.monotonic()
        if self.place.fs.isfile(self.place.root):
            msg = f"--out {name}: is a file; name a folder, which will hold the results and may exist already"
            raise ConfigError(msg)
        self._pieces = {number: self._read(number, "files", ["path"]).num_rows for number in self._numbers()}

    def __len__(self) -> int:
        """Return the number of files whose rows are written."""
        return sum(self._pieces.values())

    def begin(self, files: Collection[Found]) -> list[Found]:
        """Return those of ``files`` that are still to be analysed; rows of what has changed since are taken out."""
        wanted, done = {one.path: one for one in files}, set()
        for number in self._pieces:
            rows = self._read(number, "files", ["path", "size", "modified", "analyzed_by"]).to_pylist()
            mine = {Found(row["path"], row["size"], row["modified"]) for row in rows if row["analyzed_by"] == self._by}
            paths = {row["path"] for row in rows}
            old = {path for path in paths & wanted.keys() if wanted[path] not in mine}
            done |= paths - old
            if old:
                self._take_out(number, old)
        return [one for one in files if one.path not in done]

    def add(self, heard: Heard) -> None:
        """Take the rows of a file; they are written now or soon."""
        self._rows["files"].append({**heard.file, "analyzed_by": self._by})
        self._rows["parts"] += heard.parts
        if len(self._rows["files"]) >= _ROWS or time.monotonic() - self._written_s > _EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet."""
        self._written_s = time.monotonic()
        if not self._rows["files"]:
            return
        tables = {name: pa.Table.from_pylist(self._rows[name], schema=SCHEMAS[name]) for name in SCHEMAS}
        number = max(self._pieces, default=0)
        if self._pieces.get(number, _ROWS) < _ROWS:  # the last piece has room for more
            files, parts = self._read(number, "files"), self._read(number, "parts")
            parts = parts.filter(pc.is_in(parts["path"], files["path"]))  # the others' files were not written any more
            tables = {
                "parts": pa.concat_tables([parts, tables["parts"]]),
                "files": pa.concat_tables([files, tables["files"]]),
            }
            self._write(number, tables)
        else:
            self._write(number + 1, tables)
        self._rows = {"parts": [], "files": []}

    def write_failures(self, failures: dict[str, str]) -> int:
        """Write `failures.csv`: these files, and those of which only a beginning was heard. Return how many."""
        for number in self._pieces:
            rows = self._read(number, "files", ["path", "problem"])
            broken = rows.filter(pc.is_valid(rows["problem"])).to_pylist()
            failures = failures | {row["path"]: row["problem"] for row in broken}
        table = pa.table({"path": sorted(failures), "problem": [failures[path] for path in sorted(failures)]})
        text = io.BytesIO()
        pa.csv.write_csv(table, text)
        self.place.write("failures.csv", text.getvalue())
        return len(failures)

    def _numbers(self) -> list[int]:
        names = self.place.fs.glob(self.place.inside("files", "*.parquet"))
        return sorted(int(name.rpartition("/")[2].removesuffix(".parquet")) for name in names)

    def _read(self, number: int, name: str, columns: list[str] | None = None) -> Any:  # noqa: ANN401 - no types
        with self.place.fs.open(self.place.inside(name, _piece(number)), "rb") as file:
            return pq.read_table(file, columns=columns)

    def _write(self, number: int, tables: dict[str, Any]) -> None:
        for name in SCHEMAS:
            data = io.BytesIO()
            pq.write_table(tables[name], data, compression="zstd")
            self.place.write(f"{name}/{_piece(number)}", data.getvalue())
        self._pieces[number] = tables["files"].num_rows

    def _take_out(self, number: int, paths: set[str]) -> None:
        kept = {}
        for name in SCHEMAS:
            table = self._read(number, name)
            kept[name] = table.filter(pc.invert(pc.is_in(table["path"], pa.array(sorted(paths)))))
        self._write(number, kept)


def _piece(number: int) -> str:
    return f"{number:06d}.parquet"
