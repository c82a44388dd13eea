"""Real brokers that are there and do not take all, for want of a right or of room; and older ones that say nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from typing import TYPE_CHECKING

import pytest

from stream_analyzer.serving.mqtt import refusals
from stream_analyzer.serving.mqtt.refusals import Refusals
from tests.support.mosquitto import Mosquitto, says, why_not
from tests.support.old_broker import only_mqtt_3
from tests.support.publishing import GENRE, STATUS, following, is_up, state, tempo
from tests.support.real_process import serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.real_process import Json

MUST_RUN = os.environ.get("CI") == "true"
pytestmark = pytest.mark.skipif(bool(why_not()) and not MUST_RUN, reason=why_not() or "a broker can be run")

BASE = "stream-analyzer/hall/v1"
CONFIG = "homeassistant/device/stream_analyzer_hall/config"
HOME = {"discovery_prefix": "homeassistant"}


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.CRITICAL, "stream_analyzer.serving.mqtt.sink.client")
    caplog.set_level(logging.INFO, "stream_analyzer.serving.mqtt.sink")
    return caplog


def refused_topics(log: pytest.LogCaptureFixture) -> set[str]:
    said = [record.getMessage() for record in log.records]
    assert len(said) == len(set(said)), "a line a change"
    assert not any("TLS" in line for line in said), "it has greeted: the line is right"
    return {line.partition(" refuses ")[2].partition(": ")[0] for line in said if " refuses " in line}


def with_rights(folder: Path, *lines: str) -> Mosquitto:
    rights = folder / "rights"
    rights.write_text("\n".join(lines) + "\n")
    rights.chmod(0o700)
    return Mosquitto(folder, f"acl_file {rights}")


async def test_a_broker_that_forbids_all_is_refused_by_name(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    with with_rights(tmp_path, "topic read #") as broker:
        async with following(broker.port, **HOME) as (analyzer, sink):
            await state(sink, "refused")
            for event in (tempo(120.0), tempo(121.0), STATUS):
                analyzer.publish(event)
            await state(sink, "refused")
            assert "Not authorized (and " in sink.broker_refusal()
        assert {f"{BASE}/availability", f"{BASE}/status", CONFIG} <= refused_topics(log)


async def test_some_topics_are_forbidden_and_the_rest_arrives(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    rights = ["topic read #", f"topic readwrite {BASE}/availability", f"topic readwrite {BASE}/status"]
    rights += [f"topic readwrite {BASE}/{kind}" for kind in ("genre", "key")]
    with with_rights(tmp_path, *rights) as broker:
        async with broker.subscriber() as subscriber, following(broker.port) as (analyzer, sink):
            await is_up(subscriber)
            await state(sink, "refused")
            for event in (tempo(120.0), GENRE, STATUS):
                analyzer.publish(event)
            await subscriber.until(says(f"{BASE}/status"))
            await subscriber.until(says(f"{BASE}/genre"))
            assert sink.broker_refusal() == f"{BASE}/tempo: Not authorized"
            (tmp_path / "rights").write_text("topic readwrite #\n")
            os.kill(broker.pid, signal.SIGHUP)
            at = 0
            while sink.broker_state() != "up":  # rights that come later are noticed with the next message
                analyzer.publish(tempo(120.0 + at))
                analyzer.publish(STATUS)
                at = await subscriber.until(says(f"{BASE}/status"), start=at)
            await subscriber.until(says(f"{BASE}/tempo"))
        assert refused_topics(log) == {f"{BASE}/tempo"}
        assert any(f"takes {BASE}/tempo again" in record.getMessage() for record in log.records)


async def test_a_user_who_may_write_and_not_read_is_no_refused_one(tmp_path: Path) -> None:
    with with_rights(tmp_path, "topic write stream-analyzer/#") as broker:
        async with following(broker.port) as (analyzer, sink):
            await state(sink, "up")
            analyzer.publish(tempo(120.0))
            analyzer.publish(STATUS)
            await state(sink, "up")
            assert sink.broker_refusal() == ""


@pytest.mark.parametrize("limit", ["message_size_limit 1000", "max_packet_size 1000"])
async def test_a_message_that_is_too_large_is_left_out_and_the_rest_goes_on(
    tmp_path: Path, log: pytest.LogCaptureFixture, limit: str
) -> None:
    with Mosquitto(tmp_path, limit) as broker:
        async with broker.subscriber() as subscriber, following(broker.port, **HOME) as (analyzer, sink):
            await state(sink, "refused")
            payload = analyzer.publish(STATUS)
            await subscriber.until(says(f"{BASE}/status", payload))
            assert sink.broker_refusal().startswith(f"{CONFIG}: ")
        assert refused_topics(log) == {CONFIG}


async def test_an_older_broker_is_spoken_to_as_it_can(tmp_path: Path, log: pytest.LogCaptureFixture) -> None:
    with Mosquitto(tmp_path) as broker:
        async with (
            only_mqtt_3(broker.port) as port,
            broker.subscriber() as subscriber,
            following(port, **HOME) as (analyzer, sink),
        ):
            await is_up(subscriber)
            payload = analyzer.publish(STATUS)
            await subscriber.until(says(f"{BASE}/status", payload))
            await subscriber.until(says("config"))
            await state(sink, "up")
        assert [record.getMessage().rpartition(" ")[2] for record in log.records] == ["there"]


async def test_an_older_broker_that_swallows_all_is_found_out(
    tmp_path: Path, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "ECHO_LIMIT_S", 0.2)
    with with_rights(tmp_path, "topic read #") as broker:
        async with only_mqtt_3(broker.port) as port, following(port, **HOME) as (analyzer, sink):
            while sink.broker_state() != "refused":
                analyzer.publish(STATUS)
                await asyncio.sleep(0.02)
            assert "does not come back" in sink.broker_refusal()
        assert {f"{BASE}/availability", CONFIG} <= refused_topics(log)


async def test_an_older_broker_that_cuts_the_line_at_a_message_gets_the_rest(
    tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    with Mosquitto(tmp_path, "max_packet_size 1000") as broker:
        async with (
            only_mqtt_3(broker.port) as port,
            broker.subscriber() as subscriber,
            following(port, **HOME) as (analyzer, sink),
        ):
            await state(sink, "refused")
            payload = analyzer.publish(STATUS)
            await subscriber.until(says(f"{BASE}/status", payload))
        assert refused_topics(log) == {CONFIG}


async def test_the_status_tells_the_topic(tmp_path: Path, validate: Callable[[Json], None]) -> None:
    with with_rights(tmp_path, "topic read #") as broker:
        flags = ("--input", "demo", "--mqtt", f"mqtt://127.0.0.1:{broker.port}", "--node", "hall")
        with serve(*flags) as service:
            async with service.listen() as client:
                await client.until(lambda m: m["type"] == "status" and m["data"]["broker"] == "refused")
                assert BASE in client.last("status")["broker_refusal"]
                validate(client.messages[-1])


def test_one_break_says_nothing_and_a_second_at_the_same_message_all() -> None:
    now = [0.0]
    refused = Refusals(clock=lambda: now[0])
    assert not refused.broke("a")
    assert not refused.broke("b"), "another one: the line is bad"
    assert not refused.broke("")
    assert not refused.broke("b")
    assert refused.broke("b")
    assert (refused.leaves_out("a"), refused.leaves_out("b")) == (False, True)
    assert str(refused).startswith("b: the line breaks at it")
    now[0] = 601.0
    assert not refused.leaves_out("b"), "the broker may be another one by now"
    assert refused.answered("b", "")
    assert str(refused) == ""


def test_what_was_taken_between_two_breaks_broke_neither() -> None:
    refused = Refusals()
    assert not refused.broke("a")
    refused.answered("a", "")
    assert not refused.broke("a")


def test_an_echo_is_waited_for_once_and_may_come_late() -> None:
    now = [0.0]
    refused = Refusals(clock=lambda: now[0])
    refused.wait_for_echo("a")
    now[0] = 4.0
    refused.wait_for_echo("a")
    assert refused.missing() == []
    now[0] = 6.0
    assert refused.missing() == ["a"]
    assert refused.missing() == []
    assert "does not come back" in refused.reason("a")
    assert refused.came_back("a")
    assert refused.reason("a") == ""
