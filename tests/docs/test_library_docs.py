"""The questions that README and docs/library.md ask of a result, asked of one."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from stream_analyzer.library.hearing import Heard
from stream_analyzer.library.table import SCHEMAS, Table

ROOT = Path(__file__).parents[2]
QUERIES = [
    (f"{name} {number}", query)
    for name in ("README.md", "docs/library.md")
    for number, query in enumerate(
        re.findall(r"```sql\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)
    )
]
SONGS = {  # bpm, key, camelot, embedding
    "song.mp3": (174.0, "A minor", "8A", [1.0, 0.0]),
    "near.mp3": (172.0, "E minor", "9A", [0.9, 0.1]),
    "like.mp3": (175.0, "A minor", "8A", [0.5, 0.5]),
    "slow.mp3": (120.0, "A minor", "8A", [1.0, 0.0]),
    "apart.mp3": (174.0, "Bb minor", "3A", [1.0, 0.0]),
}
ANSWERS = {
    "README.md 0": ["song.mp3", "like.mp3"],
    "docs/library.md 0": ["song.mp3", "like.mp3"],
    "docs/library.md 1": ["song.mp3"],
    "docs/library.md 2": ["near.mp3", "like.mp3"],
}


@pytest.fixture
def result(tmp_path: Path) -> Path:
    table = Table(str(tmp_path / "results.parquet"), analyzed_by="test")
    for name, (bpm, key, camelot, embedding) in SONGS.items():
        path = f"/music/{name}"
        parts = [{"path": path, "part": 1, "start_s": 3, "end_s": 60, "camelot": camelot}]
        parts += [{**parts[0], "part": 2, "camelot": "9A"}] if name == "song.mp3" else []
        row = {"path": path, "bpm": bpm, "genre": "Electronic", "key": key, "camelot": camelot}
        table.add(Heard({**row, "embedding": embedding + [0.0] * 198}, parts))
    table.flush()
    return tmp_path / "results.parquet"


@pytest.mark.parametrize(("name", "query"), QUERIES)
def test_questions_of_the_docs(name: str, query: str, result: Path) -> None:
    found = duckdb.execute(query.replace("results.parquet", str(result))).fetchall()
    assert [row[0].removeprefix("/music/") for row in found] == ANSWERS[name]


def test_every_column_is_described() -> None:
    text = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    described = set(re.findall(r"`(\w+)`", "\n".join(line for line in text.splitlines() if line.startswith("| `"))))
    assert {name for schema in SCHEMAS.values() for name in schema.names} <= described
