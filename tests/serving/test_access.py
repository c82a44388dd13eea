"""Who may have the stream: every way to show a token, every way to show a wrong one, origins, names of this machine."""

from __future__ import annotations

import ipaddress
import json
import stat
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_analyzer.errors import ConfigError, ProtocolError
from stream_analyzer.protocol.kinds import TYPES
from stream_analyzer.protocol.subscription import HZ, Place, parse_subscription
from stream_analyzer.serving.web.access import COOKIE, Access, Addresses
from stream_analyzer.serving.web.proxies import Proxies
from stream_analyzer.settings.config import Settings, state_folder
from stream_analyzer.settings.login import kept_token, link, serving
from stream_analyzer.system.address import is_loopback, is_origin

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - a test's
ACCESS = Access(TOKEN)


@pytest.mark.parametrize(
    ("authorization", "cookies", "verdict"),
    [
        (f"Bearer {TOKEN}", None, "good"),
        (f"bearer  {TOKEN} ", None, "good"),
        (None, f"{COOKIE}={ACCESS.cookie}", "good"),
        (None, f"other=1; {COOKIE}={ACCESS.cookie}; more=2", "good"),
        (f"Bearer {TOKEN}x", None, "wrong"),
        ("Bearer ", None, "wrong"),
        (f"Basic {TOKEN}", None, "wrong"),
        (TOKEN, None, "wrong"),
        (f"Bearer {ACCESS.cookie}", None, "wrong"),
        ("Bearer wrong", f"{COOKIE}={ACCESS.cookie}", "wrong"),
        (None, None, "none"),
        (None, f"{COOKIE}={TOKEN}", "none"),
        (None, f"{COOKIE}={Access('another-token-0123').cookie}", "none"),
        (None, f"{COOKIE}=", "none"),
        (None, '"=;;\x00', "none"),
    ],
)
def test_what_a_request_shows(authorization: str | None, cookies: str | None, verdict: str) -> None:
    assert ACCESS.judge(authorization=authorization, cookies=cookies) == verdict


def test_without_a_token_nothing_is_asked_for() -> None:
    assert Access().judge(authorization="Bearer anything", cookies=None) == "good"
    assert not Access().judge_login("token=")


def test_neither_token_nor_cookie_are_shown() -> None:
    assert TOKEN not in repr(ACCESS)
    assert TOKEN not in repr(Settings(token=TOKEN))
    assert TOKEN not in ACCESS.login_cookie(secure=True)


def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_lines() -> None:
    header = ACCESS.login_cookie(secure=True)
    assert {"HttpOnly", "SameSite=Strict", "Secure"} <= set(header.split("; "))
    assert "Secure" not in ACCESS.login_cookie(secure=False)


def test_only_a_good_cookie_is_renewed() -> None:
    assert ACCESS.renewed_cookie(f"a=b; {COOKIE}={ACCESS.cookie}", secure=True) == ACCESS.login_cookie(secure=True)
    for cookies in ("", f"{COOKIE}={TOKEN}", f"{COOKIE}="):
        assert ACCESS.renewed_cookie(cookies, secure=True) is None
    assert Access().renewed_cookie(f"{COOKIE}={Access().cookie}", secure=True) is None


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_only_the_right_first_message_lets_in(message: str | bytes) -> None:
    assert not ACCESS.judge_message(message)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=8), st.lists, max_leaves=5))
def test_nor_does_any_json_but_the_token(value: object) -> None:
    assert not ACCESS.judge_message(json.dumps({"token": value}))
    assert not ACCESS.judge_message(json.dumps(value))


def test_the_right_one_does() -> None:
    assert ACCESS.judge_message(json.dumps({"token": TOKEN, "more": 1}))
    assert ACCESS.judge_message(json.dumps({"token": TOKEN}).encode())
    assert not ACCESS.judge_message("[" * 4000)
    assert not ACCESS.judge_message('{"token": "\\ud800"}')


@given(st.text(max_size=80))
def test_no_login_by_anything_else(query: str) -> None:
    assert not ACCESS.judge_login(query)
    assert not ACCESS.judge_login(urlencode({"token": query}))


def test_login_by_the_link() -> None:
    assert ACCESS.judge_login(urlencode({"token": TOKEN}))
    assert not ACCESS.judge_login(f"token={TOKEN}&token={TOKEN}")
    assert not ACCESS.judge_login("&" * 100)


