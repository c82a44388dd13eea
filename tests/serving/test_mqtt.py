"""MQTT against a real mosquitto: topics, what is retained, brokers that go, hang or refuse, namesakes, TLS."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from stream_analyzer.errors import ConfigError
from stream_analyzer.serving.mqtt.sink import host_node
from stream_analyzer.serving.mqtt.tls import tls_context
from stream_analyzer.types import Beat, Loudness, Spectrum
from tests.support.mosquitto import PASSWORD, Mosquitto, Subscriber, kept, says, text, why_not
from tests.support.publishing import EVENTS, GENRE, STATUS, Analyzer, following, is_up, seen, state, tempo

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

MUST_RUN = os.environ.get("CI") == "true"
pytestmark = pytest.mark.skipif(bool(why_not()) and not MUST_RUN, reason=why_not() or "a broker can be run")

# When a TLS handshake fails, paho-mqtt leaves the closing of its socket to the garbage collector.
paho_leaves_sockets = pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.CRITICAL, "stream_analyzer.serving.mqtt.sink.client")
    caplog.set_level(logging.INFO, "stream_analyzer.serving.mqtt.sink")
    return caplog


async def test_topics_carry_what_the_page_gets(broker: Mosquitto, validate: Callable[[dict[str, Any]], None]) -> None:
    async with broker.subscriber() as early, following(broker.port, discovery_prefix="homeassistant") as (analyzer, _):
        await is_up(early)
        payloads = {kind: analyzer.publish(event) for kind, event in EVENTS.items()}
        await early.until(says("v1/status"))
        assert {kind: seen(early, kind) for kind in EVENTS} == {kind: [text] for kind, text in payloads.items()}
        for payload in payloads.values():
            validate(json.loads(payload))
        assert {m.topic.value for m in early.messages if "stream-analyzer/hall/v1/" in m.topic.value} == {
            f"stream-analyzer/hall/v1/{kind}" for kind in (*EVENTS, "availability")
        }
        late = await kept(broker)
        assert late.pop("config")
        del payloads["level"]
        assert late == payloads | {"availability": "online"}
    # The end of the sound is said, not left to the will.
    assert (await kept(broker))["availability"] == "offline"


async def test_the_spectrum_is_for_the_page_alone(broker: Mosquitto) -> None:
    import numpy as np

    async with broker.subscriber() as subscriber, following(broker.port) as (analyzer, _):
        await is_up(subscriber)
        analyzer.hub.publish(analyzer.encoder.encode(Spectrum(1.0, np.zeros((1, 3), np.uint8))))
        analyzer.publish(STATUS)
        await subscriber.until(says("v1/status"))
        assert not [m for m in subscriber.messages if "spectrum" in m.topic.value]


@pytest.mark.parametrize("also", [(), ("beat",)], ids=["not asked for", "asked for"])
async def test_beats_are_published_only_where_they_are_asked_for(broker: Mosquitto, also: tuple[str, ...]) -> None:
    homes = following(broker.port, discovery_prefix="homeassistant", also=also)
    async with broker.subscriber() as subscriber, homes as (analyzer, _):
        await is_up(subscriber)
        beat = analyzer.publish(Beat(1.0, 0.95, 1, 4, 0.9, 1.45, 120.0))
        analyzer.publish(STATUS)
        await subscriber.until(says("v1/status"))
        assert seen(subscriber, "beat") == [beat] * len(also)
        late = await kept(broker)
        assert "beat" not in late
        assert set(json.loads(late["config"])["components"]) >= {"tempo", "genre", "state"}
        assert "v1/beat" not in late["config"], "no sensor: Home Assistant would write each into its database"


async def test_loudness_comes_once_a_second(broker: Mosquitto) -> None:
    async with broker.subscriber() as subscriber, following(broker.port) as (analyzer, sink):
        await is_up(subscriber)
        first = analyzer.publish(Loudness(0.1, -12.0, -13.0, None, 4.0, -0.2))
        await subscriber.until(says("v1/loudness"))
        analyzer.publish(Loudness(0.2, -11.0, -13.0, None, 4.0, -0.2))
        analyzer.publish(STATUS)
        await subscriber.until(says("v1/status"))
        assert seen(subscriber, "loudness") == [first]
        sink._due_s["loudness"] -= Loudness.KIND.mqtt_every_s
        later = analyzer.publish(Loudness(1.3, -10.0, -13.0, None, 4.0, -0.2))
        await subscriber.until(lambda message: text(message) == later)


async def test_nothing_is_queued_while_the_broker_is_away(broker: Mosquitto, log: pytest.LogCaptureFixture) -> None:
    async with following(broker.port) as (analyzer, sink):
        async with broker.subscriber() as before:
            await is_up(before)
            analyzer.publish(tempo(100.0))
            genre = analyzer.publish(GENRE)
            await before.until(says("v1/genre", genre))
        broker.kill()
        await state(sink, "down")
        latest = [analyzer.publish(tempo(100.0 + i)) for i in range(50)][-1]
        broker.start()
        async with broker.subscriber() as after:
            await is_up(after)
            status = analyzer.publish(STATUS)
            await after.until(says("v1/status", status))
            assert seen(after, "tempo") == [latest], "the latest, once"
            assert seen(after, "genre") == [genre], "again, though it has not changed"
        assert sink.broker_state() == "up"
    lines = [record.getMessage().removeprefix(f"MQTT broker 127.0.0.1:{broker.port} ") for record in log.records]
    away = ["is away: the connection broke; trying again", "is away: Connection refused; trying again"]
    assert lines in (["is there", *away[:1], "is there"], ["is there", *away, "is there"]), "a line a change"


async def test_a_new_session_takes_back_what_the_last_one_left(broker: Mosquitto) -> None:
    async with broker.subscriber() as subscriber:
        async with following(broker.port, session="aaaaaa") as (analyzer, _):
            await is_up(subscriber)
            left = analyzer.publish(tempo(128.0))
            await subscriber.until(says("v1/tempo", left))
        at = await subscriber.until(says("v1/availability", "offline"))
        async with following(broker.port, session="bbbbbb"):
            await subscriber.until(says("v1/tempo", ""), start=at)
            await is_up(subscriber, start=at)
            assert await kept(broker) == {"availability": "online"}


async def test_what_was_heard_of_a_lost_device_is_taken_back(broker: Mosquitto) -> None:
    lost = replace(STATUS, state="device_lost", detail="gone")
    async with broker.subscriber() as subscriber, following(broker.port) as (analyzer, _):
        at = await is_up(subscriber)
        heard = analyzer.publish(tempo(128.0))
        analyzer.publish(GENRE)
        said = analyzer.publish(STATUS)
        at = await subscriber.until(says("v1/status", said), start=at)
        said = analyzer.publish(lost)
        for kind in ("tempo", "genre"):
            await subscriber.until(says(f"v1/{kind}", ""), start=at)
        assert await kept(broker) == {"availability": "online", "status": said}
        for _ in range(2):
            said = analyzer.publish(lost)
            await subscriber.until(says("v1/status", said), start=at)
        taken_back = [m for m in subscriber.messages[at:] if m.topic.value.endswith("/tempo")]
        assert len(taken_back) == 1, "once"
        analyzer.publish(STATUS)
        heard = analyzer.publish(tempo(129.0))
        await subscriber.until(says("v1/tempo", heard), start=at)


async def test_a_broker_that_comes_back_during_a_loss_gets_nothing_stale(broker: Mosquitto) -> None:
    async with following(broker.port) as (analyzer, sink):
        await state(sink, "up")
        analyzer.publish(tempo(128.0))
        said = analyzer.publish(replace(STATUS, state="device_lost", detail="gone"))
        broker.kill()
        await state(sink, "down")
        broker.start()
        async with broker.subscriber() as subscriber:
            await subscriber.until(says("v1/status", said))
            await state(sink, "up")
            assert seen(subscriber, "tempo") == []


async def test_analyzers_on_one_broker_stay_apart(broker: Mosquitto) -> None:
    async with (
        broker.subscriber("stream-analyzer/hall/#") as hall,
        broker.subscriber("stream-analyzer/bar/#") as bar,
        following(broker.port, session="aaaaaa", node="hall") as (first, one),
        following(broker.port, session="bbbbbb", node="bar") as (second, other),
    ):
        await is_up(hall)
        await is_up(bar)
        mine, yours = first.publish(tempo(100.0)), second.publish(tempo(140.0))
        await hall.until(says("v1/tempo", mine))
        await bar.until(says("v1/tempo", yours))
        assert (seen(hall, "tempo"), seen(bar, "tempo")) == ([mine], [yours])
        assert (one.broker_state(), other.broker_state()) == ("up", "up")


async def test_each_input_of_several_is_a_device_of_its_own(broker: Mosquitto) -> None:
    async with (
        broker.subscriber() as subscriber,
        following(broker.port, node="hall/A", session="aaaaaa", discovery_prefix="homeassistant") as (first, one),
        following(broker.port, node="hall/B", session="bbbbbb", discovery_prefix="homeassistant") as (_, other),
    ):
        for name in ("A", "B"):
            await subscriber.until(says(f"hall/{name}/v1/availability", "online"))
        mine = first.publish(tempo(100.0))
        await subscriber.until(says("stream-analyzer/hall/A/v1/tempo", mine))
        assert (one.broker_state(), other.broker_state()) == ("up", "up"), "they are no namesakes"
        configs = {m.topic.value: json.loads(text(m)) for m in subscriber.messages if m.topic.value.endswith("/config")}
        assert set(configs) == {f"homeassistant/device/stream_analyzer_hall/{name}/config" for name in "AB"}
        ids = [sensor["unique_id"] for config in configs.values() for sensor in config["components"].values()]
        assert len(set(ids)) == len(ids)


async def test_namesakes_are_told_and_neither_is_thrown_out(broker: Mosquitto, log: pytest.LogCaptureFixture) -> None:
    async with broker.subscriber() as subscriber, following(broker.port, session="aaaaaa") as (first, one):
        at = await is_up(subscriber)
        async with following(broker.port, session="bbbbbb") as (second, other):
            at = await is_up(subscriber, start=at)
            for analyzer in (first, second):
                analyzer.publish(STATUS)
            await state(one, "clash")
            await state(other, "clash")
            assert [r.getMessage() for r in log.records if r.levelno == logging.WARNING] == [
                "another analyzer publishes as node hall; give each a --node of its own"
            ] * 2
        # The one that leaves says offline; the one that stays says otherwise.
        at = await subscriber.until(says("v1/availability", "offline"), start=at)
        await is_up(subscriber, start=at)


async def test_a_will_that_comes_late_is_contradicted(broker: Mosquitto) -> None:
    async with broker.subscriber() as subscriber, following(broker.port):
        at = await is_up(subscriber)
        # The will of a former process, whose death the broker notices only now.
        await subscriber.client.publish("stream-analyzer/hall/v1/availability", "offline", qos=1, retain=True)
        at = await subscriber.until(says("v1/availability", "offline"), start=at)
        await is_up(subscriber, start=at)


@pytest.mark.parametrize("nonsense", [b"", b"\xff\x00", b"[]", b"{}", b'{"session": 3, "x": ' + b"[" * 99_999])
async def test_nonsense_in_our_topics_harms_nothing(broker: Mosquitto, nonsense: bytes) -> None:
    async with broker.subscriber() as subscriber, following(broker.port) as (analyzer, sink):
        await is_up(subscriber)
        for topic in ("status", "availability"):
            await subscriber.client.publish(f"stream-analyzer/hall/v1/{topic}", nonsense, qos=1)
        payload = analyzer.publish(STATUS)
        await subscriber.until(says("v1/status", payload))
        assert sink.broker_state() == "up"


async def test_a_broker_that_hangs_is_left_and_found_again(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_analyzer.serving.mqtt.sink._ANSWER_LIMIT_S", 0.2)
    async with following(broker.port) as (analyzer, sink):
        await state(sink, "up")
        broker.freeze()
        analyzer.publish(tempo(100.0))
        await state(sink, "down")
        latest = analyzer.publish(tempo(101.0))
        broker.thaw()
        await state(sink, "up")
        async with broker.subscriber() as subscriber:
            await subscriber.until(says("v1/tempo", latest))


# Who may connect.


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(tmp_path: Path, authority: trustme.CA) -> Iterator[Mosquitto]:
    """A broker with TLS that wants a client certificate."""
    with Mosquitto(tmp_path, *tls_lines(tmp_path, authority), "require_certificate true") as broker:
        yield broker


def tls_lines(folder: Path, authority: trustme.CA) -> list[str]:
    server = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    server.private_key_pem.write_to_path(folder / "server.key")
    server.cert_chain_pems[0].write_to_path(folder / "server.pem")
    client = authority.issue_cert("analyzer@hall.example")
    client.private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
    client.private_key_pem.write_to_path(folder / "client.key")
    return [f"cafile {folder}/ca.pem", f"certfile {folder}/server.pem", f"keyfile {folder}/server.key"]


async def refused(port: int, log: pytest.LogCaptureFixture, **more: Any) -> str:
    """Return the one line that says why a sink does not get in."""
    log.clear()
    async with following(port, **more) as (_, sink):
        async with asyncio.timeout(30.0):
            while not log.records:
                await asyncio.sleep(0.01)
        assert sink.broker_state() == "down"
    assert all(record.levelno == logging.WARNING for record in log.records)
    (line,) = {record.getMessage() for record in log.records}
    return line


async def test_a_client_certificate_opens_the_door(secure: Mosquitto, tmp_path: Path) -> None:
    ca, both = tmp_path / "ca.pem", tmp_path / "client.pem"
    for certificate, key in ((both, None), (both, tmp_path / "client.key")):
        tls = tls_context(ca=ca, certificate=certificate, key=key)
        async with broker_up(secure, tls) as (analyzer, subscriber):
            payload = analyzer.publish(STATUS)
            await subscriber.until(says("v1/status", payload))


@asynccontextmanager
async def broker_up(broker: Mosquitto, tls: ssl.SSLContext) -> AsyncIterator[tuple[Analyzer, Subscriber]]:
    async with broker.subscriber(tls=tls) as subscriber, following(broker.port, tls=tls) as (analyzer, _):
        await is_up(subscriber)
        yield analyzer, subscriber


async def test_who_shows_no_certificate_is_told(
    secure: Mosquitto, tmp_path: Path, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_analyzer.serving.mqtt.sink._ANSWER_LIMIT_S", 0.5)
    tls = tls_context(ca=tmp_path / "ca.pem", certificate=None, key=None)
    assert "want a client certificate" in await refused(secure.port, log, tls=tls)
    assert "speak TLS" in await refused(secure.port, log)


@paho_leaves_sockets
async def test_a_broker_that_nobody_vouches_for_is_refused(
    secure: Mosquitto, tmp_path: Path, log: pytest.LogCaptureFixture
) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    for ca in (tmp_path / "other.pem", None):
        line = await refused(secure.port, log, tls=tls_context(ca=ca, certificate=None, key=None))
        assert "certificate verify failed" in line
        assert "is mqtt_ca the authority that signed" in line


@paho_leaves_sockets
async def test_a_certificate_for_another_name_is_refused(
    tmp_path: Path, authority: trustme.CA, log: pytest.LogCaptureFixture
) -> None:
    lines = tls_lines(tmp_path, authority)
    authority.issue_cert("elsewhere.example").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    (tmp_path / "server.key").write_bytes((tmp_path / "server.pem").read_bytes())
    tls = tls_context(ca=tmp_path / "ca.pem", certificate=None, key=None)
    with Mosquitto(tmp_path, *lines) as broker:
        assert "IP address mismatch" in await refused(broker.port, log, tls=tls)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that lets `dj` in alone."""
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "dj", PASSWORD], check=True)
    with Mosquitto(tmp_path, "allow_anonymous false", f"password_file {passwords}") as broker:
        yield broker


