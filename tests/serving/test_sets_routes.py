"""What the page of past sets asks of the server: answers, refusals, and who may ask."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from stream_analyzer.errors import StreamAnalyzerError
from stream_analyzer.protocol.encode import Encoder
from stream_analyzer.serving.web.access import Access
from stream_analyzer.serving.web.fanout import Fanout
from stream_analyzer.serving.web.server import Serving, WebServer
from stream_analyzer.serving.web.sets import set_routes
from tests.serving.test_marks import BEARER, TOKEN, post
from tests.support.nights import pieces, write_night
from tests.support.real_process import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "sets.sqlite"
    write_night(path, pieces(600), at=1_790_000_000.0)
    return path


async def test_a_long_set_has_a_timeline_of_few_rows(log: Path) -> None:
    answer = await set_routes(log)["GET", "/sets/timeline"]({"set": "1"})
    found = json.loads(answer.body)
    assert set(found["span_s"]) == {2}
    assert len(found["time_s"]) == 900
    assert (found["bpm"][0], found["bpm"][400]) == (124.0, 148.0)


@pytest.mark.parametrize(
    ("route", "query", "says"),
    [
        (("GET", "/sets/list"), {"sort": "x"}, "unknown parameter"),
        (("GET", "/sets/list"), {"q": "x" * 300}, "at most"),
        (("GET", "/sets/show"), {"set": "-1"}, "there is no set"),
        (("GET", "/sets/timeline"), {}, "there is no set"),
        (("POST", "/sets/name"), {"set": "1", "start_s": "two", "title": "x"}, "start_s must be"),
        (("POST", "/sets/name"), {"set": "1", "start_s": "7", "title": "x"}, "no part of set 1 begins at 7"),
        (("POST", "/sets/name"), {"set": "1", "start_s": "0", "title": "\x07"}, "printed"),
    ],
)
async def test_what_is_asked_wrong_is_refused(
    log: Path, route: tuple[str, str], query: dict[str, str], says: str
) -> None:
    with pytest.raises(StreamAnalyzerError, match=says):
        await set_routes(log)[route](query)


async def test_the_token_and_the_origin_are_looked_at(log: Path) -> None:
    serving = Serving("127.0.0.1", 0, access=Access(TOKEN))
    fanouts = {"main": Fanout(Encoder("abcdef"))}
    server = WebServer(fanouts, ROOT / "web", serving=serving, answers={}, routes=set_routes(log))
    name = "sets/name?set=1&start_s=0&title=Song"
    async with server.listen() as url:
        assert (await post(url, "sets", method="GET"))[0] == 200
        assert (await post(url, "sets/list", method="GET"))[0] == 401
        assert (await post(url, name))[0] == 401
        assert (await post(url, name, Origin="https://evil.example", **BEARER))[0] == 403
        assert (await post(url, name, method="GET", **BEARER))[0] == 404
        assert (await post(url, name, **BEARER))[0] == 200
        status, body = await post(url, "sets/show?set=1", method="GET", **BEARER)
        assert (status, json.loads(body)["parts"][0]["title"]) == (200, "Song")
