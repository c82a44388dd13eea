"""Node for what runs in it: found on the path or beside this Python, with a WebSocket where that must be asked for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path


@cache
def command() -> list[str] | None:
    """Return how to start a Node that has a WebSocket, built in or as an experiment, or None."""
    node = find()
    for flags in ([], ["--experimental-websocket"]):
        if node is None:
            break
        asked = subprocess.run([node, *flags, "-p", "typeof WebSocket"], capture_output=True, text=True, check=False)
        if asked.stdout.strip() == "function":
            return [node, *flags]
    return None


def find() -> str | None:
    """Return the path of Node, or None."""
    return shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))
