"""/metrics, /health and /ready of the real process, read as Prometheus and a supervisor read them."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream_analyzer.protocol.encode import Encoder
from stream_analyzer.serving.monitor import Monitor, Watch
from stream_analyzer.serving.web.fanout import Counters
from stream_analyzer.sound.queue import BlockQueue
from stream_analyzer.types import Energy, Key, LogState, Loudness, State, Status
from tests.support.fakes import drum_loop
from tests.support.real_process import Service, serve, state_is

if TYPE_CHECKING:
    from http import HTTPStatus

RATE_HZ = 44_100
Samples = dict[tuple[str, ...], float]


def parse(text: str) -> Samples:
    """Return each sample by its name, without the program's prefix, and its labels' values."""
    return {
        (sample.name.removeprefix("stream_analyzer_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def get(service: Service, path: str, *, host: str = "", token: str = "") -> tuple[int, str]:
    headers = {"Host": host} if host else {"Authorization": f"Bearer {token}"} if token else {}

    def blocking() -> tuple[int, str]:
        request = Request(f"http://{service.address}{path}", headers=headers)
        try:
            with urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(blocking)


async def metrics(service: Service) -> Samples:
    status, text = await get(service, "/metrics")
    assert status == 200
    return parse(text)


MOVING = (
    ("audio_blocks_total",), ("audio_analysed_seconds_total",), ("inference_seconds_count", "tempo"),
    ("inference_seconds_count", "genre"), ("inference_seconds_sum", "tempo"), ("messages_total", "tempo"),
    ("messages_total", "genre"), ("messages_total", "level"), ("messages_total", "status"),
    ("messages_total", "spectrum"), ("client_messages_total",),
)  # fmt: skip


async def test_the_numbers_move_with_the_sound() -> None:
    with serve("--input", "demo") as service:
        before = await metrics(service)
        assert before["clients",] == 0
        async with service.listen() as client:
            await client.until(state_is("live"), limit_s=30)
            await client.until(lambda m: m["type"] == "genre", limit_s=30)
            after = await metrics(service)
        assert after["clients",] == 1
        for key in MOVING:
            assert after[key] > before.get(key, 0.0), key
        assert after["inference_seconds_sum", "genre"] / after["inference_seconds_count", "genre"] < 1.0
        assert (after["audio_blocks_dropped_total",], after["audio_lost_seconds_total",]) == (0.0, 0.0)
        assert (after["state", "live"], after["state", "warming"], after["broker", "none"]) == (1.0, 0.0, 1.0)
        assert after["process_cpu_seconds_total",] > 0.0


async def test_ready_follows_the_sound() -> None:
    reading, writing = os.pipe()
    with serve("--input", "-", stdin=reading) as service:
        os.close(reading)
        async with service.listen() as client:
            assert await ready(service) == (503, "starting")
            assert (await get(service, "/health"))[0] == 200, "waiting for sound is no fault"
            os.write(writing, (drum_loop(4.0, rate_hz=RATE_HZ, channels=2) * 9000).astype("<i2").tobytes())
            at = await client.until(state_is("live"), limit_s=30)
            assert await ready(service) == (200, "live")
            await client.until(state_is("device_lost"), limit_s=30, start=at)
            assert await ready(service) == (503, "device_lost")
            assert (await get(service, "/health"))[0] == 200
        os.close(writing)


async def ready(service: Service) -> tuple[int, str]:
    status, text = await get(service, "/ready")
    return status, json.loads(text)["state"]


@pytest.mark.parametrize("path", ["/metrics", "/health", "/ready"])
async def test_the_page_s_rules_hold_here_too(path: str) -> None:
    with serve("--input", "demo") as service:
        assert (await get(service, path, host="evil.example"))[0] == 403


async def test_a_token_opens_the_metrics_and_nobody_needs_one_for_the_rest() -> None:
    token = "0123456789abcdef0123"  # noqa: S105 - made for the test
    with serve("--input", "demo", env={"STREAM_ANALYZER_TOKEN": token}) as service:
        assert [(await get(service, path))[0] for path in ("/metrics", "/health")] == [401, 200]
        assert (await get(service, "/ready"))[0] in (200, 503)
        assert (await get(service, "/metrics", token=token))[0] == 200


async def test_secrets_are_not_told() -> None:
    env = {"STREAM_ANALYZER_MQTT_USER": "a-user", "STREAM_ANALYZER_MQTT_PASSWORD": "hunter2"}
    with serve("--input", "demo", "--mqtt", "mqtt://127.0.0.1:1", "--log-level", "info", env=env) as service:
        async with service.listen() as client:
            await client.until(state_is("live"), limit_s=30)
            told = [json.dumps(client.messages), *service.said]
        told += [(await get(service, path))[1] for path in ("/metrics", "/health", "/ready")]
        assert (await metrics(service))["broker", "down"] == 1.0
    assert not [text for text in told if "hunter2" in text or "a-user" in text]


@dataclass
class Standing:
    """How things stand with a set log."""

    state: LogState = "off"
    trouble: str = ""


@dataclass
class Progress:
    """How far an analysis is."""

    status: Status | None
    turned_s: float


def watch(progress: Progress, name: str = "main") -> Watch:
    return Watch(name, BlockQueue(), Counters(), progress, broker=lambda: "none")


def answers(state: State | None, *, idle_s: float) -> tuple[HTTPStatus, HTTPStatus]:
    status = Status(1.0, state, "", 0.0, 0.0, 0, 0) if state else None
    progress = Progress(status, time.monotonic() - idle_s)
    monitor = Monitor([watch(progress)])
    return monitor.health().status, monitor.ready().status


def test_an_analysis_that_hangs_is_neither_healthy_nor_ready() -> None:
    assert answers("live", idle_s=1.0) == (200, 200)
    assert answers("live", idle_s=60.0) == (503, 503)
    assert answers(None, idle_s=1.0) == (200, 503)
    for state in get_args(State):
        assert answers(state, idle_s=1.0) == (
            200,
            200 if state in ("live", "cancelling", "silent", "steady", "degraded") else 503,
        )


def test_what_is_measured_is_shown_while_there_is_sound() -> None:
    progress = Progress(Status(5.0, "live", "", 0.0, 0.0, 0, 0), 0.0)
    seen = watch(progress)
    monitor = Monitor([seen])
    loudness = Loudness(5.0, -12.04, -13.0, None, 4.0, -0.2)
    seen.put(Encoder("abcdef").encode(loudness))
    samples = parse(monitor.metrics().body.decode())
    shown = {name: value for (name, *_), value in samples.items() if "lufs" in name or "_lu" in name or "dbtp" in name}
    assert shown == {
        "loudness_momentary_lufs": -12.04,
        "loudness_short_term_lufs": -13.0,
        "loudness_range_lu": 4.0,
        "true_peak_dbtp": -0.2,
    }
    seen.put(Encoder("abcdef").encode(Key(5.0, "A minor", "8A", 0.75, "clear", 0.0, 3.0, ())))
    seen.put(Encoder("abcdef").encode(Energy(5.0, 0.5, -18.0, 4.5, 900.0)))
    samples = parse(monitor.metrics().body.decode())
    assert (samples["key", "A minor"], samples["key_confidence",], samples["energy",]) == (1.0, 0.75, 0.5)
    seen.put(Encoder("abcdef").encode(Key(6.0, "C major", "8B", 0.75, "clear", 0.0, 3.0, ())))
    assert [name for name in parse(monitor.metrics().body.decode()) if name[0] == "key"] == [("key", "C major")]
    progress.status = Status(5.0, "device_lost", "", 0.0, 0.0, 0, 0)
    assert ("true_peak_dbtp",) not in parse(monitor.metrics().body.decode())


def test_health_tells_of_a_log_that_is_stuck_and_stays_good() -> None:
    progress = Progress(None, time.monotonic())
    log = Standing("stuck", "database or disk is full")
    monitor = Monitor([watch(progress)], log=log)
    answer = monitor.health()
    assert answer.status == 200, "a restart would not help"
    assert json.loads(answer.body) == {"ok": True, "idle_s": 0.0, "log": "stuck", "log_trouble": log.trouble}
    assert parse(monitor.metrics().body.decode())["log", "stuck"] == 1.0


async def test_two_monitors_share_nothing() -> None:
    for _ in range(2):  # the second would raise, were there a registry for all
        monitor = Monitor([Watch("main", BlockQueue(), Counters(clients=3), Progress(None, 0.0), broker=lambda: "up")])
        samples = parse(monitor.metrics().body.decode())
        assert (samples["clients",], samples["broker", "up"], samples["state", "starting"]) == (3.0, 1.0, 1.0)


def test_of_several_inputs_each_series_bears_a_name() -> None:
    live, dead = Status(1.0, "live", "", 0.0, 0.0, 0, 0), Status(1.0, "device_lost", "", 0.0, 0.0, 0, 0)
    now_s = time.monotonic()
    monitor = Monitor([watch(Progress(live, now_s), "A"), watch(Progress(dead, now_s), "B")])
    lines = monitor.metrics().body.decode().splitlines()
    assert 'stream_analyzer_state{input="A",state="live"} 1.0' in lines
    assert 'stream_analyzer_state{input="B",state="live"} 0.0' in lines
    assert 'stream_analyzer_messages_total{input="B",type="tempo"} 0.0' in lines
    assert sum(line.startswith("# TYPE stream_analyzer_state ") for line in lines) == 1
    assert monitor.health().status.value == 200
    assert (monitor.ready().status, json.loads(monitor.ready().body)["state"]) == (503, "device_lost")
    assert (monitor.ready("A").status, monitor.ready("B").status) == (200, 503)
    assert json.loads(monitor.ready().body)["inputs"]["A"] == {"state": "live"}
