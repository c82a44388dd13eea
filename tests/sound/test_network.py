"""Streams from the network: a station that is killed and comes back, HLS, playlists, and what a server may not do."""

from __future__ import annotations

import asyncio
import functools
import http.server
import re
import shutil
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from stream_analyzer.errors import AudioError, ConfigError
from stream_analyzer.settings.config import load_settings
from stream_analyzer.sound import media
from stream_analyzer.sound.files import look_at
from stream_analyzer.sound.network import source as network_source
from stream_analyzer.sound.network.http import ask
from stream_analyzer.sound.network.source import NetworkSource, open_recording, tune_in
from stream_analyzer.sound.queue import BlockQueue, Item, SourceChanged, SourceLost, TitleChanged
from stream_analyzer.types import AudioBlock
from tests.support import rtsp
from tests.support.encoded import NO_XING, encoded
from tests.support.fakes import drum_loop
from tests.support.real_process import run_command, serve, state_is, tempo_is
from tests.support.station import Station

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

RATE_HZ = 22_050
KBITS = 64
SONG = drum_loop(12.0, bpm=124.0, rate_hz=RATE_HZ)


@pytest.fixture(scope="module")
def mp3() -> bytes:
    return encoded(SONG, RATE_HZ, "mp3", "libmp3lame", kbits=KBITS, options=NO_XING)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notice a loss soon, and search often."""
    monkeypatch.setattr(network_source, "LOST_AFTER_S", 0.5)
    monkeypatch.setattr(network_source, "backoff_s", lambda _attempt: 0.05)


@pytest.fixture(params=["PyAV", "ffmpeg"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Be an installation with PyAV, or with ffmpeg on the path alone."""
    if request.param == "ffmpeg":
        monkeypatch.setattr(media, "find_spec", lambda _name: None)
        if not media.is_installed():
            pytest.skip("ffmpeg missing")
    return str(request.param)


class Listening:
    """What a source puts into its queue, in order. State: those items, and how many were looked at."""

    def __init__(self, source: NetworkSource) -> None:
        self.info = source.open()
        self.queue = BlockQueue(limit_s=1000.0)

    async def until(self, wanted: Callable[[Item], bool]) -> list[Item]:
        """Take items until one is wanted; return them all."""
        taken: list[Item] = []
        async with asyncio.timeout(20.0):
            while not taken or not wanted(taken[-1]):
                item = await self.queue.get()
                assert item is not None
                taken.append(item)
        return taken


@asynccontextmanager
async def listening(url: str, *, patient: bool = False) -> AsyncIterator[Listening]:
    source = NetworkSource(url, rate_hz=None, channels=None, listen_to=None, patient=patient)
    heard = await asyncio.to_thread(Listening, source)
    delivery = asyncio.create_task(source.deliver(heard.queue))
    try:
        yield heard
    finally:
        delivery.cancel()
        await asyncio.gather(delivery, return_exceptions=True)


def is_sound(item: Item) -> bool:
    return isinstance(item, AudioBlock) and bool(np.abs(item.samples).max() > 0.1)


def is_title(item: Item) -> bool:
    return isinstance(item, TitleChanged)


@pytest.mark.parametrize("decoder", ["ffmpeg"], indirect=True)  # the whole program shows PyAV
async def test_a_station_that_is_killed_and_comes_back(mp3: bytes, decoder: str) -> None:
    station = Station(mp3, bytes_per_s=KBITS * 125)
    async with station.on_air():
        source = listening(station.url)
        heard = await source.__aenter__()
        items = await heard.until(is_title)
    try:
        assert heard.info.name == "Radio Test"
        assert heard.info.kind == "stream"
        assert (decoder, heard.info.rate_hz) == ("ffmpeg", 44_100)
        assert "icy-metadata: 1" in station.asked[0].lower()
        assert [item.title for item in items if isinstance(item, TitleChanged)] == ["Artist - Title"]
        lost = (await heard.until(lambda item: isinstance(item, SourceLost)))[-1]
        assert isinstance(lost, SourceLost)
        assert lost.detail.startswith(f"{station.url}: ")
        assert lost.detail.endswith("; looking for it")
        station.title = "Another - Song"
        async with station.on_air():
            items = await heard.until(is_title)
            titles = [item.title for item in items if isinstance(item, TitleChanged)]
            items += await heard.until(is_sound)
            first = next(item for item in items if isinstance(item, AudioBlock))
            assert titles == ["Another - Song"]
            assert first.lost > 0, "the sample clock goes on over the gap"
    finally:
        await source.__aexit__(None, None, None)


async def test_a_station_is_paced_as_it_plays_however_it_comes(mp3: bytes) -> None:
    station = Station(mp3, bytes_per_s=KBITS * 125, speed=50.0)
    async with station.on_air(), listening(station.url) as heard:
        await heard.until(is_sound)
        begun_s, played_s = asyncio.get_running_loop().time(), 0.0
        while played_s < 1.0:
            item = (await heard.until(is_sound))[-1]
            assert isinstance(item, AudioBlock)
            played_s += item.duration_s
        assert asyncio.get_running_loop().time() - begun_s > 0.8, "what came at once is played one by one"


