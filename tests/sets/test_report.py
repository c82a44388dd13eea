"""`sets report`: one file that needs nothing else, with everything of the set in it, seen in a real browser."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from stream_analyzer.cli import main
from stream_analyzer.sets import writing
from stream_analyzer.sets.database import open_for_writing, transaction
from tests.support.nights import pieces, write_night

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

AT = 1_790_000_000.0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "sets.sqlite"
    write_night(path, pieces(), at=AT, source="<b>USB & Audio</b>")
    connection = open_for_writing(path)
    with transaction(connection):
        place = writing.Place(1, 0)
        writing.write_mark(connection, place, 70, "<script>applause</script>")
        writing.write_event(connection, place, 90, "gap", "the analyzer was not running", span_s=7)
        writing.name_part(connection, 1, 60, title="So What", artist="Miles Davis")
    connection.close()
    return path


def report(log: Path, page: Page | None = None) -> str:
    path = log.with_name("report.html")
    assert main(["sets", "report", "1", "--log", str(log), "--output", str(path)]) == 0
    if page:
        page.goto(path.as_uri())
    return path.read_text()


@pytest.mark.browser
def test_it_is_whole_and_asks_for_nothing(log: Path, page: Page, complaints: list[str]) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    report(log, page)
    assert [url for url in asked if not url.startswith("file:")] == []
    assert complaints == []
    rows = page.eval_on_selector_all("tbody tr", "rows => rows.map((row) => row.innerText)")
    assert [row.split("\t")[0].strip() for row in rows] == ["1", "2", "", "", "3"]
    assert "Miles Davis - So What" in rows[1]
    assert "<script>applause</script>" in rows[2], "shown as text"
    assert "Gap of 0:00:07" in rows[3]
    assert page.inner_text("dl").count("\n") >= 8
    drawn = page.eval_on_selector("svg", "svg => ({ width: svg.clientWidth, text: svg.textContent })")
    assert drawn["width"] > 600
    assert all(word in drawn["text"] for word in ("Tempo", "Genre", "Camelot", "Loudness", "Jazz", "minor"))


def test_the_same_set_makes_the_same_report(log: Path) -> None:
    assert report(log) == report(log)


def test_without_matplotlib_there_is_one_line(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["sets", "report", "1", "--log", str(log)]) == 1
    assert "pip install 'stream-analyzer[report]'" in capsys.readouterr().err


def test_a_set_without_music_has_a_report(tmp_path: Path) -> None:
    path = tmp_path / "sets.sqlite"
    write_night(path, [], at=AT)
    assert "<svg" in report(path)
