"""The page where nobody touches it: on a stage, on a wall, on air, and in the colours that a viewer's system forces."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import chromium
from tests.support.inputs import Input, Inputs
from tests.support.reading import text, until, until_situation
from tests.support.real_process import serve
from tests.support.scripted import HELLO, TEMPO, URL, Scripted, status

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page, Route

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - a test's
COUNT_LOCKS = """
  window.locks = [];
  Object.defineProperty(navigator, "wakeLock", { value: { request: async (kind) => {
    const lock = { kind, released: false };
    window.locks.push(lock);
    return lock;
  } } });
"""
HALF_FULL = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("#meter-cover { transform: scaleY(0.5) !important; }");
  document.adoptedStyleSheets = [sheet];
}"""
PAINTED = """async ([base64, behind]) => {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const [red, green, blue] = behind.match(/\\d+/g).map(Number);
  let painted = 0;
  for (let i = 0; i < data.length; i += 4) painted += data[i] !== red || data[i + 1] !== green || data[i + 2] !== blue;
  return painted / (data.length / 4);
}"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.find() is None, reason="no Chromium here: apt-get install chromium"),
]


@pytest.mark.parametrize(
    ("query", "count"), [("", 0), ("?view=overlay", 0), ("?view=stage", 1), ("?view=projector", 1)]
)
def test_the_screen_of_a_stage_and_a_wall_stays_on(page: Page, query: str, count: int) -> None:
    page.add_init_script(COUNT_LOCKS)
    Scripted(page).open(query)
    assert page.evaluate("() => window.locks.map((lock) => lock.kind)") == ["screen"] * count
    page.evaluate(
        """() => {
          for (const lock of window.locks) lock.released = true; // as when the page was hidden
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    until(page, "count => window.locks.length === count", 2 * count)
    page.mouse.click(100, 100)
    assert page.evaluate("() => window.locks.length") == 2 * count, "one that is held is enough"


def test_a_real_browser_that_refuses_the_lock_shows_the_page(page: Page, complaints: list[str]) -> None:
    with serve("--input", "demo") as service:
        page.add_init_script(
            """
            window.asked = 0;
            const { request } = WakeLock.prototype;
            WakeLock.prototype.request = function (kind) {
              window.asked++;
              return request.call(this, kind);
            };
            """
        )
        page.goto(f"http://{service.address}/?view=stage")
        until(page, "() => window.asked > 0")
        until_situation(page, "live")
    assert complaints == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_forced_colours_leave_bars_meter_needle_and_dots(page: Page, scheme: Any) -> None:
    page.emulate_media(forced_colors="active", color_scheme=scheme)
    analyzer = Scripted(page)
    analyzer.open()
    analyzer.send_all()
    until_situation(page, "live")
    until(page, "() => document.querySelectorAll('.leads').length === 1")
    page.wait_for_function("() => document.getAnimations().every(a => a.playState === 'finished')")
    page.evaluate(HALF_FULL)
    assert 0.6 < painted(page, ".leads .rail") < 0.95, "0.7, and a line along the rest"
    assert painted(page, ".needle") > 0.8
    assert painted(page, ".lamp") > 0.6
    assert painted(page, "#tempo-state", width=8.0) > 0.4, "its dot"
    assert 0.2 < painted(page, "#meter .column") < 0.6


def painted(page: Page, name: str, *, width: float = 0.0) -> float:
    """Return the part of an element, or of its first ``width`` pixels, that is not of the page's colour."""
    box = page.locator(name).first.bounding_box()
    assert box
    clip = {"x": box["x"], "y": box["y"], "width": width or box["width"], "height": box["height"]}
    picture = base64.b64encode(page.screenshot(clip=clip)).decode()  # type: ignore[arg-type]
    behind = page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor")
    part: float = page.evaluate(PAINTED, [picture, behind])
    return part


def test_half_lives_through_a_reload_and_a_new_session(page: Page, scripted: Scripted) -> None:
    scripted.send_all()
    page.get_by_role("button", name="half").click()
    until(page, "() => document.getElementById('bpm').textContent === '64.0 BPM'")
    assert page.url == f"{URL}?ratio=half"
    page.reload()
    scripted.greet()
    scripted.send_all()
    until(page, "() => document.getElementById('bpm').textContent === '64.0 BPM'")
    scripted.session = "0ther"
    scripted.greet()
    scripted.send("tempo", TEMPO | {"bpm": 100.0, "alternatives": []})
    until(page, "() => document.getElementById('bpm').textContent === '50.0 BPM'")
    page.get_by_role("button", name="half").click()
    until(page, "() => document.getElementById('bpm').textContent === '100.0 BPM'")
    assert page.url == URL


@pytest.mark.parametrize(
    ("ratio", "bpm"), [("half", "64.0"), ("double", "255.9"), ("none", "127.9"), ("toString", "127.9"), ("", "127.9")]
)
def test_an_overlay_can_be_set_to_half_or_double(page: Page, ratio: str, bpm: str) -> None:
    analyzer = Scripted(page)
    analyzer.open(f"?view=overlay&ratio={ratio}")
    analyzer.send_all()
    until(page, "bpm => document.getElementById('bpm').textContent === bpm", f"{bpm} BPM")


def test_an_overlay_without_a_login_shows_nothing_on_air(page: Page) -> None:
    with serve("--input", "demo", env={"STREAM_ANALYZER_TOKEN": TOKEN}) as service:
        page.goto(f"http://{service.address}/?view=overlay")
        until(page, "() => document.documentElement.dataset.situation === 'locked'")
        assert not page.locator(".band").is_visible()
        assert not page.locator("main").is_visible()
        page.goto(f"http://{service.address}/")
        until_situation(page, "locked")
        assert page.locator(".band").is_visible(), "elsewhere it is said"


def test_one_address_is_all_that_an_overlay_on_another_machine_takes(page: Page) -> None:
    with serve("--input", "demo", env={"STREAM_ANALYZER_TOKEN": TOKEN}) as service:
        url = f"http://{service.address}"
        page.goto(f"{url}/login?token={TOKEN}&view=overlay&ratio=half&next=//elsewhere.example")
        assert page.url == f"{url}/?view=overlay&ratio=half"
        until(page, "() => ['warming', 'live'].includes(document.documentElement.dataset.situation)")


def test_who_comes_back_stays_logged_in(page: Page) -> None:
    with serve("--input", "demo", env={"STREAM_ANALYZER_TOKEN": TOKEN}) as service:
        url = f"http://{service.address}/"
        page.goto(f"{url}login?token={TOKEN}")
        (cookie,) = page.context.cookies()
        soon = cookie["expires"] - 350 * 86_400
        page.context.add_cookies([{**cookie, "expires": soon}])  # type: ignore[typeddict-item]
        page.goto(url)
        (renewed,) = page.context.cookies()
        assert renewed["expires"] - soon > 300 * 86_400
        page.context.clear_cookies()
        page.goto(url)
        assert page.context.cookies() == [], "who has none is given none"


def test_a_warning_still_stands_out_in_forced_colours(page: Page) -> None:
    page.emulate_media(forced_colors="active")
    analyzer = Scripted(page)
    analyzer.open()
    analyzer.send("status", status("silent"))
    until_situation(page, "silent")
    assert page.evaluate("() => getComputedStyle(document.querySelector('.band')).borderTopWidth") == "3px"
    assert text(page, "situation") == "Too quiet"


@pytest.mark.parametrize(
    ("cause", "key", "says"),
    [
        ({"silence": "quiet"}, "silent", "Too quiet Nothing to hear."),
        ({"silence": "zeros"}, "zeros", "Nothing but zeros Is the input muted or switched off?"),
        (
            {"silence": "elsewhere", "sound_on": 7},
            "elsewhere",
            "Channel 7 has sound. Start the analyzer with --channel 7",
        ),
    ],
)
def test_each_cause_of_silence_says_what_to_do(
    page: Page, scripted: Scripted, cause: dict[str, Any], key: str, says: str
) -> None:
    scripted.send_all()
    scripted.send("status", status("silent", **cause))
    assert says in " ".join(until_situation(page, key).split())


def test_the_channel_with_sound_is_offered_at_a_tap(page: Page, tmp_path: Path, complaints: list[str]) -> None:
    inputs = Inputs(tmp_path, Input("18i20 USB", channels=8, sounding=(7,), default=True))
    with serve(env=inputs.env) as service:
        page.goto(f"http://{service.address}/")
        until_situation(page, "elsewhere")
        page.get_by_role("button", name="Listen to channel 7").click()
        until(page, "() => ['warming', 'live'].includes(document.documentElement.dataset.situation)")
        assert not page.locator("#listen").is_visible()
    assert complaints == []


def test_elsewhere_it_is_named_and_not_offered(page: Page, scripted: Scripted) -> None:
    scripted.send("status", status("silent", silence="elsewhere", sound_on=7))
    until_situation(page, "elsewhere")
    assert not page.locator("#listen").is_visible()


def test_an_analyzer_of_before_that_names_no_cause_is_understood(page: Page, scripted: Scripted) -> None:
    old = {key: value for key, value in status("silent").items() if key not in ("silence", "sound_on")}
    scripted.send("status", old)
    assert "Too quiet" in until_situation(page, "silent")


@pytest.mark.parametrize("query", ["", "?view=stage", "?view=projector", "?view=overlay"])
def test_the_demo_is_marked_in_every_view(page: Page, query: str) -> None:
    with serve("--input", "demo") as service:
        page.goto(f"http://{service.address}/{query}")
        until(page, "() => document.documentElement.dataset.situation === 'live'")
        mark = page.locator(".demo")
        assert mark.is_visible()
        assert mark.inner_text() == "Demo, no live sound"


def test_live_sound_bears_no_mark(page: Page, scripted: Scripted) -> None:
    scripted.send_all()
    until_situation(page, "live")
    assert not page.locator(".demo").is_visible()


@pytest.mark.parametrize(
    ("broker", "says"),
    [
        ({"broker": "refused", "broker_refusal": "a/tempo: Not authorized"}, "refuses a/tempo: Not authorized"),
        ({"broker": "down"}, "can't be reached"),
        ({"broker": "clash"}, "has another analyzer of this name"),
    ],
)
def test_a_broker_in_trouble_is_told_and_one_that_takes_all_is_not(
    page: Page, scripted: Scripted, broker: dict[str, str], says: str
) -> None:
    scripted.send_all()
    scripted.send("status", status("live", **broker))
    until(page, "says => document.getElementById('broker').textContent === says", says)
    assert page.locator("#broker").is_visible()
    scripted.send("status", status("live", broker="up"))
    until(page, "() => document.getElementById('broker').parentElement.hidden")


def test_a_hello_again_shows_the_other_device(page: Page, scripted: Scripted) -> None:
    scripted.send_all()
    until_situation(page, "live")
    source = {"kind": "device", "name": "USB Audio (hw:2,0)", "rate_hz": 16_000, "channels": 1}
    scripted.send("hello", HELLO | {"source": source})
    until(page, "() => document.getElementById('source').textContent === 'Sound device: USB Audio (hw:2,0)'")
    assert text(page, "format") == "16\u00a0kHz mono"
    assert page.locator("#bpm").text_content() == "127.9 BPM", "the session goes on"


def test_the_key_m_marks_and_all_pages_show_it(scripted: Scripted, page: Page) -> None:
    posted: list[str] = []

    def answer(route: Route) -> None:
        posted.append(route.request.method)
        route.fulfill(json={})

    page.route(f"{scripted.url}marks", answer)
    scripted.send_all()
    page.keyboard.press("m")
    page.wait_for_function("() => document.getElementById('mark').textContent === 'Marked'")
    page.click("#mark")
    page.keyboard.press("Control+m")
    scripted.send("mark", {"text": "encore"})
    page.wait_for_function("() => document.getElementById('mark').textContent === 'Mark (M)'")
    assert posted == ["POST", "POST"]


def test_a_mark_that_is_refused_is_told(scripted: Scripted, page: Page) -> None:
    page.route(f"{scripted.url}marks", lambda route: route.fulfill(status=401, body="no"))
    page.click("#mark")
    page.wait_for_function("() => document.getElementById('mark').textContent === 'Not marked'")


def test_a_log_that_is_stuck_is_shown(scripted: Scripted, page: Page) -> None:
    scripted.send("status", status("live", log="stuck", log_trouble="database or disk is full"))
    page.wait_for_function("() => document.getElementById('log').textContent.includes('disk is full')")
    assert page.is_visible("#log")
    scripted.send("status", status("live", log="kept"))
    page.wait_for_function("() => document.getElementById('log').offsetParent === null")
