"""Addresses as QR codes: for a terminal and for a page. The only user of segno."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import segno

if TYPE_CHECKING:
    from typing import TextIO

_QUIET = 4  # modules of margin, as the standard asks for


def draw(text: str, terminal: TextIO) -> None:
    """Draw a code with half blocks, dark on light whatever the terminal's colours are."""
    segno.make(text, micro=False).terminal(terminal, border=_QUIET // 2, compact=True)


def svg(text: str) -> bytes:
    """Return a code as an SVG file."""
    out = io.BytesIO()
    segno.make(text, micro=False).save(out, kind="svg", scale=8, border=_QUIET, light="#fff")
    return out.getvalue()
