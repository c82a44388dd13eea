"""The page in a real browser: beside the real service, and with a stream played by hand for what is rare."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import chromium
from tests.support.node import find as find_node
from tests.support.reading import PROBES, probe, text, until, until_situation
from tests.support.real_process import ROOT, free_port, serve
from tests.support.scripted import GENRE, HELLO, KEY, LEVEL, LOUDNESS, TEMPO, Scripted, status

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

FIRST_PART_BPM = 124.0
SIZES = [(390, 844), (320, 568), (820, 1180), (1280, 800), (1920, 1080), (3840, 2160)]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.find() is None, reason="no Chromium here: apt-get install chromium"),
]


def test_demo_shows_tempo_and_genre(page: Page, complaints: list[str]) -> None:
    with serve("--input", "demo") as service:
        page.goto(f"http://{service.address}/")
        until(page, f"() => {PROBES}.judged({FIRST_PART_BPM})")
        assert text(page, "genre-label") == " or ".join(page.locator(".leads .name").all_inner_texts())
        assert text(page, "source") == "Demo set: demo.ogg"
        until_situation(page, "live")
    assert complaints == []


def test_who_has_no_login_is_told_and_who_has_one_sees_no_token(page: Page) -> None:
    token = "correct-horse-battery-staple"  # noqa: S105 - a test's
    with serve("--input", "demo", env={"STREAM_ANALYZER_TOKEN": token}) as service:
        url = f"http://{service.address}/"
        page.goto(url)
        assert "login link" in until_situation(page, "locked")
        page.goto(f"{url}login?token={token}")
        until(page, "() => ['warming', 'live'].includes(document.documentElement.dataset.situation)")
        assert page.url == url
        assert page.evaluate("document.cookie") == "", "no script can read it"
        page.reload()
        until_situation(page, "live")


def test_demo_moves_spectrogram_meter_and_clock(page: Page, complaints: list[str]) -> None:
    with serve("--input", "demo") as service:
        page.goto(f"http://{service.address}/")
        for _ in range(3):
            before = probe(page, "moving()")
            until(page, f"before => {PROBES}.moving().every((value, i) => value !== before[i])", before)
    assert complaints == []


def test_page_says_that_the_service_is_gone_and_comes_back_by_itself(page: Page) -> None:
    port = str(free_port())
    with serve("--input", "demo", "--port", port) as service:
        page.goto(f"http://{service.address}/")
        until(page, "() => document.getElementById('session').textContent.length > 1")
        session = text(page, "session")
        service.process.kill()
        words = until_situation(page, "offline")
        assert "No connection" in words
        assert "Is it still running?" in words
    with serve("--input", "demo", "--port", port):
        until(page, "old => document.getElementById('session').textContent !== old", session)
        until(page, "() => document.documentElement.dataset.line === 'open'")
        until(page, "() => ['warming', 'live'].includes(document.documentElement.dataset.situation)")


@pytest.mark.parametrize(
    ("key", "title", "advice"),
    [
        ("device_lost", "Device lost", "Check the cable"),
        ("silent", "Too quiet", "Turn the input up"),
        ("degraded", "Audio dropped", "settle"),
        ("cancelling", "Channels cancel", "One channel is inverted"),
        ("ended", "Ended", "Start the analyzer again"),
        ("warming", "Listening", "after 4\u00a0s of sound"),
        ("starting", "Starting", "Opening the sound"),
    ],
)
def test_each_state_says_what_to_do(page: Page, scripted: Scripted, key: str, title: str, advice: str) -> None:
    scripted.send_all()
    until_situation(page, "live")
    scripted.send("status", status(key))
    words = until_situation(page, key)
    assert title in words
    assert advice in words


@pytest.mark.parametrize(("sound", "title"), [("hum", "Only a hum"), ("tone", "Only a tone"), ("noise", "Only noise")])
def test_what_does_not_move_is_named(page: Page, scripted: Scripted, sound: str, title: str) -> None:
    scripted.send_all()
    scripted.send("status", status("steady") | {"detail": f"only a {sound} that does not move: no music"})
    assert title in until_situation(page, sound)


def test_clipping_and_speech_are_said(page: Page, scripted: Scripted) -> None:
    scripted.send_all()
    scripted.send("level", LEVEL | {"clipping": True})
    assert "Turn the input down" in until_situation(page, "clipping")
    scripted.send("level", LEVEL)
    scripted.send("genre", GENRE | {"state": "not_music", "music": 0.1})
    words = until_situation(page, "not_music")
    assert "No music" in words
    assert "does not sound like music" in words


def test_silence_on_the_line_is_no_live_sound(page: Page, scripted: Scripted) -> None:
    scripted.send_all()
    until_situation(page, "live")
    assert "Is it paused?" in until_situation(page, "stalled")
    until(page, "() => /heard \\d+\\ss ago/.test(document.getElementById('tempo-age').textContent)")
    until(page, "() => document.getElementById('tempo').classList.contains('stale')")
    assert text(page, "tempo-state") == "Holding"


def test_numbers_are_shown_as_they_are(page: Page, scripted: Scripted) -> None:
    scripted.send_all()
    scripted.send("status", status("live", lag_s=1.2, lost_s=0.4, nonfinite=7, clients=3))
    until(page, "() => document.getElementById('lost').textContent.startsWith('0.4')")
    shown = {name: text(page, name).replace("\u00a0", " ") for name in ("lag", "lost", "nonfinite", "clients")}
    assert shown == {
        "lag": "1.2 s",
        "lost": "0.4 s",
        "nonfinite": "7",
        "clients": "3",
    }
    assert str(page.locator("#models").text_content()).startswith("tempo-mel-cnn 1.2.0, genre-mel-cnn 1.2.0, ")
    assert page.locator("#bpm").text_content() == "127.9 BPM"
    assert text(page, "tempo-state") == "Locked"
    assert text(page, "tempo-confidence") == "83\u00a0% sure"
    assert page.locator("#alternatives").inner_text().split("\n") == ["half 64.0", "three halves 191.9", "double 255.9"]
    assert page.locator("#bars .name").all_inner_texts() == [
        "Electronic",
        "Hip-Hop",
        "International",
        "Drum & Bass",
        "Pop",
    ]


def test_the_key_lights_its_place_and_what_mixes(page: Page, scripted: Scripted) -> None:
    scripted.send_all()
    until(page, "() => document.getElementById('key-label').textContent === 'A minor'")
    lit = {name: page.locator(f"#wheel .{name} text").all_text_contents() for name in ("here", "mixes")}
    assert lit["here"] == ["8A"]
    assert set(lit["mixes"]) == {"7A", "9A", "8B"}
    assert text(page, "key-mixes") == "mixes with 7A, 9A and 8B"
    assert (text(page, "key-camelot"), text(page, "key-confidence")) == ("8A", "78\u00a0% sure")
    scripted.send("key", KEY | {"state": "searching", "confidence": 0.2})
    until(page, "() => document.querySelectorAll('#wheel .here, #wheel .mixes').length === 0")
    assert text(page, "key-label") == "Not sure yet"
    assert text(page, "key-confidence").startswith("A minor 78\u00a0%"), "the first two, small"
    scripted.send("key", KEY | {"state": "holding", "age_s": 9.0})
    until(page, "() => document.getElementById('key-age').textContent === 'heard 9\u00a0s ago'")
    assert "stale" in (page.locator("#key").get_attribute("class") or "")
    scripted.send("key", KEY | {"state": "unclear", "label": None, "camelot": None, "confidence": 0.0})
    until(page, "() => document.getElementById('key-label').textContent === 'No clear key'")


def test_loudness_is_shown_against_a_target_of_this_screen(page: Page, scripted: Scripted) -> None:
    scripted.send_all()
    until(page, "() => document.getElementById('loudness-value').textContent === '\u221213.1'")
    shown = [text(page, f"loudness-{name}").replace("\u00a0", " ") for name in ("integrated", "range", "peak")]
    assert shown == ["\u221215.3 LUFS, 1.3 LU under", "4.2 LU", "\u22120.4 dBTP"]
    line, mean = page.locator("#loudness-target"), page.locator("#loudness-mean")
    assert line.evaluate("e => e.style.left") == "65%"
    page.get_by_role("button", name="\u221223").click()
    until(page, "() => document.getElementById('loudness-integrated').textContent.endsWith('7.7\u00a0LU over')")
    assert (line.evaluate("e => e.style.left"), mean.evaluate("e => e.style.left")) == ("42.5%", "61.75%")
    assert page.url.endswith("?target=-23")
    scripted.send("loudness", LOUDNESS | {"integrated_lufs": None})
    nothing = "\u2013"
    until(page, f"() => document.getElementById('loudness-integrated').textContent === '{nothing}'")
    assert text(page, "loudness-peak") == nothing
    until(page, "() => document.getElementById('loudness').dataset.state === 'old'")
    assert text(page, "loudness-value") == nothing


def test_a_missing_meter_is_said(page: Page, scripted: Scripted) -> None:
    scripted.send("hello", HELLO | {"types": ["tempo", "genre", "level", "status"]})
    until(page, "() => document.getElementById('loudness-value').textContent === 'No meter: pyebur128 is missing'")
    assert not page.locator("#loudness .bar").is_visible()


@pytest.mark.parametrize(
    ("absent", "element"), [("tempo", "tempo-state"), ("genre", "genre-label"), ("key", "key-label")]
)
def test_a_model_that_is_absent_is_said(page: Page, scripted: Scripted, absent: str, element: str) -> None:
    types = [kind for kind in ("tempo", "genre", "key", "level", "status") if kind != absent]
    scripted.send("hello", HELLO | {"types": types})
    scripted.send("status", status("live"))
    until(page, f"() => document.getElementById('{element}').textContent === 'No {absent} model'")


def test_bars_are_ordered_by_their_numbers(page: Page, scripted: Scripted) -> None:
    scripted.send_all()
    until(page, "() => document.querySelectorAll('.leads').length === 1")
    turned = [
        {"label": s["label"], "p": p} for s, p in zip(reversed(GENRE["top"]), (0.6, 0.2, 0.1, 0.06, 0.04), strict=True)
    ]
    scripted.send("genre", GENRE | {"label": "pop", "confidence": 0.6, "top": turned})
    until(page, "() => document.getElementById('genre-label').textContent === 'Pop'")
    names = ["Pop", "Drum & Bass", "International", "Hip-Hop", "Electronic"]
    assert page.locator("#bars .name").all_inner_texts() == names
    assert page.locator(".leads .name").inner_text() == "Pop"


def test_what_is_unknown_or_broken_is_ignored(page: Page, scripted: Scripted, complaints: list[str]) -> None:
    for raw in (
        "",
        "{",
        "[1]",
        '{"v":1,"type":"rumour","data":{}}',
        '{"v":9,"type":"tempo","data":{}}',
        b"",
        b"\x01\x01\x80",
    ):
        scripted.send_raw(raw)
    scripted.send("tempo", {"bpm": None})
    scripted.send_all()
    until_situation(page, "live")
    assert page.locator("#bpm").text_content() == "127.9 BPM"
    assert complaints == []


def test_reduced_motion_steps_instead_of_scrolling(page: Page, scripted: Scripted) -> None:
    page.emulate_media(reduced_motion="reduce")
    empty = probe(page, "picture()")
    for level in range(100, 200):
        scripted.send_columns(1, level=level)
    until(page, f"empty => {PROBES}.picture() !== empty", empty)
    assert page.evaluate("() => document.getElementById('spectrum').getAnimations().length") == 0


def test_a_page_with_nothing_to_show_draws_seldom(page: Page, scripted: Scripted) -> None:
    scripted.send_all()
    scripted.send("status", status("ended"))
    until_situation(page, "ended")
    until(page, "() => document.getElementById('meter-peak').style.transform === 'translateY(100%)'")
    assert probe(page, "frames()") <= 12  # a moving picture asks for 90


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_everything_fits_its_width(
    page: Page, scripted: Scripted, complaints: list[str], size: tuple[int, int]
) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    scripted.send_all()
    scripted.send("tempo", TEMPO | {"bpm": 288.8, "state": "searching", "age_s": 47.0})
    scripted.send("genre", GENRE | {"confidence": 0.2, "sub_genre": {"label": "progressive house", "p": 0.3}})
    until_situation(page, "live")
    until(page, "() => parseFloat(document.getElementById('bpm').textContent) === 288.8")
    assert probe(page, "outside()") == {"bad": [], "scroll": 0}
    facts, title = page.locator(".reading .facts").bounding_box(), page.locator("#genre-label").bounding_box()
    assert facts
    assert title
    beside = title["y"] < facts["y"] + facts["height"]
    assert not beside or facts["x"] + facts["width"] < title["x"]
    assert complaints == []


@pytest.mark.parametrize("view", [("", 1280, 800), ("?view=projector", 1280, 720)], ids=lambda view: view[0] or "page")
@pytest.mark.parametrize("state", ["clear", "searching", "unclear", "holding"])
def test_a_desktop_shows_all_without_scrolling(
    page: Page, scripted: Scripted, view: tuple[str, int, int], state: str
) -> None:
    query, width, height = view
    page.set_viewport_size({"width": width, "height": height})
    scripted.open(query)
    scripted.send_all()
    label = None if state == "unclear" else "F# minor"
    scripted.send("key", KEY | {"state": state, "label": label, "age_s": 47.0 * (state == "holding")})
    until(page, "state => document.getElementById('key').dataset.state === state", state)
    assert page.evaluate("() => document.documentElement.scrollHeight - window.innerHeight") <= 0
    wider = "(id) => document.getElementById(id).scrollWidth > document.getElementById(id).clientWidth"
    assert page.evaluate(f"() => ['key', 'key-label', 'loudness', 'set'].filter({wider})") == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_text_has_contrast_in_light_and_in_dark(page: Page, scripted: Scripted, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    scripted.send_all()
    for key in ("live", "silent", "device_lost"):
        scripted.send("status", status(key))
        until_situation(page, key)
        page.wait_for_function("() => document.getAnimations().every(a => a.playState === 'finished')")
        assert probe(page, "faint()") == []


LOADS = re.compile(r'(?:src=|href=|from |import |addModule\()"([\w./]+\.(?:js|css))"')


def loaded(page: Path) -> set[Path]:
    """Return the files that a page is made of: what it links to, and what these import."""
    found, left = {page}, [page]
    while left:
        path = left.pop()
        for name in LOADS.findall(path.read_text()):
            folder = path.parent if name.startswith(".") else page.parent
            other = (folder / name).resolve()
            left += [other] if other not in found else []
            found.add(other)
    return found


@pytest.mark.parametrize(("name", "most"), [("index", 190_000), ("sets", 100_000), ("mic", 20_000), ("phone", 5_000)])
def test_each_page_is_small(name: str, most: int) -> None:
    assert sum(path.stat().st_size for path in loaded(ROOT / "web" / f"{name}.html")) <= most


def test_pages_ask_nobody_else() -> None:
    files = [path for path in (ROOT / "web").rglob("*") if path.suffix in (".html", ".css", ".js")]
    assert set().union(*(loaded(path) for path in files if path.suffix == ".html")) == set(files), "none is left over"
    for path in files:
        said = path.read_text()
        assert "https://" not in said, path
        assert "style=" not in said, path
        assert all("www.w3.org" in line for line in said.splitlines() if "http://" in line), path


def test_pure_modules() -> None:
    node = find_node()
    if node is None:
        pytest.skip("no Node here: apt-get install nodejs")
    tests = sorted(str(path) for path in (ROOT / "tests" / "web").glob("*.test.mjs"))
    done = subprocess.run([node, "--test", *tests], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
