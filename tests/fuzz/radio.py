"""Harnesses of sound from the network: a station's titles, playlists, and what a phone sends."""

from __future__ import annotations

import io
from contextlib import suppress
from http.client import HTTPMessage
from types import SimpleNamespace
from typing import Any

import numpy as np

from stream_analyzer.errors import AudioError, ProtocolError
from stream_analyzer.sound.network import http
from stream_analyzer.sound.phone import HEADER, decode
from stream_analyzer.system.address import is_network_url


def station(data: bytes) -> None:
    """What a station sends, with a title each few bytes, as the first byte says; and the same as a playlist."""
    headers = HTTPMessage()
    headers["icy-metaint"] = str(data[0] if data else 0)
    headers["icy-name"] = data[:40].decode("latin-1")
    body = io.BytesIO(data[1:])
    response: Any = SimpleNamespace(headers=headers, read=body.read, fp=None, close=body.close)
    heard = http.Station(response)
    while heard.read(64):
        assert len(heard.title) <= http._TITLE_LIMIT
    heard.cut()
    with suppress(AudioError):
        url = http._first_entry(http._text(data), base="http://radio.example/list.m3u")
        assert is_network_url(url)
        assert url.startswith(("http://", "https://"))


def station_seeds() -> list[bytes]:
    """Return a stream with a title, and playlists."""
    title = b"StreamTitle='Artist - Title';"
    woven = b"\x04abcd" + bytes([2]) + title.ljust(32, b"\0") + b"efgh\0ijkl"
    pls = b"[playlist]\nFile1=http://radio.example:8000/live\nTitle1=x\n"
    return [woven, pls, b"#EXTM3U\n#EXTINF:-1,x\nlive.mp3\n", b"http://[::1]:8000/x\n", b"file:///etc/passwd\n"]


def phone(data: bytes) -> None:
    """A message of a phone."""
    with suppress(ProtocolError):
        block = decode(data).block
        assert np.abs(block.samples).max() <= 1.0


def phone_seeds() -> list[bytes]:
    """Return a piece of 20 ms, and one of two channels."""
    return [HEADER.pack(1, 2, 1, 48_000, 960) + bytes(1920), HEADER.pack(1, 2, 2, 8_000, 0) + b"\xff\x7f\x00\x80"]
