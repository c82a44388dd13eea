"""The real process: a file in, messages out by WebSocket and on standard output, one result for every way in."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import numpy as np
import pytest
import soundfile

from stream_analyzer.system.resources import DEMO_FILE
from tests.support.fakes import SONG_RATE_HZ as RATE_HZ
from tests.support.fakes import drum_loop
from tests.support.real_process import COMMAND, ROOT, run_command, serve, state_is

if TYPE_CHECKING:
    from collections.abc import Callable


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def rows(messages: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    keys = {
        "tempo": ("bpm", "confidence", "state", "beats_in_bar"),
        "beat": ("beat_s", "number", "beats_in_bar", "confidence", "bpm"),
        "genre": ("label", "confidence", "state", "sub_genre", "second", "sure"),
        "key": ("label", "camelot", "confidence", "state", "tuning_cents"),
        "loudness": ("short_term_lufs", "integrated_lufs", "true_peak_dbtp"),
        "energy": ("value", "bass_dbfs", "onsets_per_s", "brightness_hz"),
        "moment": ("turn", "at_s", "confidence"),
    }[kind]
    return [{"time_s": m["time_s"], **{key: m["data"][key] for key in keys}} for m in messages if m["type"] == kind]


def test_demo_gives_one_result_live_and_offline(validate: Callable[[dict[str, Any]], None]) -> None:
    offline = run_command("analyze", str(DEMO_FILE), "--json", "--timeline")
    live = run_command("run", "--input", "demo", "--speed", "0", "--json", "--port", "0")
    assert (offline.returncode, live.returncode) == (0, 0), offline.stderr + live.stderr
    (result,), messages = lines(offline.stdout), lines(live.stdout)
    for message in messages:
        validate(message)
    assert messages[0]["type"] == "hello"
    assert messages[-1]["type"] == "summary"
    assert [m["seq"] for m in messages] == sorted({m["seq"] for m in messages})
    assert {key: result[key] for key in messages[-1]["data"]} == messages[-1]["data"]
    assert (
        {"tempo", "genre"}
        <= set(result["timeline"])
        == {"tempo", "beat", "genre", "key", "loudness", "energy", "moment"} & set(messages[0]["data"]["types"])
    )
    for kind, found in result["timeline"].items():
        assert rows(messages, kind) == found
        assert len(found) > 60 or kind == "moment"


def test_the_demo_is_marked_in_every_message_and_other_sound_is_not(song: Path) -> None:
    for source, marked in (("demo", True), (str(song), False)):
        done = run_command("run", "--input", source, "--speed", "0", "--json", "--port", "0")
        messages = lines(done.stdout)
        assert {message.get("demo", False) for message in messages} == {marked}
        assert {m["data"]["demo"] for m in messages if m["type"] == "status"} == {marked}


def test_standard_input_gives_the_same_result(song: Path) -> None:
    samples, _ = soundfile.read(song, dtype="int16")
    from_file = run_command("run", "--input", str(song), "--speed", "0", "--json", "--port", "0")
    from_pipe = run_command("run", "--input", "-", "--json", "--port", "0", stdin=samples.tobytes())
    floats = (samples / np.float32(32768.0)).astype("<f4").tobytes()
    as_floats = run_command("run", "--input", "-", "--format", "f32le", "--json", "--port", "0", stdin=floats)
    summaries = [lines(done.stdout)[-1]["data"] for done in (from_file, from_pipe, as_floats)]
    assert summaries[0] == summaries[1] == summaries[2]
    assert summaries[0]["tempo"] is not None


async def test_a_client_follows_a_file(song: Path, validate: Callable[[dict[str, Any]], None]) -> None:
    with serve("--input", str(song)) as service:
        async with service.listen() as client:
            await client.until(state_is("live"), limit_s=30)
            await client.until(lambda m: m["type"] == "genre", limit_s=30)
            await client.until(lambda m: m["type"] == "summary", limit_s=60)
            for message in client.messages:
                validate(message)
            assert client.messages[0]["data"]["source"]["name"] == "a song.wav"
            assert client.last("status")["state"] == "ended"
            assert client.last("status")["lost_s"] == 0.0
        assert service.process.wait(10) == 0


async def test_while_no_sound_arrives_the_status_is_repeated(
    song: Path, validate: Callable[[dict[str, Any]], None]
) -> None:
    samples, _ = soundfile.read(song, dtype="int16")
    with serve("--input", "-", stdin=subprocess.PIPE) as service:
        assert service.process.stdin
        service.process.stdin.write(samples[: 2 * RATE_HZ].tobytes())
        service.process.stdin.flush()
        async with service.listen() as client:
            at = 0
            for _ in range(3):  # the clock stands still, and more keeps coming
                at = await client.until(lambda m: m["type"] == "status" and m["time_s"] > 1.8, limit_s=60, start=at)
            repeated = [m for m in client.messages if m["type"] == "status"][-2:]
            assert repeated[0]["time_s"] == repeated[1]["time_s"]
            assert repeated[0]["seq"] < repeated[1]["seq"]
            for message in repeated:
                validate(message)


def test_the_session_so_far_can_be_asked_for() -> None:
    with (
        serve("--input", str(DEMO_FILE), "--speed", "20") as service,
        urlopen(f"http://{service.address}/timeline") as answer,
    ):
        assert answer.headers["Content-Type"] == "application/json"
        columns = json.load(answer)
        assert {"session", "time_s", "bpm", "top"} <= set(columns)


def test_analyze_goes_on_after_a_broken_file(song: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_text("this is no sound")
    done = run_command("analyze", str(broken), str(song), "--json")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "broken.wav" in done.stderr
    (result,) = lines(done.stdout)
    assert result["file"] == str(song)
    assert result["duration_s"] == pytest.approx(9.0, abs=0.01)
    assert set(result) - {"loudness"} == {"file", "duration_s", "tempo", "genre", "music", "key", "drops_s"}


def test_a_file_that_breaks_off_ends_with_its_summary(tmp_path: Path) -> None:
    path = tmp_path / "broken.flac"
    soundfile.write(path, drum_loop(20.0, rate_hz=RATE_HZ, channels=2), RATE_HZ)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = bytes(20_000)
    path.write_bytes(data)
    done = run_command("run", "--input", str(path), "--speed", "0", "--json", "--port", "0")
    assert done.returncode == 3
    assert "breaks off" in done.stderr
    *_, ended, summary = lines(done.stdout)
    assert (ended["data"]["state"], summary["type"]) == ("ended", "summary")


async def test_standard_input_that_stalls_is_told() -> None:
    reading, writing = os.pipe()
    with serve("--input", "-", stdin=reading) as service:
        async with service.listen() as client:
            os.write(writing, bytes(44_100))
            at = await client.until(state_is("device_lost"), limit_s=30)
            assert "sends nothing" in client.last("status")["detail"]
            os.write(writing, (drum_loop(4.0, rate_hz=RATE_HZ, channels=2) * 9000).astype("<i2").tobytes())
            await client.until(state_is("live"), limit_s=30, start=at)
        os.close(writing)
        assert service.process.wait(10) == 0
    os.close(reading)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line(song: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [*COMMAND, "analyze", str(song)]
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False, cwd=ROOT
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "stream-analyzer: can't write to standard output: No space left on device; free some space or write elsewhere"
    ]


def test_analyze_for_people(song: Path) -> None:
    done = run_command("analyze", str(song))
    assert "BPM" in done.stdout
    assert done.stderr == ""


def test_analyze_tells_people_of_another_octave(tmp_path: Path) -> None:
    clicks = np.zeros(20 * RATE_HZ, np.float32)
    clicks[::RATE_HZ] = 0.9  # one a second: 60, or 120 with every other beat empty
    soundfile.write(tmp_path / "metronome.wav", clicks, RATE_HZ)
    done = run_command("analyze", str(tmp_path / "metronome.wav"))
    assert re.search(r"(120\.0 or 60\.0|60\.0( or 120\.0)?) BPM", done.stdout), done.stdout


def test_a_reader_that_leaves_is_no_error() -> None:
    writer = shlex.join([*COMMAND, "run", "--input", "demo", "--speed", "0", "--json", "--port", "0"])
    command = ["sh", "-c", f"{writer} | head -n 3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert len(done.stdout.splitlines()) == 3
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg missing")
def test_ffmpeg_pipe(song: Path) -> None:
    decode = ["ffmpeg", "-v", "error", "-i", str(song), "-f", "s16le", "-ac", "1", "-ar", "48000", "-"]
    pcm = subprocess.run(decode, capture_output=True, check=True).stdout
    options = ("--rate", "48000", "--channels", "1", "--json", "--port", "0")
    done = run_command("run", "--input", "-", *options, stdin=pcm)
    assert lines(done.stdout)[-1]["data"]["duration_s"] == pytest.approx(9.0, abs=0.05)
