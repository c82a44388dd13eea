"""Each example of docs/examples/ as it stands, but for ports: what it needs is real, and it says what it should."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from stream_analyzer.serving.mqtt.discovery import discovery
from stream_analyzer.settings.config import Settings
from tests.support import chromium, mosquitto, node
from tests.support.real_process import ROOT, environment, free_port, serve
from tests.support.running import BeatingHead, Metronome
from tests.support.running import running as running_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

EXAMPLES = ROOT / "docs" / "examples"
HERE = "127.0.0.1:8765"
BPM = r"\d+(\.\d+)? BPM"

needs_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium.find() is None, reason="no Chromium here: apt-get install chromium"),
]
needs_broker = pytest.mark.skipif(
    bool(mosquitto.why_not()) or not shutil.which("mosquitto_sub"), reason="apt-get install mosquitto mosquitto-clients"
)


def example(name: str, ports: dict[str, str]) -> str:
    """Return an example's text with the ports of this test."""
    text = (EXAMPLES / name).read_text()
    for here, there in ports.items():
        assert here in text
        text = text.replace(here, there)
    return text


@contextmanager
def running(*command: str, stdin: str = "") -> Iterator[subprocess.Popen[str]]:
    """Run an example while the context lasts."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=EXAMPLES,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdin
            process.stdin.write(stdin)
            process.stdin.close()
            yield process
        finally:
            with suppress(ProcessLookupError):  # ended by itself
                os.killpg(process.pid, signal.SIGKILL)  # a shell's children too


def until_says(process: subprocess.Popen[str], *patterns: str) -> None:
    """Wait until it has written lines that hold all of these."""
    assert process.stdout
    assert process.stderr
    left = list(patterns)
    while left:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        left = [pattern for pattern in left if not re.search(pattern, line)]


@pytest.mark.parametrize(
    ("name", "says"),
    [("tempo.py", [r"^\d+\.\d+ locked$"]), ("set_list.py", [r"\d\.\d s  \d+ BPM", r"\d\.\d s  [A-Z]"])],
)
def test_python(name: str, says: list[str]) -> None:
    with (
        serve("--input", "demo") as service,
        running(sys.executable, "-", stdin=example(name, {HERE: service.address})) as process,
    ):
        until_says(process, *says)


async def test_flash() -> None:
    async with running_pipeline(Metronome(), [BeatingHead()]) as address:
        with running(sys.executable, "-", stdin=example("flash.py", {HERE: address})) as process:
            await asyncio.to_thread(until_says, process, r"^\*$")
            await asyncio.to_thread(until_says, process, r"^\*\*\* ONE \*\*\*$")


def test_set_list_tells_a_loss_and_goes_on() -> None:
    port = str(free_port())
    with running(sys.executable, "-", stdin=example("set_list.py", {HERE: f"127.0.0.1:{port}"})) as process:
        until_says(process, "no analyzer: connection refused")
        with serve("--input", "demo", "--port", port):
            until_says(process, BPM)
        until_says(process, "no analyzer: ")


@pytest.mark.skipif(node.command() is None, reason="no Node with a WebSocket here: apt-get install nodejs")
def test_node() -> None:
    command = [*(node.command() or []), "--input-type=module"]
    with serve("--input", "demo") as service:
        text = example("follow.mjs", {HERE: service.address, "../../web/": (ROOT / "web").as_uri() + "/"})
        with running(*command, stdin=text) as process:
            until_says(process, rf"s: {BPM}, locked", r"s: [A-Z].* \(\d+ %\)")


@contextmanager
def elsewhere(folder: Path) -> Iterator[str]:
    """Serve a folder as somebody else's web server; gives its origin."""
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


