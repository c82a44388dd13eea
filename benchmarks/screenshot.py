"""Take the README's pictures of the page from the real demo: ``python -m benchmarks.screenshot``.

Waits until several parts of the demo have been heard, so that the set so far shows the changes between them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests.support import chromium
from tests.support.real_process import ROOT, serve

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT_MS = 180_000.0
READY = """from => document.getElementById("clock").textContent >= from
  && document.documentElement.dataset.situation === "live"
  && document.getElementById("tempo").dataset.state === "locked" """


@dataclass(frozen=True)
class Shot:
    """One picture: its file, the window in CSS pixels, device pixels in each, and the colours."""

    name: str
    width: int
    height: int
    scale: float
    scheme: Literal["dark", "light"]
    query: str = ""


SHOTS = (
    Shot("page.png", 1280, 800, 1.0, "dark"),
    Shot("page-phone.png", 390, 844, 1.5, "light"),
    Shot("page-stage.png", 960, 540, 1.0, "dark", "?view=stage"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description="Take the README's pictures of the page from the real demo.")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder for the pictures (default: docs)")
    parser.add_argument("--from", dest="start", default="00:47", help="place in the demo, MM:SS (default: 00:47)")
    args = parser.parse_args(arguments)
    with chromium.launch() as browser, serve("--input", "demo") as service:
        pages = []
        for shot in SHOTS:
            page = browser.new_page(
                viewport={"width": shot.width, "height": shot.height},
                device_scale_factor=shot.scale,
                color_scheme=shot.scheme,
            )
            page.goto(f"http://{service.address}/{shot.query}")
            pages.append((shot, page))
        for shot, page in pages:
            page.wait_for_function(READY, arg=args.start, timeout=LIMIT_MS)
            page.screenshot(path=args.out / shot.name)
            print(args.out / shot.name)


if __name__ == "__main__":
    main()
