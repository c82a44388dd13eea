"""Shared by all tests: generated sounds, models that need no file, the schema of the stream, a browser."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import soundfile
import yaml

from tests.support import chromium
from tests.support.fakes import SONG_RATE_HZ, drum_loop, make_fakes
from tests.support.scripted import Scripted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from stream_analyzer.analysis.head import Head

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell lets what it starts with & ignore Ctrl-C, and so would the programs that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and nohup does the same with the closing of a terminal

ROOT = Path(__file__).parent.parent
BROWSER_LIMIT_MS = 30_000.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first: while one worker trains, the others do the rest."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/training/"))


@pytest.fixture
def heads() -> list[Head]:
    """The heads, with models that need no file."""
    return make_fakes()


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """A drum loop of 9 s."""
    path = tmp_path / "a song.wav"
    soundfile.write(path, drum_loop(9.0, bpm=124.0, rate_hz=SONG_RATE_HZ, channels=2), SONG_RATE_HZ, subtype="PCM_16")
    return path


@pytest.fixture(scope="session")
def validate() -> Callable[[dict[str, Any]], None]:
    """Hold a decoded message against docs/asyncapi.yaml."""
    schema = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text())

    def check(message: dict[str, Any]) -> None:
        kind = message["type"]
        assert kind in schema["channels"]["stream"]["messages"], f"undocumented message {kind}"
        root = {"$ref": f"#/components/schemas/{kind}", "components": schema["components"]}
        jsonschema.Draft202012Validator(root).validate(message)

    return check


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with chromium.launch() as running:
        yield running


@pytest.fixture
def complaints() -> list[str]:
    """What the console of `page` said, warnings and errors."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    """An empty page in a context of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="dark")
    context.set_default_timeout(BROWSER_LIMIT_MS)
    made = context.new_page()
    made.on("console", lambda said: complaints.append(said.text) if said.type in ("warning", "error") else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    yield made
    context.close()


@pytest.fixture
def scripted(page: Page) -> Scripted:
    """The page, open, with an analyzer that says what the test wants."""
    analyzer = Scripted(page)
    analyzer.open()
    return analyzer
