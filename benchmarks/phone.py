"""From a sound at a phone's microphone to the message that tells of it: ``python -m benchmarks.phone``.

Chromium plays a drum loop as its microphone; the page `/mic` sends it to the real process on this machine, and the same
browser subscribes to `level`. A sample counts as heard when the browser's audio thread would hand it over at the
earliest; what is measured is the rest: pieces of 20 ms, threads, two sockets, the step of 0.1 s and the analysis.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from playwright.async_api import async_playwright

from tests.support import chromium
from tests.support.fakes import drum_loop
from tests.support.real_process import serve

if TYPE_CHECKING:
    from collections.abc import Sequence

RATE_HZ = 48_000
FIRST_S = 3.0
FAKE = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
WATCH = """() => {
  window.pieces = [];
  window.levels = [];
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (data) {
    if (typeof data !== "string") {
      const view = new DataView(data.buffer);
      const at = Number(view.getBigUint64(8, true));
      window.pieces.push([at, (data.byteLength - 16) / 2, view.getUint32(4, true), performance.now()]);
    }
    return send.call(this, data);
  };
  const line = new WebSocket(new URL("ws?types=level", location.href).href.replace("http", "ws"));
  line.onmessage = ({ data }) => {
    const { type, time_s } = JSON.parse(data);
    if (type === "level") window.levels.push([time_s, performance.now()]);
  };
}"""


async def measure(seconds: float) -> dict[str, Any]:
    """Listen for ``seconds``."""
    with tempfile.TemporaryDirectory() as folder, serve("--input", "phone", "--log", "off") as service:
        song = Path(folder) / "song.wav"
        soundfile.write(song, drum_loop(60.0 / 124.0 * 32, bpm=124.0, rate_hz=RATE_HZ), RATE_HZ, subtype="PCM_16")
        async with async_playwright() as playwright:
            flags = [*chromium.SWITCHES, *FAKE, f"--use-file-for-fake-audio-capture={song}"]
            browser = await playwright.chromium.launch(executable_path=chromium.find(), args=flags)
            page = await browser.new_page()
            await page.goto(f"http://{service.address}/mic")
            await page.evaluate(WATCH)
            await page.click("#start")
            await asyncio.sleep(FIRST_S + seconds)
            pieces, levels = np.array(await page.evaluate("pieces")), np.array(await page.evaluate("levels"))
            await browser.close()
    rate_hz = pieces[0, 2]
    # A piece comes after its last sample: the one that came earliest tells how the count and the clock stand.
    zero_ms = np.min(pieces[:, 3] - 1000.0 * (pieces[:, 0] + pieces[:, 1]) / rate_hz)
    heard_ms = zero_ms + 1000.0 * (pieces[0, 0] / rate_hz + levels[:, 0])
    took_ms = (levels[:, 1] - heard_ms)[levels[:, 0] > FIRST_S]
    return {
        "machine": {"cpus": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()},
        "messages": len(took_ms),
        "end_of_step_to_message_ms": {f"p{q}": round(float(np.percentile(took_ms, q)), 1) for q in (50, 95, 99)},
        "any_sample_to_message_p99_ms": round(float(np.percentile(took_ms, 99)) + 100.0, 1),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description="Measure from a phone's microphone to the message.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to listen (default: 60)")
    print(json.dumps(asyncio.run(measure(parser.parse_args(arguments).seconds)), indent=2))


if __name__ == "__main__":
    main()
