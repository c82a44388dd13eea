"""Where the sound is, with the real process and a stand-in for PortAudio: elsewhere, nowhere, not as before."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests.support.inputs import Input, Inputs
from tests.support.real_process import Service, serve, state_is

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.real_process import Json

INTERFACE = Input("18i20 USB", channels=8, sounding=(7,), default=True)


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    return Inputs(tmp_path)


def silence_is(cause: str) -> Callable[[Json], bool]:
    return lambda message: message["type"] == "status" and message["data"]["silence"] == cause


def metrics(service: Service) -> list[str]:
    with urlopen(f"http://{service.address}/metrics") as answer:
        lines: list[str] = answer.read().decode().splitlines()
    return lines


async def test_sound_on_channel_7_of_8_is_named(inputs: Inputs, validate: Callable[[Json], None]) -> None:
    inputs.plug(INTERFACE)
    with serve(env=inputs.env) as service:
        async with service.listen() as client:
            await client.until(silence_is("elsewhere"))
            assert client.messages[0]["data"]["source"]["channels"] == 2, "two are listened to, as before"
            status = client.last("status")
            assert (status["state"], status["sound_on"]) == ("silent", 7)
            assert "--channel 7" in status["detail"]
            validate(client.messages[-1])
            assert {
                'stream_analyzer_silence{state="elsewhere"} 1.0',
                "stream_analyzer_sound_on_channel 7.0",
            } <= set(metrics(service))


async def test_the_channel_that_is_named_is_heard(inputs: Inputs) -> None:
    inputs.plug(INTERFACE)
    with serve("--channel", "7", env=inputs.env) as service:
        async with service.listen() as client:
            await client.until(state_is("warming"))
            assert client.last("level")["rms_dbfs"] > -40


async def test_a_page_on_this_machine_may_listen_to_the_channel_that_is_named(inputs: Inputs) -> None:
    inputs.plug(INTERFACE)
    with serve(env=inputs.env) as service:
        origin = f"http://{service.address}"
        async with service.listen(origin=origin) as client:
            at = await client.until(silence_is("elsewhere"))
            for nonsense in (
                "7",
                "[]",
                '{"listen_to": "7"}',
                '{"listen_to": 0}',
                '{"listen_to": 9}',
                '{"listen_to": true}',
            ):
                await client.send(nonsense)
            await client.send('{"listen_to": 7}')
            at = await client.until(lambda m: m["type"] == "hello", start=at)
            assert client.messages[at - 1]["data"]["source"]["channels"] == 7
            at = await client.until(lambda m: m["type"] == "level" and m["data"]["rms_dbfs"] > -40, start=at)
            at = await client.until(state_is("warming"), start=at)
            inputs.plug()
            at = await client.until(state_is("device_lost"), start=at)
            inputs.plug(INTERFACE)
            await client.until(lambda m: m["type"] == "level" and m["data"]["rms_dbfs"] > -40, start=at)
        assert any("listening to channel 7 of 18i20 USB" in line for line in service.said)


@pytest.mark.parametrize("origin", [None, "http://listed.example"])
async def test_who_may_look_may_not_steer(inputs: Inputs, origin: str | None) -> None:
    inputs.plug(INTERFACE)
    with serve("--origins", "http://listed.example", env=inputs.env) as service:
        async with service.listen(origin=origin) as client:
            at = await client.until(silence_is("elsewhere"))
            await client.send('{"listen_to": 7}')
            for _ in range(2):
                at = await client.until(silence_is("elsewhere"), start=at)
            assert [m["type"] for m in client.messages].count("hello") == 1


async def test_nobody_steers_what_others_can_reach(inputs: Inputs) -> None:
    inputs.plug(INTERFACE)
    token = "correct-horse-battery-staple"  # noqa: S105 - a test's
    everywhere = "0.0.0.0"  # noqa: S104 - what is tested
    with serve("--host", everywhere, env=inputs.env | {"STREAM_ANALYZER_TOKEN": token}) as service:
        port = service.address.rpartition(":")[2]
        service.address = f"127.0.0.1:{port}"
        bearer = {"Authorization": f"Bearer {token}"}
        async with service.listen(origin=f"http://127.0.0.1:{port}", additional_headers=bearer) as client:
            at = await client.until(silence_is("elsewhere"))
            await client.send('{"listen_to": 7}')
            for _ in range(2):
                at = await client.until(silence_is("elsewhere"), start=at)
            assert [m["type"] for m in client.messages].count("hello") == 1


async def test_exact_zeros_are_told_from_quiet(inputs: Inputs) -> None:
    inputs.plug(Input("MacBook Pro Microphone", channels=1, sounding=(), default=True))
    with serve(env=inputs.env) as service:
        async with service.listen() as client:
            at = await client.until(silence_is("zeros"))
            assert 'stream_analyzer_silence{state="zeros"} 1.0' in metrics(service)
            quiet = Input("MacBook Pro Microphone", channels=1, sounding=(1,), amplitude=0.0003, default=True)
            inputs.plug(quiet)
            at = await client.until(state_is("device_lost"), start=at)
            await client.until(silence_is("quiet"), start=at)


async def test_a_device_that_comes_back_changed_is_told_by_another_hello(
    inputs: Inputs, validate: Callable[[Json], None]
) -> None:
    inputs.plug(Input("USB Audio: - (hw:1,0)"))
    with serve("--device", "USB Audio", env=inputs.env) as service:
        async with service.listen() as client:
            at = await client.until(state_is("warming"))
            inputs.plug()
            at = await client.until(state_is("device_lost"), start=at)
            inputs.plug(Input("USB Audio: - (hw:2,0)", rate_hz=16_000, channels=1, sounding=(1,)))
            at = await client.until(lambda m: m["type"] == "hello", start=at)
            hello, again = client.messages[0], client.messages[at - 1]
            validate(again)
            source = {"kind": "device", "name": "USB Audio: - (hw:2,0)", "rate_hz": 16_000, "channels": 1}
            assert again == hello | {"data": hello["data"] | {"source": source}}
            await client.until(state_is("warming"), start=at)
        async with service.listen() as late:
            await late.until(lambda m: m["type"] == "status")
            assert late.messages[0] == again, "who comes later is greeted so too"
            assert [m["type"] for m in late.messages].count("hello") == 1
