"""Where a subscriber connects to, and what it may ask for."""

from __future__ import annotations

from typing import Any

import pytest

from stream_analyzer.client.endpoint import stream_url
from stream_analyzer.client.subscriber import subscribe, subscribe_blocking
from stream_analyzer.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("127.0.0.1:8765", "ws://127.0.0.1:8765/ws"),
        ("club.example", "ws://club.example/ws"),
        ("http://127.0.0.1:8765/", "ws://127.0.0.1:8765/ws"),
        ("https://club.example/live/", "wss://club.example/live/ws"),
        ("wss://club.example/ws", "wss://club.example/ws"),
        ("[::1]:9000", "ws://[::1]:9000/ws"),
    ],
)
def test_addresses_may_be_those_of_the_page(given: str, wanted: str) -> None:
    assert stream_url(given) == wanted


@pytest.mark.parametrize(
    ("url", "choice", "says"),
    [
        ("", {}, "is no address"),
        ("ftp://club.example", {}, "is no address"),
        ("ws://", {}, "is no address"),
        ("ws://club:port", {}, "is no address"),
        ("ws://club:0", {}, "is no address"),
        ("ws://club:99999", {}, "is no address"),
        ("ws://[", {}, "is no address"),
        ("ws://a b", {}, "is no address"),
        ("ws://t0ken@club", {}, "must hold no token"),
        ("ws://club/ws?types=tempo", {}, "must hold no token, types or hz"),
        ("ws://club", {"types": "tempo,rumour"}, "there is no type 'rumour'; known are tempo, beat, genre"),
        ("ws://club", {"types": []}, "there is no type ''"),
        ("ws://club", {"types": ""}, "there is no type ''"),
        ("ws://club", {"types": ["hello"]}, "there is no type 'hello'"),
        ("ws://club", {"hz": 20}, "from 0.1 to 10"),
        ("ws://club", {"hz": float("nan")}, "hz = 'nan'"),
        ("ws://club", {"token": "s3 cret"}, "printable"),
        ("ws://club", {"token": "s3cret\r\nX: y"}, "printable"),
        ("ws://club", {"ssl": object()}, "not encrypted"),
    ],
)
def test_wrong_arguments_are_told_at_once(url: str, choice: dict[str, Any], says: str) -> None:
    for variant in (subscribe, subscribe_blocking):
        with pytest.raises(ConfigError) as caught:
            variant(url, **choice)
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "t0ken" not in str(caught.value)
        assert "s3" not in str(caught.value)
