"""The page of an analyzer with several inputs: all small, one large, chosen by click, key or address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import soundfile

from tests.support import chromium
from tests.support.pulse import RATE_HZ, drum_loop
from tests.support.reading import until
from tests.support.real_process import ROOT, Service, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.find() is None, reason="no Chromium here: apt-get install chromium"),
]
AXE = ROOT / "tests" / "web" / "node_modules" / "axe-core" / "axe.min.js"
LARGE = "name => document.getElementById('source').textContent.includes(name)"
TILES = "() => [...document.querySelectorAll('#inputs button')].map((one) => one.innerText)"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("inputs")
    for name, bpm in (("first", 100.0), ("second", 140.0)):
        soundfile.write(folder / f"{name}.wav", drum_loop(bpm, duration_s=90.0), RATE_HZ)
    inputs = [f"--input=deckA={folder / 'first.wav'}", f"--input=deckB={folder / 'second.wav'}"]
    with serve(*inputs) as running:
        yield running


def test_all_are_small_and_the_chosen_one_is_large(service: Service, page: Page, complaints: list[str]) -> None:
    page.goto(f"http://{service.address}/")
    until(page, LARGE, "first.wav")
    until(page, f"() => ({TILES})().every((text) => text.includes('BPM')) && ({TILES})().length === 2")
    assert page.locator("#inputs button[aria-pressed=true] b").inner_text() == "deckA"
    page.get_by_role("button", name="deckB").click()
    until(page, LARGE, "second.wav")
    until(page, "() => document.querySelector('#inputs [aria-pressed=true] b').textContent === 'deckB'")
    assert page.url.endswith("?input=deckB")
    until(page, "() => Math.abs(Number.parseFloat(document.getElementById('bpm').textContent) / 140 - 1) < 0.1")
    until(page, "() => document.getElementById('clients').textContent === '1'")
    page.keyboard.press("1")
    until(page, LARGE, "first.wav")
    assert complaints == []


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is missing: make check fetches it by npm")
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing(service: Service, page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"http://{service.address}/")
    until(page, f"() => ({TILES})().length === 2 && ({TILES})().every((text) => text.includes('BPM'))")
    page.evaluate(AXE.read_text())
    assert page.evaluate("async () => (await axe.run()).violations.map((one) => one.id)") == []


@pytest.mark.parametrize("view", ["", "stage", "projector", "overlay"])
def test_each_view_shows_the_input_of_its_address(service: Service, page: Page, view: str) -> None:
    page.goto(f"http://{service.address}/?view={view}&input=deckB")
    until(page, LARGE, "second.wav")
    assert page.locator("#inputs").is_visible() is (view == "")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