@pytest.mark.parametrize(
    ("origin", "admitted"),
    [
        (None, True), ("http://club:8765", True), ("https://club:8765", True), ("https://listed.example", True),
        ("https://listed.example:8443", False), ("http://listed.example", False), ("http://club", False),
        ("http://evil.example", False), ("null", False), ("", False), ("http://club:8765, http://x", False),
    ],
)  # fmt: skip
def test_origins(origin: str | None, *, admitted: bool) -> None:
    access = Access(origins=frozenset({"https://listed.example"}))
    assert access.admits(origin, ["club:8765"]) is admitted


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True), ("127.9.9.9:8765", True), ("localhost", True), ("localhost:1", True), ("[::1]:8765", True),
        ("::1", True), ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("localhost.evil.example", False),  # noqa: S104 - not bound
        ("127.0.0.1.evil.example:1", False), ("evil.example", False), ("", False), ("[::1", True), ("[", False),
        ("127.1", False), ("::ffff:127.0.0.1", False),
    ],
)  # fmt: skip
def test_names_of_this_machine(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("text", ["https://club.example", "http://10.0.0.5:3000", "http://[::1]:80", "app://obs"])
def test_origins_as_browsers_send_them(text: str) -> None:
    assert is_origin(text)


@pytest.mark.parametrize(
    "text", ["", "*", "club.example", "https://", "https://a/", "https://a/b", "https://u@a", "HTTPS://a", "http://a:0"]
)
def test_what_is_no_origin(text: str) -> None:
    assert not is_origin(text)


def test_connections_are_counted_by_address() -> None:
    addresses = Addresses(2, total=100)
    assert [addresses.enter("a") for _ in range(18)] == ["in"] * 2 + ["too many"] * 16
    assert addresses.enter("a") == "far too many", "these are not even told"
    assert addresses.enter("b") == "in"
    for _ in range(16):
        addresses.leave("a", "too many")
    assert addresses.enter("a") == "too many"
    addresses.leave("a", "in")
    assert addresses.enter("a") == "in"
    few = Addresses(9, total=1)
    assert (few.enter("a"), few.enter("b")) == ("in", "far too many")


def test_those_who_are_refused_take_nobody_s_place() -> None:
    addresses = Addresses(1, total=100)
    places = [addresses.enter("a") for _ in range(3)]
    addresses.leave("a", places[0])
    assert addresses.enter("a") == "in", "although two still wait for their refusal"


def test_who_has_no_address_yet_counts_in_all_alone() -> None:
    addresses = Addresses(1, total=3)
    assert [addresses.enter("") for _ in range(4)] == ["in", "in", "in", "far too many"]


def behind(*networks: str) -> Proxies:
    return Proxies(tuple(ipaddress.ip_network(network) for network in networks))


@pytest.mark.parametrize(
    ("header", "value", "client"),
    [
        ("X-Forwarded-For", "198.51.100.7", "198.51.100.7"),
        ("X-Forwarded-For", "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # the first was said by the client itself
        ("X-Forwarded-For", "198.51.100.7, 10.0.0.2", "198.51.100.7"),  # two proxies of ours
        ("X-Forwarded-For", "198.51.100.7:5555", "198.51.100.7"),
        ("X-Forwarded-For", "[2001:db8::7]:80", "2001:db8::7"),
        ("X-Forwarded-For", "::ffff:198.51.100.7", "198.51.100.7"),
        ("X-Forwarded-For", "unknown", "10.0.0.1"),
        ("X-Forwarded-For", "198.51.100.7, garbage", "10.0.0.1"),
        ("X-Forwarded-For", "", "10.0.0.1"),
        ("Forwarded", "for=198.51.100.7;proto=https;by=10.0.0.1", "198.51.100.7"),
        ("Forwarded", 'For="[2001:db8::7]:4711"', "2001:db8::7"),
        ("Forwarded", "for=203.0.113.9, for=198.51.100.7", "198.51.100.7"),
        ("Forwarded", "for=_hidden", "10.0.0.1"),
    ],
)
def test_for_whom_a_trusted_proxy_asks(header: str, value: str, client: str) -> None:
    said = {header: [value]}
    assert behind("10.0.0.0/8").client("10.0.0.1", lambda name: said.get(name, [])) == client
    assert behind("10.9.0.0/16").client("10.0.0.1", lambda name: said.get(name, [])) == "10.0.0.1", "not trusted"
    assert Proxies().client("10.0.0.1", lambda name: said.get(name, [])) == "10.0.0.1"


@pytest.mark.parametrize(
    ("header", "value", "by_tls"),
    [
        ("X-Forwarded-Proto", "https", True), ("X-Forwarded-Proto", "http", False), ("X-Forwarded-Proto", "", False),
        ("Forwarded", "for=198.51.100.7;proto=https", True), ("Forwarded", "for=198.51.100.7", False),
    ],
)  # fmt: skip
def test_by_what_a_browser_reached_the_proxy(header: str, value: str, *, by_tls: bool) -> None:
    said = {header: [value]}
    assert behind("10.0.0.1").by_tls("10.0.0.1", lambda name: said.get(name, [])) is by_tls
    assert not behind("10.0.0.2").by_tls("10.0.0.1", lambda name: said.get(name, []))


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("music.example", True), ("Music.Example", True), ("music.example:8443", True), ("10.0.0.5:8080", True),
        ("10.0.0.5", False), ("10.0.0.5:81", False), ("evil.music.example", False), ("music.example.evil", False),
        ("", False), (":8080", False), ("[::1]:8080", False),
    ],
)  # fmt: skip
def test_names_under_which_a_proxy_serves(host: str, *, known: bool) -> None:
    access = Access(hosts=frozenset({"music.example", "10.0.0.5:8080"}))
    assert access.knows(host) is known
    assert access.admits(f"https://{host}", ["127.0.0.1:8765"]) is known


