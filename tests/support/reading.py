"""What the browser tests ask of the page, and how they wait for it: on conditions, never on time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.real_process import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

PROBES = (ROOT / "tests" / "web" / "probes.js").read_text()


def until(page: Page, condition: str, argument: Any = None) -> Any:
    """Wait until a JavaScript function gives something true, and return it."""
    return page.wait_for_function(condition, arg=argument).json_value()


def until_situation(page: Page, key: str) -> str:
    """Wait until the page says that this is how things stand; return its words."""
    until(page, "key => document.documentElement.dataset.situation === key", key)
    return page.locator(".message").inner_text()


def probe(page: Page, call: str) -> Any:
    """Ask one of the probes."""
    return page.evaluate(f"{PROBES}.{call}")


def text(page: Page, name: str) -> str:
    return page.locator(f"#{name}").inner_text()
