"""What one can do with the page, and its views: the set so far, half and double, modes, keyboard, access, pictures."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import chromium, pictures
from tests.support.reading import probe, text, until, until_situation
from tests.support.real_process import ROOT, serve
from tests.support.scripted import BEATING, GENRE, TEMPO, Scripted, set_so_far, status

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

AXE = ROOT / "tests" / "web" / "node_modules" / "axe-core" / "axe.min.js"
VIEWS = ("", "?view=stage", "?view=overlay", "?view=projector")
BPM = "document.getElementById('bpm').textContent"
SET_END_S = "Number(document.getElementById('set-plot').ariaValueMax)"
READING = "document.getElementById('set-reading').textContent"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.find() is None, reason="no Chromium here: apt-get install chromium"),
]


@pytest.fixture
def set_page(page: Page) -> Scripted:
    """A page that is opened 25 minutes into a set."""
    analyzer = Scripted(page, history=set_so_far(1500), start_s=1500.0)
    analyzer.open()
    analyzer.send_all()
    until(page, f"() => {READING}.startsWith('6 changes')")
    return analyzer


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def focused(page: Page) -> str:
    said: str = page.evaluate("() => document.activeElement.id || document.activeElement.textContent")
    return said


@pytest.mark.usefixtures("set_page")
def test_pointing_at_the_set_reads_its_values(page: Page, complaints: list[str]) -> None:
    page.get_by_role("button", name="All").click()
    box = page.locator("#set-plot").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.27, box["y"] + 20)
    until(page, f"() => {READING}.includes('Hip-Hop')")
    reading = text(page, "set-reading")
    assert "92" in reading
    assert "locked" in reading
    assert reading.startswith("06:")
    page.mouse.move(5, 5)
    until(page, f"() => {READING}.startsWith('6 changes')")
    assert complaints == []


def second_of_first_tempo(page: Page) -> int:
    """Go by the keys from the beginning of the set to the first tempo, whenever that came."""
    page.locator("#set-plot").focus()
    press(page, "Home")
    for _ in range(60):
        if "BPM" in text(page, "set-reading"):
            return int(page.locator("#set-plot").get_attribute("aria-valuenow") or "")
        press(page, "ArrowRight")
    pytest.fail("no second of this set has a tempo")


def test_the_set_survives_a_reload(page: Page, complaints: list[str]) -> None:
    with serve("--input", "demo", "--speed", "10") as service:
        page.goto(f"http://{service.address}/")
        shown_s = until(page, f"() => /[0-9]/.test({BPM}) && {SET_END_S} > 20 && {SET_END_S}")
        heard_until_s = until(page, f"() => {SET_END_S} > {shown_s} + 20 && {SET_END_S}")  # it comes after the number
        page.reload()
        page.get_by_role("button", name="All").click()
        until(page, f"() => {SET_END_S} > {heard_until_s}")
        assert second_of_first_tempo(page) < heard_until_s
    assert complaints == []


def test_half_and_double_are_a_choice_of_this_screen(page: Page, scripted: Scripted) -> None:
    scripted.send_all()
    half = page.get_by_role("button", name="half")
    half.click()
    until(page, "() => document.getElementById('bpm').textContent === '64.0 BPM'")
    assert text(page, "choice") == "Shown at half; heard 127.9"
    assert half.get_attribute("aria-pressed") == "true"
    scripted.send("tempo", TEMPO | {"bpm": 130.0, "alternatives": []})
    until(page, "() => document.getElementById('bpm').textContent === '65.0 BPM'")
    assert focused(page).startswith("half"), "a new number must not take the focus away"
    press(page, "Enter")
    until(page, "() => document.getElementById('bpm').textContent === '130.0 BPM'")
    assert text(page, "choice") == ""
    page.get_by_role("button", name="double").click()
    until(page, "() => document.getElementById('bpm').textContent === '260.0 BPM'")


def until_text(page: Page, name: str, said: str) -> None:
    until(page, "([name, said]) => document.getElementById(name).textContent === said", [name, said])


def test_a_guess_and_a_sub_genre_are_shown_as_such(page: Page, scripted: Scripted) -> None:
    scripted.send_all()
    scripted.send("genre", GENRE | {"confidence": 0.34, "sure": False})
    until_text(page, "genre-label", "Can’t tell")  # noqa: RUF001 - as it is written
    assert text(page, "genre-sub") == "Electronic 70\u00a0%, Hip-Hop 10\u00a0%", "the first two, small"
    assert text(page, "genre-confidence") == ""
    assert page.locator(".leads").count() == 0
    scripted.send("genre", GENRE | {"sub_genre": {"label": "house", "p": 0.6}})
    until_text(page, "genre-label", "Electronic")
    assert text(page, "genre-sub") == "House"
    scripted.send("genre", GENRE | {"state": "searching"})
    until_text(page, "genre-verdict", "only a guess")
    assert text(page, "genre-sub") == ""


def test_two_genres_that_are_close_are_both_named(page: Page, scripted: Scripted) -> None:
    scripted.send_all()
    scripted.send("genre", GENRE | {"confidence": 0.38, "second": {"label": "hiphop", "p": 0.31}})
    until_text(page, "genre-label", "Electronic or Hip-Hop")
    assert text(page, "genre-confidence") == "69\u00a0% sure", "what both are together"
    assert page.locator(".leads").count() == 2


def test_what_is_no_music_keeps_the_genre_before_and_its_age(page: Page, scripted: Scripted) -> None:
    scripted.send_all()
    scripted.send("genre", GENRE | {"state": "not_music", "music": 0.1, "age_s": 12.0})
    until_text(page, "genre-verdict", "no music now")
    assert (text(page, "genre-label"), text(page, "genre-age")) == ("Electronic", "heard 12\u00a0s ago")
    assert "stale" in (page.locator("#genre").get_attribute("class") or "")
    assert "No music" in until_situation(page, "not_music")
    scripted.send("genre", GENRE)
    until_text(page, "genre-verdict", "")
    scripted.send("genre", GENRE | {"state": "holding", "age_s": 2.0})
    until_text(page, "genre-verdict", "holding")


def test_without_music_from_the_start_there_is_no_genre(page: Page, scripted: Scripted) -> None:
    scripted.send("status", status("live"))
    rejected = {"label": None, "confidence": 0.0, "state": "not_music", "music": 0.02}
    for _ in range(3):
        scripted.send("genre", GENRE | rejected)
    until_text(page, "genre-label", "No music")
    assert [text(page, f"genre-{what}") for what in ("verdict", "confidence", "age")] == ["", "", ""]
    assert page.locator("#bars .name").first.inner_text() == "Electronic", "what was rejected can be seen"
    assert page.locator(".leads").count() == 0
    assert page.evaluate("() => document.getElementById('set-reading').textContent").startswith("No change")


def test_device_lost_and_back(page: Page, scripted: Scripted, complaints: list[str]) -> None:
    for _ in range(2):
        scripted.send_all()
        until_situation(page, "live")
        scripted.send("status", status("device_lost", detail="gone"))
        assert "Check the cable" in until_situation(page, "device_lost")
        assert page.locator("#spoken").inner_text().startswith("Device lost")
    scripted.send_all()
    until_situation(page, "live")
    assert complaints == []


def test_overlay_is_transparent_and_still_warns(page: Page, complaints: list[str]) -> None:
    analyzer = Scripted(page)
    analyzer.open("?view=overlay")
    analyzer.send_all()
    until_situation(page, "live")
    until(page, "() => document.getElementById('bpm').textContent === '127.9 BPM'")
    picture = base64.b64encode(page.screenshot(omit_background=True)).decode()
    alpha = page.evaluate(
        """async (base64) => {
          const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
          const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
          const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
          context.drawImage(bitmap, 0, 0);
          const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
          let clear = 0;
          for (let i = 3; i < data.length; i += 4) clear += data[i] === 0;
          return [data[3], clear / (data.length / 4)];
        }""",
        picture,
    )
    assert alpha[0] == 0
    assert 0.8 < alpha[1] < 0.99
    assert not page.locator(".band").is_visible()
    analyzer.send("status", status("silent"))
    until_situation(page, "silent")
    assert page.locator(".band").is_visible()
    assert complaints == []


def test_stage_shows_tempo_and_genre_alone(page: Page) -> None:
    analyzer = Scripted(page)
    analyzer.open("?view=stage")
    analyzer.send_all()
    until_situation(page, "live")
    for width, height in ((1280, 720), (1920, 1080), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        assert probe(page, "outside()") == {"bad": [], "scroll": 0}
        assert page.evaluate("() => document.documentElement.scrollHeight <= window.innerHeight")
        digits = page.locator("#digits").bounding_box()
        assert digits
        assert digits["width"] > 0.6 * width
    for hidden in ("#set", ".sound", "#key", "#loudness", ".strip", "#bars", "#dial"):
        assert not page.locator(hidden).is_visible()


@pytest.mark.usefixtures("set_page")
def test_the_keyboard_reaches_everything(page: Page) -> None:
    order = []
    for _ in range(14):
        press(page, "Tab")
        order.append(focused(page).split(" ")[0].split("\u00a0")[0])
    assert order == [
        "half",
        "three",
        "double",
        "\u221214",
        "\u221216",
        "\u221223",
        "mark",
        "5",
        "30",
        "All",
        "set-plot",
        "Past",
        "details-open",
        order[-1],
    ]
    page.locator("#details-open").focus()
    press(page, "Enter")
    until(page, "() => document.getElementById('details').open")
    until(page, "() => document.getElementById('details-list').textContent.includes('83')")
    assert focused(page) == "details-close"
    press(page, "Escape")
    until(page, "() => !document.getElementById('details').open")
    assert focused(page) == "details-open"
    page.locator("#set-plot").focus()
    press(page, "ArrowLeft", "ArrowLeft", "Home")
    until(page, f"() => {READING}.startsWith('20:0')")
    assert page.locator("#set-plot").get_attribute("aria-valuetext") == text(page, "set-reading")
    press(page, "Escape")
    until(page, f"() => {READING}.startsWith('6 changes')")


def test_the_screen_reader_is_not_told_everything(page: Page, scripted: Scripted) -> None:
    page.evaluate(
        """() => {
          window.told = 0;
          new MutationObserver(() => window.told++).observe(document.getElementById("spoken"), { childList: true });
        }"""
    )
    for bpm in range(100, 130):
        scripted.send_all()
        scripted.send("tempo", TEMPO | {"bpm": float(bpm)})
        until(page, "bpm => document.getElementById('bpm').textContent === bpm", f"{bpm}.0 BPM")
    assert page.evaluate("() => window.told") <= 4, "30 numbers came"


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view or "page")
def test_axe_finds_nothing(page: Page, scheme: Any, view: str) -> None:
    if not AXE.exists():
        if os.environ.get("CI") == "true":
            pytest.fail("axe-core is missing: make check fetches it")
        pytest.skip("axe-core is missing: make check fetches it by npm")
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    analyzer = Scripted(page, history=set_so_far(1500), start_s=1500.0)
    analyzer.open(view)
    page.evaluate(AXE.read_text())
    analyzer.send("hello", BEATING)
    analyzer.send_all()
    for key in ("live", "silent", "device_lost"):
        analyzer.send("status", status(key))
        until_situation(page, key)
        assert violations(page) == []
    if not view:
        page.get_by_role("button", name="half").click()
        page.locator("#details-open").click()
        assert violations(page) == []


def violations(page: Page) -> list[str]:
    """What axe has to say, a line for each."""
    found: list[str] = page.evaluate(
        "async () => (await axe.run()).violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' '))"
    )
    return found


@pytest.mark.usefixtures("scripted")
def test_every_word_stands_in_one_file(page: Page) -> None:
    different = page.evaluate(
        """async () => {
          const { PAGE } = await import("/page/strings.js");
          const raw = new DOMParser().parseFromString(await (await fetch("/")).text(), "text/html");
          const words = [...raw.querySelectorAll("[data-t]")].map((e) => [e.dataset.t, e.textContent]);
          const labels = [...raw.querySelectorAll("[data-label]")].map((e) => [e.dataset.label, e.ariaLabel]);
          const used = new Set([...words, ...labels].map(([key]) => key));
          const unused = Object.keys(PAGE).filter((key) => !used.has(key));
          return [...words, ...labels].filter(([key, said]) => PAGE[key] !== said).map(([key]) => key).concat(unused);
        }"""
    )
    assert different == []


@pytest.mark.parametrize("mode", pictures.MODES, ids=lambda mode: mode.name)
def test_each_mode_looks_as_it_should(page: Page, browser: Browser, mode: pictures.Mode) -> None:
    seen = pictures.difference(page, pictures.reference(mode).read_bytes(), pictures.take(browser, mode))
    assert seen["same_size"], seen
    assert seen["mean"] <= pictures.MOST_MEAN, seen
    assert seen["far"] <= pictures.MOST_FAR, seen