@given(st.text(max_size=60))
def test_any_query_is_read_or_refused_in_one_line(query: str) -> None:
    said = ""
    try:
        assert parse_subscription(query).choice.kinds <= set(TYPES)
    except ProtocolError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 300


@given(
    kinds=st.sets(st.sampled_from(TYPES), min_size=1),
    hz=st.none() | st.integers(1, 100).map(lambda tenths: tenths / 10),
    since=st.none() | st.builds(Place, st.from_regex(r"\A[0-9a-f]{6}\Z"), st.integers(0, 10**15 - 1)),
)
def test_any_wish_that_can_be_met_is_understood(kinds: set[str], hz: float | None, since: Place | None) -> None:
    asked = {"types": ",".join(kinds)} | ({"hz": f"{hz:g}"} if hz else {}) | ({"since": str(since)} if since else {})
    wanted = parse_subscription(urlencode(asked))
    assert (set(wanted.choice.kinds), wanted.choice.hz, wanted.since) == (kinds, hz, since)
    assert hz is None or HZ[0] <= hz <= HZ[1]


def test_a_token_is_made_once_and_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "token"
    token = kept_token(path)
    assert len(token) >= 32
    assert kept_token(path) == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert kept_token(tmp_path / "other") != token


def test_a_token_that_others_may_know_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = kept_token(path)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match=r"others may read it; delete it") as caught:
        kept_token(path)
    assert token not in str(caught.value)
    path.chmod(0o600)
    path.write_text("")
    with pytest.raises(ConfigError, match="is empty; delete it"):
        kept_token(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="it is no text; set STREAM_ANALYZER_TOKEN"):
        kept_token(path)
    with pytest.raises(ConfigError, match=r"can't keep a token in .*; set STREAM_ANALYZER_TOKEN.*--token-file"):
        kept_token(path / "below a file")


def test_where_it_is_kept() -> None:
    assert str(state_folder({"XDG_STATE_HOME": "/state"})) == "/state/stream-analyzer"
    assert state_folder({}).parts[-3:] == (".local", "state", "stream-analyzer")


def test_on_this_machine_alone_no_token_is_needed_but_one_that_is_set_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert serving(Settings()).access.token == ""
    assert serving(Settings(token=TOKEN)).access.token == TOKEN
    assert not list(tmp_path.iterdir())
    for host in ("0.0.0.0", "::", "club-laptop", "192.168.1.20"):  # noqa: S104 - not bound
        assert len(serving(Settings(host=host)).access.token) >= 32
    assert serving(Settings(host="club-laptop", token=TOKEN)).access.token == TOKEN


def test_the_login_link_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    assert link("http://a/", Access(), kept=False) == "http://a/"
    assert link("http://a/", ACCESS, kept=False) == "http://a/login?token=TOKEN (TOKEN is the one that is set)"
    assert link("http://a/", ACCESS, kept=True).endswith("stream-analyzer/token)")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert link("http://a/", Access("a+b/c=0123456789"), kept=True) == "http://a/login?token=a%2Bb%2Fc%3D0123456789"
