"""When beats are struck, by OSC and on the page, beside when they sound: ``python -m benchmarks.strike``.

A metronome is played as it would sound, through the whole pipeline, and a head that knows its beats tells them as any
head does: with the step of sound in which they fall. So what is measured is what all else adds: steps, threads,
sockets, the mapping of clocks, timers, and in the browser the next two frames.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import time
from typing import TYPE_CHECKING, Any

from playwright.async_api import async_playwright

from stream_analyzer.serving.osc import OscSink
from stream_analyzer.system.address import OscReceiver
from tests.support import chromium
from tests.support.desk import listening
from tests.support.running import PERIOD_S, BeatingHead, Metronome, running

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FIRST = 4  # beats, in which the clocks find together
LIT = """
  window.lit = [];
  const { animate } = Element.prototype;
  Element.prototype.animate = function (...how) {
    if (this.id === "beat-lamp") requestAnimationFrame(() => requestAnimationFrame(() =>
      lit.push((performance.timeOrigin + performance.now()) / 1000)));
    return animate.apply(this, how);
  };
"""


def lateness_ms(struck_s: Iterable[float], begun_s: float) -> dict[str, float]:
    """Sum up how much later than the nearest beat things happened; earlier is below 0."""
    off = [1000.0 * ((at - begun_s + PERIOD_S / 2) % PERIOD_S - PERIOD_S / 2) for at in struck_s][FIRST:]
    low, *_, high = statistics.quantiles(off, n=20)
    found = {"median_ms": statistics.median(off), "p5_ms": low, "p95_ms": high}
    return {"beats": len(off)} | {name: round(value, 1) for name, value in found.items()}


async def measure(seconds: float) -> dict[str, Any]:
    """Play for ``seconds`` to a desk and a page."""
    source, loop = Metronome(), asyncio.get_running_loop()
    async with listening() as desk, async_playwright() as playwright:
        osc = OscSink([OscReceiver("127.0.0.1", desk.port)])
        browser = await playwright.chromium.launch(executable_path=chromium.find(), args=list(chromium.SWITCHES))
        async with running(source, [BeatingHead()], osc=osc) as address:
            page = await browser.new_page()
            await page.add_init_script(LIT)
            await page.goto(f"http://{address}/")
            came: list[float] = []
            ends_s = loop.time() + seconds
            while loop.time() < ends_s:
                await desk.until("beat", nth=len(came))
                came.append(loop.time())
            lit = await page.evaluate("window.lit")
        await browser.close()
    since_epoch_s = time.time() - loop.time()
    return {
        "machine": {"cpus": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()},
        "osc": lateness_ms(came, source.begun_s),
        "page": lateness_ms((at - since_epoch_s for at in lit), source.begun_s),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description="Measure when beats are struck, beside when they sound.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to play (default: 60)")
    print(json.dumps(asyncio.run(measure(parser.parse_args(arguments).seconds)), indent=2))


if __name__ == "__main__":
    main()
