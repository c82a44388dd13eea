"""A start that nobody watches: the demo is for people alone, a device may come later, errors have their exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.inputs import Input, Inputs
from tests.support.real_process import on_terminal, serve, state_is

if TYPE_CHECKING:
    from pathlib import Path

USB = Input("USB Audio CODEC: - (hw:1,0)", default=True)


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    return Inputs(tmp_path)


@pytest.mark.parametrize("asked", [(), ("--input", "device"), ("--device", "USB Audio")])
async def test_nobody_watches_and_a_device_that_comes_late_is_heard(inputs: Inputs, asked: tuple[str, ...]) -> None:
    with serve(*asked, env=inputs.env) as service:
        async with service.listen() as client:
            at = await client.until(state_is("device_lost"))
            assert client.messages[0]["data"]["source"]["kind"] == "device"
            inputs.plug(USB)
            await client.until(state_is("warming"), start=at)
            assert not any(m["type"] == "level" for m in client.messages[:at]), "nothing was heard before"


@pytest.mark.parametrize("sink", [("--json",), ("--osc", "127.0.0.1:9"), ("--mqtt", "mqtt://127.0.0.1:9")])
async def test_on_a_terminal_other_programs_get_no_demo(inputs: Inputs, sink: tuple[str, ...]) -> None:
    with on_terminal(*sink, env=inputs.env) as service:
        service.wait_until_up()
        async with service.listen() as client:
            await client.until(state_is("device_lost"))


async def test_a_person_at_a_terminal_gets_the_demo_and_is_told(inputs: Inputs) -> None:
    with on_terminal(env=inputs.env) as service:
        service.wait_until_up()
        assert "No sound device (no sound device with an input here); playing the bundled demo set" in service.said[0]
        async with service.listen() as client:
            await client.until(lambda m: m["type"] == "level")
            assert client.messages[0]["data"]["source"]["kind"] == "demo"


@pytest.mark.parametrize(
    ("asked", "here", "code"),
    [(("--input", "device"), (), 3), (("--device", "USB"), (), 3), (("--device", "Line"), (USB,), 2)],
)
def test_a_person_at_a_terminal_gets_an_error_at_once(
    inputs: Inputs, asked: tuple[str, ...], here: tuple[Input, ...], code: int
) -> None:
    inputs.plug(*here)
    with on_terminal(*asked, env=inputs.env) as service:
        assert service.process.wait(30.0) == code
