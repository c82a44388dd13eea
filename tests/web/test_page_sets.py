"""The page of past sets in a real browser: list, search, one set in the view of the live page, names for its parts."""

from __future__ import annotations

import asyncio
import mimetypes
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest

from stream_analyzer.errors import StreamAnalyzerError
from stream_analyzer.serving.web import server as web_server
from stream_analyzer.serving.web.sets import set_routes
from stream_analyzer.sets import writing
from stream_analyzer.sets.database import open_for_writing, transaction
from tests.support.nights import pieces, write_night
from tests.support.reading import until
from tests.support.real_process import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page, Route

    from stream_analyzer.serving.web.server import Answer

URL = "http://analyzer.test/"
COLOURS = """() => {
  const { width, height } = document.getElementById("set-canvas");
  const context = document.getElementById("set-canvas").getContext("2d");
  return new Set(context.getImageData(0, 0, width, height).data).size;
}"""
AT = 1_790_000_000.0


class Served:
    """A server of past sets without a socket. State: what was asked of it."""

    def __init__(self, page: Page, log: Path) -> None:
        """Answer every request of ``page`` out of ``log``."""
        self.asked: list[tuple[str, str]] = []
        self._routes = set_routes(log)
        page.route(f"{URL}**", self._answer)

    def _answer(self, route: Route) -> None:
        parts = urlsplit(route.request.url)
        self.asked.append((route.request.method, parts.path))
        if found := self._routes.get((route.request.method, parts.path)):
            query = dict(parse_qsl(parts.query, keep_blank_values=True))

            async def ask() -> Answer:
                return await found(query)

            with ThreadPoolExecutor(1) as other:  # Playwright has a loop in this thread
                try:
                    answer: Answer = other.submit(lambda: asyncio.run(ask())).result()
                except StreamAnalyzerError as error:
                    route.fulfill(status=400, body=str(error))
                    return
            route.fulfill(body=answer.body, content_type=answer.content_type)
            return
        name = "sets.html" if parts.path == "/sets" else parts.path.removeprefix("/")
        content_type = mimetypes.guess_type(name)[0] or "text/plain"
        headers = {**web_server._SECURITY_HEADERS, "Content-Type": content_type}
        route.fulfill(path=ROOT / "web" / name, headers=headers)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "sets.sqlite"
    write_night(path, pieces(), at=AT)
    write_night(path, pieces()[:60], at=AT + 86_400.0, source="Line <1/2>")
    connection = open_for_writing(path)
    with transaction(connection):
        writing.write_mark(connection, writing.Place(1, 0), 70, "<b>applause</b>")
        writing.write_event(connection, writing.Place(1, 0), 90, "gap", "the analyzer was not running", span_s=7)
    connection.close()
    return path


def rows(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all("#parts tr", "rows => rows.map((row) => row.innerText)")
    return found


def test_a_set_is_found_and_shown(page: Page, log: Path, complaints: list[str]) -> None:
    Served(page, log)
    page.goto(f"{URL}sets")
    until(page, "() => document.querySelectorAll('#sets li').length === 2")
    assert "Line <1/2>" in page.inner_text("#sets li:first-child")
    page.fill("#search", "jazz")
    until(page, "() => document.querySelectorAll('#sets li').length === 1")
    page.click("#sets a")
    until(page, "() => document.querySelectorAll('#parts tr').length === 5")
    assert page.url.endswith("sets?set=1")
    assert rows(page)[1].split("\t")[:5] == ["01:00", "01:00", "148.0", "7B F major", "Jazz"]
    assert "Mark: <b>applause</b>" in rows(page)[2]
    assert "Gap of 00:07" in rows(page)[3]
    assert "2 changes" in page.inner_text("#set-reading")
    page.focus("#set-plot")
    page.keyboard.press("Home")
    until(page, "() => document.getElementById('set-reading').textContent.includes('124.0 BPM')")
    assert page.evaluate(COLOURS) > 20
    page.go_back()
    until(page, "() => document.getElementById('night').hidden")
    assert complaints == []


def test_a_part_gets_a_name_that_lasts_and_is_found(page: Page, log: Path) -> None:
    server = Served(page, log)
    page.goto(f"{URL}sets?set=1")
    page.click("#parts tr:nth-child(2) button")
    page.fill("#parts input >> nth=0", "Miles Davis")
    page.fill("#parts input >> nth=1", "So What")
    page.keyboard.press("Enter")
    until(page, "() => document.getElementById('parts').textContent.includes('Miles Davis - So What')")
    assert ("POST", "/sets/name") in server.asked
    page.reload()
    until(page, "() => document.getElementById('parts').textContent.includes('Miles Davis - So What')")
    page.fill("#search", "so what")
    until(page, "() => document.querySelectorAll('#sets li').length === 1")


def test_what_can_not_be_shown_is_told(page: Page, log: Path, tmp_path: Path) -> None:
    Served(page, log)
    page.goto(f"{URL}sets?set=99")
    until(page, "() => document.getElementById('told').textContent.includes(\"there is no set '99'\")")
    page.fill("#search", "polka")
    until(page, "() => document.getElementById('told').textContent === 'No set is like that.'")
    page.unroute(f"{URL}**")
    Served(page, tmp_path / "none.sqlite")
    page.goto(f"{URL}sets")
    until(page, "() => document.getElementById('told').textContent.includes('no set log')")


@pytest.mark.parametrize(("status", "says"), [(401, "Login needed"), (404, "the log is off")])
def test_who_may_not_look_is_told_why(page: Page, log: Path, status: int, says: str) -> None:
    Served(page, log)
    page.route(f"{URL}sets/list**", lambda route: route.fulfill(status=status, body="no"))
    page.goto(f"{URL}sets")
    until(page, f"() => document.getElementById('told').textContent.includes('{says}')")


def test_it_fits_a_phone(page: Page, log: Path) -> None:
    Served(page, log)
    page.set_viewport_size({"width": 375, "height": 740})
    page.goto(f"{URL}sets?set=1")
    until(page, "() => document.querySelectorAll('#parts tr').length === 5")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 375