class TestInABrowser:
    """On pages that are not the analyzer's."""

    pytestmark = needs_browser

    def test_page(self, page: Page, complaints: list[str], tmp_path: Path) -> None:
        with elsewhere(tmp_path) as origin, serve("--input", "demo", "--origins", origin) as service:
            (tmp_path / "page.html").write_text(example("page.html", {HERE: service.address}))
            page.goto(f"{origin}/page.html")
            page.wait_for_function("() => document.getElementById('bpm').value > 60")
            page.wait_for_function("() => /^[A-Z]/.test(document.getElementById('genre').value)")
        assert [said for said in complaints if "favicon" not in said and "404" not in said] == []

    def test_page_that_is_not_admitted(self, page: Page, tmp_path: Path) -> None:
        with elsewhere(tmp_path) as origin, serve("--input", "demo") as service:
            (tmp_path / "page.html").write_text(example("page.html", {HERE: service.address}))
            with page.expect_event("console", lambda said: "CORS" in said.text):
                page.goto(f"{origin}/page.html")
            assert not page.evaluate("() => /[0-9]/.test(document.getElementById('bpm').value)")

    def test_overlay(self, page: Page, complaints: list[str], tmp_path: Path) -> None:
        with serve("--input", "demo", "--origins", "null") as service:
            (tmp_path / "overlay.html").write_text(example("overlay.html", {HERE: service.address}))
            page.goto((tmp_path / "overlay.html").as_uri())
            page.wait_for_function("() => /^\\d+ BPM$/.test(document.getElementById('plate').textContent)")
            page.wait_for_function("() => document.getElementById('plate').className === ''")
        assert complaints == []


@needs_broker
def test_mosquitto(tmp_path: Path) -> None:
    with mosquitto.Mosquitto(tmp_path) as broker:
        text = example("mosquitto.sh", {"-h localhost": f"-h 127.0.0.1 -p {broker.port}"})
        flags = ("--mqtt", f"mqtt://127.0.0.1:{broker.port}", "--node", "hall")
        with serve("--input", "demo", *flags) as service, running("sh", stdin=text) as process:
            at = "^stream-analyzer/hall/v1/"
            until_says(process, at + 'tempo {.*"bpm":', at + 'genre {.*"label":', at + "availability online")
            service.process.kill()
            until_says(process, at + "availability offline")


def test_home_assistant_knows_what_the_automations_name() -> None:
    text = example("home_assistant.yaml", {})
    base = "stream-analyzer/hall/v1"
    _, payload = discovery("hall", base=base, availability=f"{base}/availability", prefix="homeassistant")
    device = json.loads(payload)
    sensors = {
        f"sensor.{_slug(device['device']['name'] + ' ' + sensor['name'])}": sensor
        for sensor in device["components"].values()
    }
    assert set(re.findall(r"sensor\.\w+", text)) <= set(sensors)
    for automation in yaml.safe_load(text):
        assert set(automation) <= {"alias", "triggers", "conditions", "actions"}
        assert {"alias", "triggers", "actions"} <= set(automation)
        for trigger in automation["triggers"]:
            sensor = sensors[trigger["entity_id"]]
            if trigger["trigger"] == "numeric_state":
                assert sensor["state_class"] == "measurement"
            else:
                assert trigger["to"] in sensor["options"]
        for condition in automation.get("conditions", []):
            assert sensors[condition["entity_id"]]["unit_of_measurement"]
        assert all("." in action["action"] for action in automation["actions"])


def _slug(name: str) -> str:
    """Make of a name what Home Assistant makes of it for an entity's id."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower())


def test_light_desk() -> None:
    port = str(free_port())
    text = example("light_desk.py", {"9000": port})
    with running(sys.executable, "-", stdin=text) as process, serve("--input", "demo", "--osc", f"127.0.0.1:{port}"):
        until_says(process, "analyzer: live", rf"speed {BPM}")


def test_every_example_is_tested_and_short() -> None:
    tests = (ROOT / "tests" / "docs" / "test_examples.py").read_text()
    for path in EXAMPLES.iterdir():
        if path.name != "README.md":
            assert f'"{path.name}"' in tests
            assert f"]({path.name})" in (EXAMPLES / "README.md").read_text()
            assert len(path.read_text().splitlines()) <= 26, path.name


def test_the_readme_shows_the_first_example() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert block == (EXAMPLES / "tempo.py").read_text()


def test_the_messages_of_the_readme_keep_the_schema(validate: Callable[[dict[str, Any]], None]) -> None:
    (block,) = re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    for line in block.splitlines():
        validate(json.loads(line))


def test_the_port_is_the_one_that_is_served() -> None:
    assert f"{Settings().host}:{Settings().port}" == HERE
