"""Where the files that ship with the program lie: in a checkout beside the package, in an installed wheel inside it."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent

DEMO_FILE = _PACKAGE / "demo.ogg"


def resource_folder(name: str) -> Path:
    """Return the folder ``name`` (models, web, docs) of this installation."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name
