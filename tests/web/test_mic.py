"""The phone as microphone, in Chromium with a microphone that plays a file: page, key, and what a phone may do."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
import soundfile
from playwright.async_api import async_playwright
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from stream_analyzer.serving.web.access import Access
from stream_analyzer.serving.web.server import _reachable
from tests.sound.test_phone import frame
from tests.support import chromium
from tests.support.fakes import drum_loop
from tests.support.real_process import on_terminal, serve, state_is, tempo_is

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Page

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - a test's
FAKE = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
browser_test = pytest.mark.skipif(chromium.find() is None, reason="no Chromium here: apt-get install chromium")


@asynccontextmanager
async def phone_page(song: Path, url: str) -> AsyncIterator[Page]:
    """Open a page in a browser whose microphone plays ``song`` over and over."""
    async with async_playwright() as playwright:
        flags = [*chromium.SWITCHES, *FAKE, f"--use-file-for-fake-audio-capture={song}"]
        browser = await playwright.chromium.launch(executable_path=chromium.find(), args=flags)
        page = await browser.new_page()
        await page.goto(url)
        yield page
        await browser.close()


@pytest.mark.browser
@browser_test
async def test_the_tempo_of_what_a_phone_hears(tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, drum_loop(60.0 / 124.0 * 32, bpm=124.0, rate_hz=48_000), 48_000, subtype="PCM_16")
    with serve("--input", "phone") as service:
        async with service.listen() as client:
            await client.until(state_is("device_lost"))
            async with phone_page(song, f"http://{service.address}/mic") as page:
                await page.click("#start")
                await page.get_by_text("hears this phone").wait_for()
                at = await client.until(tempo_is(124.0))
                await client.until(lambda m: m["type"] == "tempo" and m["data"]["state"] == "locked", start=at)
                assert await page.evaluate("document.getElementById('level').value > -60")
            at = await client.until(state_is("device_lost"), start=at)
            async with phone_page(song, f"http://{service.address}/mic") as page:
                await page.click("#start")
                await client.until(state_is("warming"), start=at)
                assert client.last("status")["lost_s"] > 1.0, "the clock goes on over the gap"


@pytest.mark.browser
@browser_test
async def test_where_the_page_is_not_secure_it_says_what_to_do(tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, drum_loop(1.0, rate_hz=48_000), 48_000)
    with serve("--input", "phone", "--host", "0.0.0.0", env={"STREAM_ANALYZER_TOKEN": TOKEN}) as service:  # noqa: S104
        port = service.address.rpartition(":")[2]
        async with phone_page(song, f"http://{_own_address()}:{port}/mic") as page:
            assert "may not use the microphone" in (await page.text_content("#state") or "")
            assert "--tls-cert" in (await page.text_content("#advice") or "")
            assert not await page.is_visible("#start")


def _own_address() -> str:
    found = _reachable("0.0.0.0")  # noqa: S104
    if found.startswith("127."):
        pytest.skip("this machine has no address but its own")
    return found


async def closed_with(url: str, *messages: str | bytes, **more: Any) -> tuple[int, str]:
    """Say something; return how the connection was closed."""
    async with connect(url, **more) as socket:
        with suppress(ConnectionClosed):
            for message in messages:
                await socket.send(message)
        async with asyncio.timeout(10.0):
            await socket.wait_closed()
        return socket.close_code or 0, socket.close_reason or ""


async def test_who_may_look_may_not_speak() -> None:
    env = {"STREAM_ANALYZER_TOKEN": TOKEN}
    with serve("--input", "phone", env=env) as service:
        url = f"ws://{service.address}/sound"
        for message in (json.dumps({"token": TOKEN}), json.dumps({"key": TOKEN}), frame()):
            code, reason = await closed_with(url, message, additional_headers={"Authorization": f"Bearer {TOKEN}"})
            assert (code, "the first message must be" in reason) == (1008, True)
        key = json.dumps({"key": Access(TOKEN).phone_key})
        async with connect(url) as first:
            await first.send(key)
            assert "listening" in str(await first.recv())
            for at in range(200):  # four seconds at once: far more than a subscriber may say
                await first.send(frame(at=960 * at))
            code, reason = await closed_with(url, key)
            assert (code, "another phone" in reason) == (1013, True)
        assert (await closed_with(url, key, b"rubbish"))[0] == 1007


async def test_an_analyzer_that_hears_no_phone_says_so() -> None:
    with serve("--input", "demo") as service:
        code, reason = await closed_with(f"ws://{service.address}/sound")
        assert (code, "--input phone" in reason) == (1008, True)
        with pytest.raises(Exception, match="403"):
            await closed_with(f"ws://{service.address}/sound", origin="https://evil.example")


def test_codes_are_for_the_terminal_and_for_this_machine() -> None:
    env = {"STREAM_ANALYZER_TOKEN": TOKEN}
    with on_terminal("--input", "phone", "--host", "0.0.0.0", env=env) as service:  # noqa: S104
        service.wait_until_up()
        port = service.address.rpartition(":")[2]
        with urlopen(f"http://127.0.0.1:{port}/qr/view.svg") as answer:
            assert answer.read().startswith(b"<?xml")
        with pytest.raises(Exception, match="403"):
            urlopen(f"http://127.0.0.1:{port}/qr/mic.svg")
        service.end()
    said = "\n".join(service.said)
    assert f"/login?token={TOKEN}" in said
    assert "/mic#" in said
    assert "▀" in said
    with serve("--input", "demo", "--host", "0.0.0.0", env=env) as service:  # noqa: S104
        service.end()
    assert "▀" not in "\n".join(service.said)