async def test_user_and_password(guarded: Mosquitto, log: pytest.LogCaptureFixture) -> None:
    for user, password in (("dj", "guess"), ("", "")):
        line = await refused(guarded.port, log, user=user, password=password)
        assert "Not authorized (check mqtt_user and mqtt_password)" in line
        assert "guess" not in line
    async with (
        guarded.subscriber(user="dj") as subscriber,
        following(guarded.port, user="dj", password=PASSWORD) as (analyzer, _),
    ):
        await is_up(subscriber)
        payload = analyzer.publish(STATUS)
        await subscriber.until(says("v1/status", payload))


@pytest.mark.parametrize("broken", ["ca", "certificate", "key", "locked key", "other key"])
def test_files_that_are_no_certificates(tmp_path: Path, authority: trustme.CA, broken: str) -> None:
    tls_lines(tmp_path, authority)
    names = {"ca": "ca.pem", "certificate": "client.pem", "key": "client.key"}
    files = {role: tmp_path / name for role, name in names.items()}
    if broken == "locked key":
        files["key"].write_text("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n")
    elif broken == "other key":
        files["key"] = tmp_path / "server.key"
    else:
        files[broken].write_text("no certificate\n")
    with pytest.raises(ConfigError, match=r"^mqtt_\w+ = .*can't be used: .+; (it|they) must"):
        tls_context(**files)