async def test_a_station_that_comes_late_is_waited_for(mp3: bytes) -> None:
    station = Station(mp3, bytes_per_s=KBITS * 125)
    async with station.on_air():
        pass
    async with listening(station.url, patient=True) as heard:
        assert (heard.info.name, heard.info.rate_hz) == (station.url, 0)
        items = await heard.until(lambda item: isinstance(item, SourceLost))
        assert "refused" in str(items[-1])
        async with station.on_air():
            items = await heard.until(is_sound)
            changed = next(item for item in items if isinstance(item, SourceChanged))
            assert (changed.info.name, changed.info.rate_hz) == ("Radio Test", RATE_HZ)


async def test_a_stream_that_hangs_is_lost(mp3: bytes) -> None:
    station = Station(mp3, bytes_per_s=KBITS * 125)
    async with station.on_air(), listening(station.url) as heard:
        await heard.until(is_sound)
        station._bytes_per_s = 1.0
        lost = (await heard.until(lambda item: isinstance(item, SourceLost)))[-1]
        assert "sends no sound" in str(lost)


async def test_a_mixer_that_speaks_rtsp() -> None:
    song = drum_loop(6.0, bpm=124.0, rate_hz=rtsp.RATE_HZ)[:, 0]
    async with rtsp.rtsp_server(song, speed=4.0) as url, listening(url) as heard:
        assert (heard.info.name, heard.info.rate_hz, heard.info.channels) == (url, rtsp.RATE_HZ, 1)
        await heard.until(is_sound)


