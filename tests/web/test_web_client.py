"""The client for JavaScript where others use it: in Node, and in a real browser on a page of someone else."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import node
from tests.support.real_process import ROOT, free_port, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - a test's
NODE = node.command()
CLIENT = ROOT / "web" / "client" / "client.js"

needs_node = pytest.mark.skipif(NODE is None, reason="no Node with a WebSocket here: apt-get install nodejs")


@contextmanager
def following(address: str, options: str = "{}") -> Iterator[subprocess.Popen[str]]:
    """Run Node, which writes what comes as JSON lines, levels of spectra as their number."""
    script = f"""
        import {{ subscribe }} from {json.dumps(CLIENT.as_uri())};
        const short = (key, value) => (value instanceof Uint8Array ? value.length : value);
        for await (const event of subscribe("http://{address}/", {options})) console.log(JSON.stringify(event, short));
    """
    assert NODE
    with subprocess.Popen(
        [*NODE, "--input-type=module", "-e", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    event: dict[str, Any] = json.loads(line)
    return event


@needs_node
def test_node_follows_every_type(song: Path) -> None:
    choice = "{ types: ['tempo', 'genre', 'level', 'status', 'spectrum', 'summary'] }"
    with serve("--input", str(song)) as service, following(service.address, choice) as process:
        events = [read(process)]
        while events[-1]["type"] != "summary":
            events.append(read(process))
    assert events[0]["type"] == "hello"
    assert events[0]["data"]["source"]["kind"] == "file"
    assert {"tempo", "genre", "level", "status", "spectrum"} <= {event["type"] for event in events}
    spectrum = next(event["data"] for event in events if event["type"] == "spectrum")
    assert spectrum["levels"] == spectrum["bands"] * spectrum["columns"]


@needs_node
def test_node_is_back_when_the_analyzer_is() -> None:
    port = str(free_port())
    with (
        serve("--input", "demo", "--port", port) as service,
        following(service.address, "{ types: ['level'] }") as process,
    ):
        first = read(process)
        assert read(process)["type"] == "level"
        service.process.kill()
        service.process.wait()
        while (event := read(process))["type"] == "level":
            pass
        assert event["type"] == "lost"
        with serve("--input", "demo", "--port", port):
            while (event := read(process))["type"] == "lost":
                pass
            assert (event["type"], event["data"]) == ("gap", {"kind": None, "missed": None})
            second = read(process)
            assert (second["type"], second["session"] != first["session"]) == ("hello", True)
            assert read(process)["type"] == "level"


@needs_node
def test_node_shows_a_token_first() -> None:
    with serve("--input", "demo", env={"STREAM_ANALYZER_TOKEN": TOKEN}) as service:
        with following(service.address, json.dumps({"token": TOKEN})) as process:
            assert read(process)["type"] == "hello"
        with following(service.address, json.dumps({"token": "wrong"})) as process:
            out, said = process.communicate(timeout=30.0)
    assert out == ""
    assert 'refuses: the first message must be {"token": TOKEN}; check the token' in said
