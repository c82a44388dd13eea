"""The demo's messages as a golden file: ``python -m tests.support.golden_stream`` writes it anew.

What a model says may differ a little from processor to processor, so numbers are held within a hundredth.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.heads import load_heads
from stream_analyzer.protocol.encode import Encoder
from stream_analyzer.sound.files import read_blocks
from stream_analyzer.system.resources import DEMO_FILE, resource_folder
from tests.support.real_process import ROOT

FILE = ROOT / "tests" / "demo_stream.jsonl.gz"
KINDS = ("tempo", "genre", "level")  # what is heard; status tells of the process too, and grows


def demo_messages() -> list[dict[str, Any]]:
    """Return what the analyzer hears in the demo, step by step."""
    analyzer, encoder = Analyzer(load_heads(resource_folder("models"))), Encoder("0123ab")
    events = [event for block in read_blocks(DEMO_FILE) for event in analyzer.feed(block)] + analyzer.end()
    messages = [encoder.encode(event) for event in events]
    found = [json.loads(message.payload) for message in messages if message.kind in KINDS]
    return [{key: message[key] for key in ("type", "time_s", "data")} for message in found]


def read_golden() -> list[dict[str, Any]]:
    """Return the messages of the golden file."""
    with gzip.open(FILE, "rt") as file:
        return [json.loads(line) for line in file]


def main() -> None:
    """Write the golden file; the same messages make the same bytes."""
    lines = "".join(json.dumps(message, separators=(",", ":")) + "\n" for message in demo_messages())
    FILE.write_bytes(gzip.compress(lines.encode(), mtime=0))
    print(f"{FILE}: {FILE.stat().st_size / 1000:.0f} kB")  # noqa: T201


if __name__ == "__main__":
    main()