def test_the_host_gives_a_name_that_fits_in_a_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    for host, node in (("laptop", "laptop"), ("Mixing Desk/2 #+ö.local", "Mixing-Desk-2-local"), ("+", "analyzer")):
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        assert host_node() == node


def configs(messages: list[Any]) -> list[str]:
    """Return the topics of discovery messages that are there and not emptied."""
    return [m.topic.value for m in messages if m.topic.value.endswith("/config") and m.payload]


async def test_home_assistant_that_starts_is_told_again(broker: Mosquitto) -> None:
    async with broker.subscriber() as watching, following(broker.port, discovery_prefix="ha"):
        await is_up(watching)
        topic = "ha/device/stream_analyzer_hall/config"
        assert configs(watching.messages) == [topic]
        await watching.client.publish(topic, "", qos=1, retain=True)  # someone has deleted it
        at = await watching.until(says("/config", ""))
        await watching.client.publish("ha/status", "offline", qos=1)
        await watching.client.publish("ha/status", "online", qos=1)
        await watching.until(says("/config"), start=at)
        assert (await kept(broker))["config"]


@pytest.mark.parametrize("prefix", [None, "ha", "home/assistant"])
async def test_discovery_of_another_prefix_is_taken_back(broker: Mosquitto, prefix: str | None) -> None:
    async with broker.subscriber() as watching:
        async with following(broker.port, discovery_prefix="homeassistant"):
            await watching.until(says("homeassistant/device/stream_analyzer_hall/config"))
        await watching.client.publish("two/levels/device/stream_analyzer_hall/config", "{}", qos=1, retain=True)
        async with following(broker.port, node="bar", discovery_prefix="homeassistant"):
            at = await watching.until(says("homeassistant/device/stream_analyzer_bar/config"))
        async with following(broker.port, discovery_prefix=prefix):
            for before in ("homeassistant", "two/levels"):
                await watching.until(says(f"{before}/device/stream_analyzer_hall/config", ""), start=at)
            if prefix:
                await watching.until(says(f"{prefix}/device/stream_analyzer_hall/config"), start=at)
            async with broker.subscriber("#") as late:
                await late.client.publish("mark", "x", qos=1)
                await late.until(says("mark"))
                ours = [f"{prefix}/device/stream_analyzer_hall/config"] * bool(prefix)
                assert sorted(configs(late.messages)) == sorted(
                    [*ours, "homeassistant/device/stream_analyzer_bar/config"]
                )
