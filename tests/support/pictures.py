"""Pictures of the page's modes, wordless so that fonts don't matter: ``python -m tests.support.pictures`` writes them.

The tests compare what they see with these, cell by cell of 20 pixels.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tests.support import chromium
from tests.support.real_process import ROOT
from tests.support.scripted import ENERGY, GENRE, KEY, LOUDNESS, TEMPO, Scripted, set_so_far, status

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

FOLDER = ROOT / "tests" / "web" / "pictures"
COLUMN = bytes(max(0, 190 - band) for band in range(128))  # a spectrogram that looks the same wherever it stands
COMPARE = (ROOT / "tests" / "web" / "compare.js").read_text()
MOST_MEAN = 1.5  # of 255, over all cells
MOST_FAR = 0.004  # part of the cells that differ by more than 40 of 255
HISTORY_S = 1500
COLUMNS = 1300
ATTEMPTS = 20
WORDLESS = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    * { color: transparent !important; transition: none !important; white-space: nowrap !important; }
    button { width: 6em; overflow: hidden; }
    .alternatives button { width: 7em; }
    .strip dl, .facts > :not(.unit, .state), .choice { display: none !important; }
    .facts { width: 8.6em; flex-wrap: nowrap !important; overflow: hidden; }
    .alternatives { flex-wrap: nowrap; }
    [data-view="overlay"] .genre-label { width: 5em; }
    .digits, .digits * { color: var(--ink) !important; }
    .lamp, .clip { visibility: hidden; }
    #loudness-cover { transform: scaleX(0.3) !important; }
    #meter-cover { transform: scaleY(0.4) !important; }
    #meter-peak { transform: translateY(18%) !important; }`);
  document.adoptedStyleSheets = [sheet];
}"""
SETTLED = """key => document.documentElement.dataset.situation === key && !document.querySelector(".stale")
  && document.getElementById("bpm").textContent === "127.9 BPM"
  && document.getElementById("set-reading").textContent.startsWith("6 changes")"""


@dataclass(frozen=True)
class Mode:
    """One picture: its name, query of the page's address, window, colours, and what the analyzer says."""

    name: str
    query: str
    width: int
    height: int
    scheme: Literal["dark", "light"]
    state: str = "live"


MODES = (
    Mode("desktop-dark", "", 1280, 800, "dark"),
    Mode("desktop-light", "", 1280, 800, "light"),
    Mode("phone", "", 390, 844, "light"),
    Mode("stage", "?view=stage", 1280, 720, "dark"),
    Mode("overlay", "?view=overlay", 1280, 720, "dark"),
    Mode("projector", "?view=projector", 1920, 1080, "light"),
    Mode("device-lost", "", 1280, 800, "dark", "device_lost"),
)


def take(browser: Browser, mode: Mode) -> bytes:
    """Return a picture as PNG, at a moment when the page shows what it has just been told."""
    page = browser.new_page(
        viewport={"width": mode.width, "height": mode.height}, color_scheme=mode.scheme, reduced_motion="reduce"
    )
    analyzer = Scripted(page, history=set_so_far(HISTORY_S), start_s=float(HISTORY_S))
    analyzer.open(mode.query)
    page.evaluate(WORDLESS)
    analyzer.time_s -= COLUMNS / 50
    for _ in range(COLUMNS // 100):
        analyzer.send_columns(100, column=COLUMN)
    for _ in range(ATTEMPTS):
        analyzer.send("tempo", TEMPO)
        analyzer.send("genre", GENRE)
        analyzer.send("key", KEY)
        analyzer.send("loudness", LOUDNESS)
        analyzer.send("energy", ENERGY)
        analyzer.send_columns(5, column=COLUMN)
        analyzer.send("status", status(mode.state))
        page.wait_for_function(SETTLED, arg=mode.state)
        picture = page.screenshot(full_page=mode.width < 600, omit_background="overlay" in mode.query)
        if page.evaluate(SETTLED, mode.state):
            page.close()
            return picture
    msg = f"the page does not stay {mode.state}: this machine is too slow"
    raise AssertionError(msg)


def difference(page: Page, before: bytes, after: bytes) -> dict[str, Any]:
    """Compare two pictures: whether their sizes agree, the mean difference, the part of the cells that differ much."""
    said: dict[str, Any] = page.evaluate(COMPARE, [base64.b64encode(one).decode() for one in (before, after)])
    return said


def reference(mode: Mode) -> Path:
    """Return where the picture to compare with lies."""
    return FOLDER / f"{mode.name}.png"


def main() -> None:
    """Write every picture anew."""
    FOLDER.mkdir(exist_ok=True)
    with chromium.launch() as browser:
        for mode in MODES:
            reference(mode).write_bytes(take(browser, mode))


if __name__ == "__main__":
    main()
