"""A real capture: a song played into PulseAudio's null sink, PortAudio, the real process, a WebSocket client."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from tests.support.pulse import RATE_HZ, Pulse, drum_loop, why_not
from tests.support.real_process import END_LIMIT_S, ROOT, Client, Json, run_command, serve, state_is, tempo_is

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stream_analyzer.types import F32

MUST_RUN = os.environ.get("CI") == "true" or os.environ.get("REQUIRE_CAPTURE") == "1"
pytestmark = [
    pytest.mark.capture,
    pytest.mark.skipif(bool(why_not()) and not MUST_RUN, reason=why_not() or "capture can be tried"),
]
BPM = 124.0
HEARD_LIMIT_S = 30.0


@pytest.fixture
def pulse(tmp_path: Path) -> Iterator[Pulse]:
    folder = tmp_path / "pulse-home"
    folder.mkdir()
    pulse = Pulse(folder)
    try:
        pulse.start()
    except (OSError, RuntimeError) as error:
        if MUST_RUN:
            raise
        pytest.skip(f"PulseAudio can't run here: {error}")
    yield pulse
    pulse.stop()


def demo_part(bpm: float) -> F32:
    """Return the part of the demo set with this tempo, twice over."""
    rows = json.loads((ROOT / "stream_analyzer" / "demo.json").read_text())
    row = next(row for row in rows if row["bpm"] == bpm)
    start, stop = round(row["start_s"] * RATE_HZ), round((row["end_s"] - 1.0) * RATE_HZ)
    sound, _ = soundfile.read(ROOT / "stream_analyzer" / "demo.ogg", start=start, stop=stop, dtype="float32")
    whole_bars = round(int(len(sound) / RATE_HZ / (240 / bpm)) * 240 / bpm * RATE_HZ)
    return np.tile(np.asarray(sound, np.float32)[:whole_bars], (6, 1))


async def hears(client: Client, bpm: float, *, start: int = 0) -> int:
    """Wait until three tempo messages in a row are right."""

    def three_right(_message: Json) -> bool:
        tempi = [m for m in client.messages[start:] if m["type"] == "tempo"][-3:]
        return len(tempi) == 3 and all(map(tempo_is(bpm), tempi))

    try:
        return await client.until(three_right, limit_s=HEARD_LIMIT_S, start=start)
    except TimeoutError:
        heard = [m["data"]["bpm"] for m in client.messages[start:] if m["type"] == "tempo"]
        pytest.fail(f"played {bpm} BPM, heard {heard[-20:]}")


async def test_song_through_the_sound_system_is_heard_at_its_tempo(pulse: Pulse) -> None:
    pulse.play(demo_part(BPM))
    with serve("--input", "device", "--device", "pulse", env=pulse.env) as service:
        async with service.listen() as client:
            await client.until(state_is("live"), limit_s=HEARD_LIMIT_S)
            await hears(client, BPM)
            await client.until(state_is("live"), limit_s=5.0, start=len(client.messages))
            assert client.messages[0]["type"] == "hello"
            assert client.messages[0]["data"]["source"] == {
                "kind": "device",
                "name": "pulse",
                "rate_hz": RATE_HZ,
                "channels": 2,
            }
            status = client.last("status")
            assert status["lost_s"] == 0.0
            assert status["nonfinite"] == 0
            assert -40.0 < client.last("level")["rms_dbfs"] < 0.0
        code, took_s = service.end()
    assert (code, took_s < END_LIMIT_S) == (0, True), (code, took_s)
    assert not any("Traceback" in line for line in service.said)


async def test_device_that_vanishes_is_reported_and_taken_up_again_when_it_returns(pulse: Pulse) -> None:
    pulse.play(demo_part(BPM))
    with serve("--input", "device", "--device", "pulse", env=pulse.env) as service:
        async with service.listen() as client:
            at = await hears(client, BPM)
            before = next(m for m in reversed(client.messages) if m["type"] == "status")
            pulse.kill()
            at = await client.until(state_is("device_lost"), limit_s=6.0, start=at)
            assert "pulse" in client.last("status")["detail"]
            pulse.start()
            pulse.play(demo_part(BPM))
            at = await client.until(state_is("warming", "starting"), limit_s=20.0, start=at)
            at = await client.until(state_is("live", "degraded"), limit_s=HEARD_LIMIT_S, start=at)
            await hears(client, BPM, start=at)
            after = next(m for m in reversed(client.messages) if m["type"] == "status")
            assert after["session"] == before["session"]
            # The clock went on while there was no device, and the missing time is counted.
            assert after["data"]["lost_s"] >= 2.0
            assert after["time_s"] - before["time_s"] >= after["data"]["lost_s"]
        code, took_s = service.end()
    assert (code, took_s < END_LIMIT_S) == (0, True), (code, took_s)
    assert not any("Traceback" in line for line in service.said)


async def test_lost_device_does_not_hold_up_ctrl_c(pulse: Pulse) -> None:
    with serve("--input", "device", "--device", "pulse", env=pulse.env) as service:
        async with service.listen() as client:
            await client.until(lambda m: m["type"] == "level", limit_s=15.0)
            pulse.kill()
            await client.until(state_is("device_lost"), limit_s=6.0)
        code, took_s = service.end()
    assert (code, took_s < END_LIMIT_S) == (0, True), (code, took_s)


async def test_sound_server_that_hangs_is_a_lost_device_until_it_goes_on(pulse: Pulse) -> None:
    pulse.play(drum_loop(BPM, duration_s=120.0))
    with serve("--input", "device", "--device", "pulse", env=pulse.env) as service:
        async with service.listen() as client:
            await client.until(state_is("warming", "live"), limit_s=15.0)
            pulse.freeze()
            at = await client.until(state_is("device_lost"), limit_s=6.0)
            pulse.thaw()
            await client.until(state_is("warming", "live"), limit_s=25.0, start=at)
            pulse.freeze()
            await client.until(state_is("device_lost"), limit_s=6.0, start=len(client.messages))
        code, took_s = service.end()
    assert (code, took_s < END_LIMIT_S) == (0, True), (code, took_s)


async def test_silent_device_is_told_from_a_lost_one(pulse: Pulse) -> None:
    with serve("--input", "device", "--device", "pulse", env=pulse.env) as service:
        async with service.listen() as client:
            await client.until(state_is("silent"), limit_s=15.0)
            # Silence stays silence for longer than a device may be mute.
            start = len(client.messages)
            for _ in range(4):
                start = await client.until(lambda m: m["type"] == "status", limit_s=5.0, start=start)
            assert not any(map(state_is("device_lost"), client.messages))


def test_devices_are_listed_for_people_and_for_programs(pulse: Pulse) -> None:
    listed = run_command("devices", env=pulse.env)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert any("pulse" in line.split() and "Hz" in line for line in listed.stdout.splitlines())
    table = json.loads(run_command("devices", "--json", env=pulse.env).stdout)
    device = next(row for row in table if row["name"] == "pulse")
    assert device["channels"] >= 2
    assert device["rate_hz"] == RATE_HZ


@pytest.mark.parametrize("how", ["index", "part of the name", "default"])
async def test_device_is_chosen_by_index_or_part_of_its_name(pulse: Pulse, how: str) -> None:
    table = json.loads(run_command("devices", "--json", env=pulse.env).stdout)
    device = next(row for row in table if (row["default"] if how == "default" else row["name"] == "pulse"))
    wanted = {"index": ["--device", str(device["index"])], "part of the name": ["--device", "ULS"], "default": []}[how]
    with serve("--input", "device", *wanted, env=pulse.env) as service:
        async with service.listen() as client:
            await client.until(lambda m: m["type"] == "level", limit_s=15.0)
            assert client.messages[0]["data"]["source"]["name"] == device["name"]
        assert service.end(signal.SIGTERM)[1] < END_LIMIT_S


@pytest.mark.parametrize(("rate_hz", "channels"), [(48_000, 1), (22_050, 2), (16_000, 6), (96_000, 2), (37_800, 3)])
async def test_device_is_read_at_other_rates_and_channel_counts(pulse: Pulse, rate_hz: int, channels: int) -> None:
    pulse.play(drum_loop(BPM, duration_s=30.0))
    asked = ("--device", "pulse", "--rate", str(rate_hz), "--channels", str(channels))
    with serve("--input", "device", *asked, env=pulse.env) as service:
        async with service.listen() as client:
            await client.until(
                lambda m: m["type"] == "level" and m["data"]["rms_dbfs"] > -40 and m["time_s"] > 1, limit_s=15.0
            )
            source = client.messages[0]["data"]["source"]
            assert (source["rate_hz"], source["channels"]) == (rate_hz, channels)


def on_the_right_only() -> F32:
    right = drum_loop(BPM, duration_s=60.0)
    return np.hstack([np.zeros_like(right), right])


@pytest.mark.parametrize("channel", ["2", "mix"])
async def test_channel_with_the_song_is_heard(pulse: Pulse, channel: str) -> None:
    pulse.play(on_the_right_only())
    with serve("--input", "device", "--device", "pulse", "--channel", channel, env=pulse.env) as service:
        async with service.listen() as client:
            await hears(client, BPM)
            assert client.last("level")["rms_dbfs"] > -40


async def test_channel_without_the_song_is_silent(pulse: Pulse) -> None:
    pulse.play(on_the_right_only())
    with serve("--input", "device", "--device", "pulse", "--channel", "1", env=pulse.env) as service:
        async with service.listen() as client:
            await client.until(state_is("silent"), limit_s=15.0)
            assert all(m["data"]["rms_dbfs"] < -60 for m in client.messages if m["type"] == "level")
            assert not any(m["type"] in ("tempo", "genre") for m in client.messages)


async def test_a_device_that_comes_later_than_the_program_is_waited_for(pulse: Pulse) -> None:
    pulse.kill()
    with serve("--device", "pulse", env=pulse.env) as service:
        async with service.listen() as client:
            await client.until(state_is("device_lost"), limit_s=15.0)
            assert "no sound device 'pulse'; inputs here: none" in client.last("status")["detail"]
            pulse.start()
            await client.until(lambda m: m["type"] == "level", limit_s=30.0)
        assert service.end()[0] == 0


async def test_unknown_device_is_named_with_those_that_exist(pulse: Pulse) -> None:
    with serve("--device", "no such thing", env=pulse.env) as service:
        async with service.listen() as client:
            await client.until(state_is("device_lost"), limit_s=15.0)
            detail = client.last("status")["detail"]
            assert "'no such thing'" in detail
            assert "pulse" in detail
