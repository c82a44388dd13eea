"""The beat on the page: a lamp that lights when a beat is heard and not when a message comes, the count, the bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support import chromium
from tests.support.reading import probe, until
from tests.support.scripted import BEATING, TEMPO, Scripted, status
from tests.web.test_page_places import painted

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

COUNT_STRIKES = """
  window.fetch = () => Promise.reject(new TypeError("no history: its round trip would count"));
  window.strikes = 0;
  const { animate } = Element.prototype;
  Element.prototype.animate = function (...how) {
    if (this.id === "beat-lamp") window.strikes++;
    return animate.apply(this, how);
  };
"""
SHOWN = """() => [document.getElementById("beat-count").textContent, window.strikes,
  [...document.getElementById("beat-bar").children].map((dot) => dot.className ? "*" : ".").join("")]"""

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.find() is None, reason="no Chromium here: apt-get install chromium"),
]


class Played:
    """A page whose clock stands still but where the test lets it run. State: the analyzer, and the page's clock."""

    def __init__(self, page: Page, query: str = "", **media: Any) -> None:
        """Open it, and stop its clock."""
        page.emulate_media(**media)
        page.add_init_script(COUNT_STRIKES)
        page.clock.install()
        self.page, self.analyzer = page, Scripted(page)
        self.analyzer.open(query)
        page.clock.pause_at(page.evaluate("Date.now()") + 60_000)
        self.send("hello", BEATING)
        self.send("status", status("live", latency_s=0.06))
        until(page, "() => !document.getElementById('beat').hidden")

    def send(self, kind: str, data: dict[str, Any]) -> None:
        """Send a message of the sound up to now."""
        self.analyzer.time_s -= 0.1
        self.analyzer.send(kind, data)

    def beat(self, number: int | None = 4, beats_in_bar: int | None = 4) -> None:
        """Send a beat of 120 BPM that falls now."""
        beat_s = self.analyzer.time_s
        place = {"number": number, "beats_in_bar": beats_in_bar, "bpm": 120.0, "confidence": 0.9}
        self.send("beat", {"beat_s": beat_s, "next_s": beat_s + 0.5, **place})

    def shown_after(self, seconds: float) -> tuple[str, int, str]:
        """Let time pass here and there; return the count, how often the lamp was lit, and the dots."""
        self.page.clock.run_for(round(1000 * seconds))
        self.analyzer.time_s += seconds
        count, strikes, dots = self.page.evaluate(SHOWN)
        return count, strikes, dots


def test_the_lamp_is_there_only_where_beats_come(page: Page, scripted: Scripted) -> None:
    scripted.send_all()
    until(page, "() => document.getElementById('bpm').textContent === '127.9 BPM'")
    assert not page.locator("#beat").is_visible()
    scripted.send("hello", BEATING)
    until(page, "() => !document.getElementById('beat').hidden")
    assert page.locator("#beat-lamp").is_visible()


def test_the_lamp_lights_when_the_next_beat_is_heard_not_when_it_is_told(page: Page, complaints: list[str]) -> None:
    played = Played(page)
    played.beat(3)
    assert played.shown_after(0.0) == ("3", 1, "..*."), "the first, which nothing foretold"
    assert played.shown_after(0.45) == ("3", 1, "..*.")
    assert played.shown_after(0.05) == ("4", 2, "...*"), "0.5 s later, though no message came"
    played.beat(4)
    assert played.shown_after(0.0) == ("4", 2, "...*"), "that is known"
    assert played.shown_after(0.5) == ("1", 3, "*...")
    assert complaints == []


def test_the_time_that_the_analyzer_took_is_no_delay_of_the_light(page: Page) -> None:
    played = Played(page)
    played.send("status", status("live", latency_s=0.35))
    played.beat()
    assert played.shown_after(0.0) == ("", 0, ""), "0.3 s ago: too late for this one"
    assert played.shown_after(0.15) == ("", 0, "")
    assert played.shown_after(0.05) == ("1", 1, "*..."), "0.2 s later, for 0.3 s have passed"


def silent(played: Played) -> None:
    played.send("status", status("silent"))


def steady(played: Played) -> None:
    played.send("status", status("steady"))


def loses_the_line(played: Played) -> None:
    played.analyzer.hang_up()


def begins_anew(played: Played) -> None:
    played.send("hello", BEATING)


@pytest.mark.parametrize("what", [silent, steady, loses_the_line, begins_anew])
def test_the_lamp_stops_when_there_is_nothing_to_hear(page: Page, what: Callable[[Played], None]) -> None:
    played = Played(page)
    played.beat()
    assert played.shown_after(0.0) == ("4", 1, "...*")
    what(played)
    until(page, "() => document.getElementById('beat-count').textContent === ''")
    assert played.shown_after(3.0)[1] == 1


def test_the_lamp_stops_within_two_beats_when_beats_end(page: Page) -> None:
    played = Played(page)
    played.beat()
    assert played.shown_after(0.9) == ("1", 2, "*...")
    assert played.shown_after(0.1) == ("", 2, "....")
    assert played.shown_after(5.0) == ("", 2, "....")


def test_a_bar_that_is_unknown_or_long_has_no_dots(page: Page) -> None:
    played = Played(page)
    played.beat(None, None)
    assert played.shown_after(0.0) == ("", 1, "")
    played.beat(11, 12)
    assert played.shown_after(0.0) == ("11", 2, "")
    assert played.shown_after(0.5) == ("12", 3, "")


def test_nothing_flashes_or_moves_where_that_is_not_wanted(page: Page) -> None:
    played = Played(page, reduced_motion="reduce")
    played.beat(3)
    assert played.shown_after(0.0) == ("3", 0, "....")
    assert played.shown_after(0.5) == ("4", 0, "....")


def test_a_hidden_page_lights_nothing(page: Page) -> None:
    played = Played(page)
    page.evaluate("() => Object.defineProperty(document, 'hidden', { value: true })")
    played.beat()
    assert played.shown_after(0.5)[1] == 0


def test_a_screen_reader_is_told_the_bar_and_no_beat(page: Page, scripted: Scripted) -> None:
    scripted.send("hello", BEATING)
    scripted.send("tempo", TEMPO | {"beats_in_bar": 3, "bar_phase": 0.5})
    until(page, "() => document.getElementById('tempo-bar').textContent === '3 beats a bar'")
    assert page.locator("#beat").get_attribute("aria-hidden") == "true"
    scripted.send("tempo", TEMPO | {"beats_in_bar": None, "bar_phase": None})
    until(page, "() => document.getElementById('tempo-bar').textContent === ''")


@pytest.mark.parametrize("query", ["", "?view=stage", "?view=projector", "?view=overlay"])
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_seven_beats_fit_the_width_of_each_view(page: Page, query: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    played = Played(page, query)
    played.send("tempo", TEMPO | {"bpm": 288.8, "beats_in_bar": 7})
    played.beat(7, 7)
    assert played.shown_after(0.3) == ("7", 1, "......*")
    assert page.locator("#beat-lamp").is_visible()
    assert page.locator("#beat-bar").is_visible() == (query != "?view=overlay")
    assert query == "?view=overlay" or probe(page, "outside()") == {"bad": [], "scroll": 0}


def test_forced_colours_leave_lamp_and_dots(page: Page) -> None:
    played = Played(page, forced_colors="active")
    played.beat(1)
    assert played.shown_after(0.0) == ("1", 1, "*...")
    assert painted(page, "#beat-bar .here") > 0.8
    assert painted(page, ".beat-lamp") > 0.2, "its ring, at least"
