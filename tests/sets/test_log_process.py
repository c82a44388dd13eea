"""The real process and its log: killed, started again, on a disk that is full, in a folder that can't be written."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import numpy as np
import pytest
import soundfile

from stream_analyzer.sets import reading
from stream_analyzer.sets.database import open_for_reading
from tests.support.fakes import drum_loop
from tests.support.real_process import Service, run_command, serve

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 44_100
UNLIMITED = -1


def long_song(folder: Path) -> str:
    path = folder / "night.wav"
    soundfile.write(path, np.tile(drum_loop(8.0, bpm=120.0, rate_hz=RATE_HZ), (8, 1)), RATE_HZ, subtype="PCM_16")
    return str(path)


def written_s(log: Path) -> int:
    try:
        with closing(open_for_reading(log)) as connection:
            return reading.read_night(connection, "last").about.duration_s
    except Exception:  # noqa: BLE001 - not there yet
        return 0


async def get(service: Service, path: str) -> dict[str, Any]:
    def blocking() -> bytes:
        with urlopen(f"http://{service.address}/{path}") as answer:
            return bytes(answer.read())

    found: dict[str, Any] = json.loads(await asyncio.to_thread(blocking))
    return found


async def hear(service: Service, seconds: float) -> dict[str, Any]:
    """Listen until so much sound was analysed; return the last status."""
    async with service.listen() as client:
        await client.until(lambda m: m["type"] == "status" and m["time_s"] >= seconds)
        found: dict[str, Any] = client.last("status")
        return found


async def test_killed_and_started_again_it_is_one_set_with_a_gap(tmp_path: Path) -> None:
    song, log = long_song(tmp_path), tmp_path / "sets.sqlite"
    with serve("--input", song, "--log", str(log)) as service:
        async with service.listen() as client:
            await client.until(lambda m: m["type"] == "level" and m["time_s"] >= 6.0)
            service.process.send_signal(signal.SIGKILL)
            service.process.wait()
            heard_s = max(m["time_s"] for m in client.messages if m["type"] == "level")
    assert heard_s - written_s(log) <= 2.0
    await asyncio.sleep(1.0)
    with serve("--input", song, "--log", str(log)) as service:
        await hear(service, 3.0)
        timeline = await get(service, "timeline")
        service.end()
    shown = run_command("sets", "show", "--log", str(log)).stdout
    with closing(open_for_reading(log)) as connection:
        (one,) = reading.list_sets(connection)
        (gap,) = reading.read_night(connection, "last").gaps
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert "gap of 0:0" in shown
    assert 1 <= gap.span_s <= 60
    assert one.duration_s >= gap.second + gap.span_s + 2
    assert min(timeline["time_s"]) < 0 < timeline["offset_s"]


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux can set the limit of another process")
async def test_a_full_disk_stops_no_analysis_and_is_shown(tmp_path: Path) -> None:
    log = tmp_path / "sets.sqlite"
    with serve("--input", long_song(tmp_path), "--log", str(log)) as service:
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (1, UNLIMITED))
        async with service.listen() as client:
            await client.until(lambda m: m["type"] == "status" and m["data"]["log"] == "stuck")
            assert client.last("status")["log_trouble"]
            health = await get(service, "health")
            assert (health["ok"], health["log"]) == (True, "stuck")
            begin_s = client.messages[-1]["time_s"]
            await client.until(lambda m: m["type"] == "level" and m["time_s"] >= begin_s + 3.0)
            assert client.last("status")["lost_s"] == 0.0
            resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
            await client.until(
                lambda m: m["type"] == "status" and m["data"]["log"] == "kept", start=len(client.messages)
            )
        service.end()
    assert len([line for line in service.said if "can't be written" in line]) == 1
    with closing(open_for_reading(log)) as connection:
        seconds = [one.time_s for one in reading.seconds_of(connection, 1)]
    assert seconds == list(range(len(seconds))), "nothing was missed, and what waited was written"
    assert len(seconds) > begin_s


async def test_where_nothing_can_be_written_it_plays_on(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder")
    env = {"STREAM_ANALYZER_LOG": "", "XDG_STATE_HOME": str(tmp_path / "home")}
    with serve("--input", long_song(tmp_path), env=env) as service:
        status = await hear(service, 3.0)
        service.end()
    assert (status["log"], status["lost_s"]) == ("stuck", 0.0)
    (line,) = [line for line in service.said if "can't be written" in line]
    assert str(tmp_path / "home") in line