async def test_the_tempo_of_a_station_before_and_after_its_server_was_killed(mp3: bytes, tmp_path: Path) -> None:
    station, log = Station(mp3, bytes_per_s=KBITS * 125), tmp_path / "sets.sqlite"
    async with station.on_air():
        running = serve("--input", station.url, "--log", str(log))
        service = await asyncio.to_thread(running.__enter__)
        try:
            async with service.listen() as client:
                at = await client.until(tempo_is(124.0))
                assert client.last("status")["title"] == "Artist - Title"
                await station.be_killed()
                at = await client.until(state_is("device_lost"), start=at)
                assert station.url in client.last("status")["detail"]
                station.title = "Another - Song"
                await station.go_on_air()
                at = await client.until(state_is("live"), start=at)
                await client.until(tempo_is(124.0), start=at)
                assert client.last("status")["lost_s"] > 0.0
                await client.until(lambda message: message["data"].get("title") == "Another - Song", start=at)
            await asyncio.to_thread(service.end)
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)
    shown = await asyncio.to_thread(run_command, "sets", "export", "--format", "labels", "--log", str(log))
    assert re.findall(r"\w+ - \w+", shown.stdout) == ["Artist - Title", "Another - Song"], "marks in the set log"


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def hls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a playlist and its pieces."""
    folder = tmp_path_factory.mktemp("hls")
    with av.open(str(folder / "song.m3u8"), "w", format="hls", options={"hls_time": "2", "hls_list_size": "0"}) as out:
        stream = out.add_stream("aac", rate=RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(SONG.T), format="fltp", layout="mono")
        frame.sample_rate = RATE_HZ
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE_HZ, frame_size=stream.frame_size)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return folder


def test_a_recording_in_pieces_is_read_to_its_end(hls: Path, decoder: str) -> None:
    with web_server(hls) as address:
        found, blocks = open_recording(f"{address}/song.m3u8", block_s=0.5)
        assert decoder == "ffmpeg" or found.length_s == pytest.approx(12.0, abs=0.2)
        assert sum(block.duration_s for block in blocks) == pytest.approx(12.0, abs=0.2)


async def test_pieces_that_no_longer_come_are_a_loss(
    hls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_source, "_CATCH_UP", 0.0)
    monkeypatch.setattr(network_source, "_AHEAD_S", 0.2)
    shutil.copytree(hls, tmp_path / "live")
    playlist = tmp_path / "live" / "song.m3u8"
    playlist.write_text(playlist.read_text().replace("#EXT-X-ENDLIST\n", ""))
    with web_server(tmp_path / "live") as address:
        async with listening(f"{address}/song.m3u8") as heard:
            await heard.until(is_sound)
            lost = (await heard.until(lambda item: isinstance(item, SourceLost)))[-1]
            assert "sends no sound" in str(lost)


async def test_a_recording_ends_and_is_not_lost(hls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_source, "_CATCH_UP", 0.0)
    monkeypatch.setattr(network_source, "_AHEAD_S", 0.2)
    with web_server(hls) as address:
        source = NetworkSource(f"{address}/song.m3u8", rate_hz=None, channels=None, listen_to=None, patient=True)
        source.open()
        queue = BlockQueue(limit_s=1000.0)
        async with asyncio.timeout(20.0):
            await source.deliver(queue)
    assert queue.waiting_s == pytest.approx(12.0, abs=0.2)


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXTINF:-1,Radio\n{url}\n",
        "[playlist]\nNumberOfEntries=1\nTitle1=a=b\nFile1={url}\n",
        "\n{url}\n",
    ],
)
async def test_playlists_lead_to_the_station(mp3: bytes, tmp_path: Path, playlist: str) -> None:
    station = Station(mp3, bytes_per_s=KBITS * 125)
    async with station.on_air():
        (tmp_path / "radio.m3u").write_text(playlist.format(url=station.url))
        with web_server(tmp_path) as address:
            tuned = await asyncio.to_thread(tune_in, f"{address}/radio.m3u")
        assert tuned.station
        assert tuned.station.name == "Radio Test"
        tuned.close()


NAMING = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n"


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("playlist", [NAMING, "#EXTM3U\n{target}\n", "ffconcat version 1.0\nfile '{target}'\n"])
def test_the_network_can_not_name_a_file(tmp_path: Path, playlist: str) -> None:
    secret = tmp_path / "secret" / "voice.ts"
    secret.parent.mkdir()
    secret.write_bytes(encoded(SONG, RATE_HZ, "mpegts", "mp2"))
    public = tmp_path / "public"
    public.mkdir()
    (public / "radio.m3u8").write_text(playlist.format(target=f"file://{secret}"))
    (public / "radio.mp3").write_text(playlist.format(target=f"file://{secret}"))
    with web_server(public) as address:
        for name in ("radio.m3u8", "radio.mp3"):
            with pytest.raises(AudioError):
                sum(len(block.samples) for block in open_recording(f"{address}/{name}", block_s=0.5)[1])


def test_a_redirect_can_not_lead_to_a_file(tmp_path: Path) -> None:
    with web_server(tmp_path) as address, pytest.raises(AudioError, match="unknown url type"):
        ask(f"{address}/".replace("http://", "ftp://"))


def test_a_file_can_not_name_an_address(tmp_path: Path, hls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(_Quiet, "do_GET", lambda handler: asked.append(handler.path))
    with web_server(hls) as address:
        fake = tmp_path / "song.m3u8"
        fake.write_text(NAMING.format(target=f"{address}/song0.ts"))
        with pytest.raises(AudioError), fake.open("rb") as file:
            media.probe(file)
        with pytest.raises(AudioError):
            look_at(fake)
    assert not asked


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answers 404 Not Found"),
        (b"HTTP/1.0 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n", "file"),
        (b"rubbish\r\n\r\n", "rubbish"),
        (b"HTTP/1.0 200 OK\r\nicy-name: x\r\n\r\n<html>no sound</html>", "Invalid data"),
    ],
)
async def test_what_is_no_station_is_said_in_one_line(answer: bytes, said: str) -> None:
    station = Station(b"x", bytes_per_s=1.0)
    station.answer = answer
    async with station.on_air():
        with pytest.raises(AudioError, match=said) as caught:
            await asyncio.to_thread(tune_in, f"{station.url}?key=secret")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_a_login_goes_to_the_station_and_into_no_message(mp3: bytes) -> None:
    station = Station(mp3, bytes_per_s=KBITS * 125)
    station.answer = b"HTTP/1.0 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
    async with station.on_air():
        with pytest.raises(AudioError) as caught:
            await asyncio.to_thread(tune_in, station.url.replace("//", "//dj:pa%20ss@"))
    assert "Authorization: Basic ZGo6cGEgc3M=" in station.asked[0]
    assert "pa%20ss" not in str(caught.value)


async def test_a_station_has_no_end_to_analyse(mp3: bytes) -> None:
    station = Station(mp3, bytes_per_s=KBITS * 125)
    async with station.on_air():
        with pytest.raises(AudioError, match="hear it live"):
            await asyncio.to_thread(open_recording, station.url, block_s=0.5)


def test_without_a_decoder_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "is_installed", lambda: False)
    source = NetworkSource("http://127.0.0.1:1/", rate_hz=None, channels=None, listen_to=None, patient=True)
    with pytest.raises(AudioError, match=r"stream-analyzer\[media\].*or install ffmpeg"):
        source.open()


@pytest.mark.parametrize(
    "url",
    [
        "concat:a|b",
        "ftp://host/x",
        "file:///etc/passwd",
        "http://",
        "http://[x",
        "http://x:0/",
        "http:///x",
        "http://a b/",
    ],
)
def test_only_addresses_of_the_network_are_an_input(url: str) -> None:
    if "://" in url:
        with pytest.raises(ConfigError, match="must be http://"):
            load_settings({"input": url}, environment={})
    with pytest.raises(AudioError, match="must be http://"):
        tune_in(url)
