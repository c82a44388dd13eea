"""What the page costs: ``python -m benchmarks.page``. The demo in a headless Chromium, and a night in a minute.

Main-thread time is processor time of the page's main thread, as Chromium counts it: a busy machine hardly raises it.
Frames are counted in a minute of their own, because counting them keeps the main thread busy.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_analyzer.protocol.history import columns
from tests.support import chromium
from tests.support.real_process import ROOT, serve
from tests.support.scripted import HELLO, SESSION, Scripted, set_so_far

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser, CDPSession, Page

SIZE = {"width": 1920, "height": 1080}
NIGHT_H = 8
OF_PAST_SETS = ("sets", "past")  # a page of its own
FRAMES = """seconds => new Promise((done) => {
  const gaps = [];
  let last = performance.now();
  const end = last + seconds * 1000;
  const count = (now) => {
    gaps.push(now - last);
    last = now;
    if (now < end) requestAnimationFrame(count); else done(gaps.slice(1));
  };
  requestAnimationFrame(count);
})"""
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
LIVE = "() => document.documentElement.dataset.situation === 'live'"
LIMIT_MS = 60_000.0


def main_thread_s(session: CDPSession) -> tuple[float, float]:
    """Return the clock and the main thread's processor time, both in seconds."""
    values = {m["name"]: float(m["value"]) for m in session.send("Performance.getMetrics")["metrics"]}
    return time.monotonic(), values["TaskDuration"]


def heap_bytes(session: CDPSession) -> int:
    """Return the heap in use after a garbage collection."""
    session.send("HeapProfiler.collectGarbage")
    return int(session.send("Runtime.getHeapUsage")["usedSize"])


def cost(browser: Browser, url: str, seconds: float) -> dict[str, Any]:
    """Watch the page for ``seconds``: first paint, main thread and bytes a second, heap before and after."""
    page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
    session = page.context.new_cdp_session(page)
    received = 0

    def frame(event: dict[str, Any]) -> None:
        nonlocal received
        data = event["response"]["payloadData"]
        received += len(data) if event["response"]["opcode"] == 1 else len(data) * 3 // 4

    session.on("Network.webSocketFrameReceived", frame)
    session.send("Network.enable")
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(url)
    page.wait_for_function(LIVE, timeout=LIMIT_MS)
    page.wait_for_timeout(5000)
    heap, bytes_before, (clock, busy) = heap_bytes(session), received, main_thread_s(session)
    page.wait_for_timeout(seconds * 1000)
    clock_after, busy_after = main_thread_s(session)
    passed_s = clock_after - clock
    figures = {
        "first_paint_ms": round(page.evaluate(PAINTED)),
        "main_thread_ms_per_s": round(1000 * (busy_after - busy) / passed_s, 1),
        "received_bytes_per_s": round((received - bytes_before) / passed_s),
        "heap_kb": round(heap / 1000),
        "heap_growth_kb": round((heap_bytes(session) - heap) / 1000),
    }
    page.close()
    return figures


def frames(browser: Browser, url: str, seconds: float) -> dict[str, Any]:
    """Count the frames that the browser gave the page, and those that it should have given."""
    page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
    page.goto(url)
    page.wait_for_function(LIVE, timeout=LIMIT_MS)
    gaps: list[float] = page.evaluate(FRAMES, seconds)
    page.close()
    due = sum(max(1, round(gap * 60 / 1000)) for gap in gaps)
    return {"frames": len(gaps), "frames_dropped": due - len(gaps), "longest_gap_ms": round(max(gaps))}


def night(browser: Browser, hours: int) -> dict[str, Any]:
    """Play hours of messages into the page as fast as it takes them; the heap after each hour."""
    page: Page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
    session = page.context.new_cdp_session(page)
    analyzer = Scripted(page)
    page.add_init_script(f"window.fastHello = {json.dumps(HELLO)};")
    page.add_init_script(path=Path(__file__).parent / "marathon.js")  # after, since it takes the place of its line
    page.goto(analyzer.url)
    page.wait_for_function("() => document.documentElement.dataset.line === 'open'")
    begun, heaps = time.monotonic(), []
    for hour in range(1, hours + 1):
        page.evaluate("seconds => playFast(seconds)", 3600)
        analyzer.timeline = columns(
            set_so_far(3600 * hour).rows(), session=SESSION
        )  # a reload by the page finds what it played
        heaps.append(round(heap_bytes(session) / 1000))
    rows = page.evaluate("() => document.getElementById('set-reading').textContent")
    page.close()
    growth = heaps[-1] - heaps[len(heaps) // 2 - 1]
    return {
        "hours": hours,
        "took_s": round(time.monotonic() - begun),
        "heap_kb": heaps,
        "growth_kb": growth,
        "set": rows,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what the page costs."""
    parser = argparse.ArgumentParser(description="What the page costs, in a headless Chromium with software rendering.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to watch the demo (default: 60)")
    parser.add_argument("--hours", type=int, default=NIGHT_H, help=f"hours of the simulated night (default: {NIGHT_H})")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(arguments)
    files = [path for path in (ROOT / "web").rglob("*") if path.suffix in (".html", ".css", ".js")]
    files = [path for path in files if path.stem not in OF_PAST_SETS]
    result: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f}",
        "page_bytes": sum(path.stat().st_size for path in files),
    }
    with chromium.launch() as browser:
        with serve("--input", "demo") as service:
            url = f"http://{service.address}/"
            result |= cost(browser, url, args.seconds)
            result |= frames(browser, url, args.seconds)
        if args.hours:
            result["night"] = night(browser, args.hours)
    result["load_after"] = round(os.getloadavg()[0], 1)
    if args.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name.replace('_', ' '):24} {value}")


if __name__ == "__main__":
    main()
