"""Behind a real nginx, under /music/ of another name: login, page, stream and client library."""

from __future__ import annotations

import http.client
import json
import os
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest
from playwright.sync_api import expect
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from stream_analyzer.client import subscribe
from stream_analyzer.types import Status
from tests.support import nginx
from tests.support.real_process import serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message
    from pathlib import Path

    from playwright.sync_api import Page

MUST_RUN = os.environ.get("CI") == "true"
pytestmark = pytest.mark.skipif(
    bool(nginx.why_not()) and not MUST_RUN, reason=nginx.why_not() or "nginx can be run here"
)

NAME = "music.example"  # nothing ever looks it up
TOKEN = "correct-horse-battery-staple"  # noqa: S105 - a test's
BEHIND = ("--input", "demo", "--allowed-hosts", NAME, "--trusted-proxies", "127.0.0.1")


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """An analyzer on loopback, where an address may have three connections, behind nginx."""
    with ExitStack() as stack:
        service = stack.enter_context(
            serve(*BEHIND, "--max-per-address", "3", env={"STREAM_ANALYZER_TOKEN": TOKEN}),
        )
        yield stack.enter_context(nginx.nginx(tmp_path_factory.mktemp("nginx"), service.address))


@pytest.fixture(params=nginx.HOSTS)
def port(request: pytest.FixtureRequest, ports: dict[str, int]) -> int:
    """Reach the analyzer through one configuration."""
    return ports[request.param]


def get(port: int, path: str, *, cookie: str = "", host: str = NAME) -> tuple[int, Message, bytes]:
    """Return what a browser gets that knows the proxy as ``host``."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Host": host} | ({"Cookie": cookie} if cookie else {}))
    with connection.getresponse() as response:
        answer = response.status, response.headers, response.read()
    connection.close()
    return answer


def logged_in(port: int) -> str:
    """Follow the login link; return the cookie."""
    return get(port, f"/music/login?token={TOKEN}")[1]["Set-Cookie"].partition(";")[0]


def stream(port: int, *, origin: str = f"https://{NAME}", source: str = "127.0.0.1", **headers: str) -> connect:
    """Connect to the stream as the page does."""
    return connect(
        f"ws://{NAME}/music/ws?types=status",
        host="127.0.0.1",
        port=port,
        local_addr=(source, 0),
        origin=Origin(origin),
        additional_headers=headers,
        proxy=None,
    )


def test_the_login_link_leads_to_the_page_of_its_folder(port: int) -> None:
    for asked, shown in (("", ""), ("&view=overlay", "?view=overlay"), ("&next=//evil.example", "")):
        status, headers, _ = get(port, f"/music/login?token={TOKEN}{asked}")
        assert status == http.HTTPStatus.SEE_OTHER
        assert urljoin(f"https://{NAME}/music/login", headers["Location"]) == f"https://{NAME}/music/{shown}"
        assert "path=" not in headers["Set-Cookie"].lower(), "without one it is for /music alone"
        assert "; Secure" in headers["Set-Cookie"], "the browser came by https"


def test_the_page_and_what_is_private(port: int) -> None:
    for path in ("/music/", "/music/page/main.js", "/music/client/client.js"):
        assert get(port, path)[0] == http.HTTPStatus.OK
    assert get(port, "/music/timeline")[0] == http.HTTPStatus.UNAUTHORIZED
    assert "session" in json.loads(get(port, "/music/timeline", cookie=logged_in(port))[2])


async def test_the_stream_of_the_page(port: int) -> None:
    async with stream(port, Cookie=logged_in(port)) as client:
        assert json.loads(await client.recv())["type"] == "hello"


@pytest.mark.parametrize("origin", ["https://evil.example", f"https://{NAME}.evil.example", "null"])
async def test_pages_of_others_stay_out(port: int, origin: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with stream(port, origin=origin, Cookie=logged_in(port)):
            pass
    assert caught.value.response.status_code == http.HTTPStatus.FORBIDDEN


def test_other_names_of_the_proxy_are_not_served(ports: dict[str, int]) -> None:
    status, _, body = get(ports["host kept"], "/music/", host="evil.example")
    assert status == http.HTTPStatus.FORBIDDEN
    assert b"allowed_hosts" in body


async def test_each_address_behind_the_proxy_has_its_own_limit(port: int) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        stream(port, source="127.0.0.2", **bearer) as first,
        stream(port, source="127.0.0.2", **bearer) as second,
        stream(port, source="127.0.0.2", **bearer) as third,
        stream(port, source="127.0.0.3", **bearer) as other,
    ):
        for client in (first, second, third, other):
            assert json.loads(await client.recv())["type"] == "hello"
        with pytest.raises(InvalidStatus) as caught:
            async with stream(port, source="127.0.0.2", **bearer):
                pass
        assert caught.value.response.status_code == http.HTTPStatus.TOO_MANY_REQUESTS


async def test_the_client_library(port: int) -> None:
    async for received in subscribe(f"http://127.0.0.1:{port}/music/", types="status", token=TOKEN):
        if isinstance(received.event, Status):
            break


@pytest.mark.browser
def test_a_real_browser_follows_the_login_link(tmp_path: Path, page: Page) -> None:
    token = {"STREAM_ANALYZER_TOKEN": TOKEN}
    with serve(*BEHIND, "--allowed-hosts", "127.0.0.1", env=token) as service:
        where = service.address.rpartition(":")[2]
        with nginx.nginx(tmp_path, f"127.0.0.1:{where}", proto="http") as ports:
            page.goto(f"http://127.0.0.1:{ports['host replaced']}/music/login?token={TOKEN}&view=stage")
            expect(page.locator("#bpm")).to_have_text(re.compile("[0-9]"), timeout=30_000)
            assert page.url == f"http://127.0.0.1:{ports['host replaced']}/music/?view=stage"
