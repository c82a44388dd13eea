"""The models that ship, under another version, as an update would bring them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def rename(models: Path, version: str, *, task: str = "genre") -> None:
    """Write another version of a task's model over the one in the folder ``models``: the same network."""
    manifest = models / task / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": version}))
