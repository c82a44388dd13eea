"""Several inputs at once: each has its own stream, one that ends or is lost leaves the others alone."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import pytest
import soundfile

from stream_analyzer.client import subscribe
from stream_analyzer.errors import AudioError, ConfigError
from stream_analyzer.listening import Input
from stream_analyzer.protocol.kinds import Hello
from stream_analyzer.sound.queue import SourceLost
from stream_analyzer.sound.source import SourceInfo
from tests.support.fakes import make_fakes
from tests.support.inputs import Input as Plugged
from tests.support.inputs import Inputs
from tests.support.real_process import Client, on_terminal, run_command, serve, state_is
from tests.support.running import Metronome, running_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from stream_analyzer.sound.queue import BlockQueue
    from tests.support.real_process import Json

A, B = Plugged("Deck A: USB (hw:1,0)"), Plugged("Deck B: USB (hw:2,0)")


class Lost(Metronome):
    """A metronome that stops delivering when it is told to, and says so."""

    def __init__(self) -> None:
        """Play."""
        self.cut = asyncio.Event()

    async def deliver(self, queue: BlockQueue) -> None:
        """Play until the cable is cut."""
        playing = asyncio.create_task(super().deliver(queue))
        await self.cut.wait()
        playing.cancel()
        queue.put(SourceLost("the cable is cut"))
        await asyncio.Event().wait()


class Broken(Metronome):
    """A source that fails at once."""

    async def deliver(self, queue: BlockQueue) -> None:  # noqa: ARG002 - as the protocol has it
        """Fail."""
        msg = "nothing to hear"
        raise AudioError(msg)


@asynccontextmanager
async def two(first: Metronome) -> AsyncIterator[tuple[Client, Client]]:
    """Run a source beside a metronome, and follow both."""
    inputs = [Input("deckA", first, make_fakes()), Input("deckB", Metronome(), make_fakes())]
    async with (
        running_all(inputs) as address,
        Client.at(address) as one,
        Client.at(address, "?input=deckB") as other,
    ):
        yield one, other


async def answer(address: str, path: str) -> Any:
    def ask() -> Any:
        with urlopen(f"http://{address}{path}") as found:
            return json.loads(found.read())

    return await asyncio.to_thread(ask)


async def test_each_input_has_its_own_stream_and_the_first_is_the_default(
    validate: Callable[[Json], None],
) -> None:
    inputs = [Input(name, Metronome(), make_fakes()) for name in ("deckA", "deckB")]
    async with running_all(inputs) as address:
        async with Client.at(address) as plain, Client.at(address, "?input=deckB") as second:
            for client, name in ((plain, "deckA"), (second, "deckB")):
                await client.until(lambda message: message["type"] == "level")
                hello = client.messages[0]
                assert (hello["data"]["input"], hello["data"]["inputs"]) == (name, ["deckA", "deckB"])
                assert {message["input"] for message in client.messages} == {name}
                for message in client.messages:
                    validate(message)
            assert plain.messages[0]["session"] != second.messages[0]["session"]
        timeline = await answer(address, "/timeline?input=deckB")
        assert timeline["session"] == second.messages[0]["session"]
        assert set((await answer(address, "/health"))["inputs"]) == {"deckA", "deckB"}
        with pytest.raises(HTTPError, match="400"):
            await answer(address, "/timeline?input=deckC")


async def test_clients_follow_the_input_they_name() -> None:
    inputs = [Input(name, Metronome(), make_fakes()) for name in ("deckA", "deckB")]
    async with running_all(inputs) as address, aclosing(subscribe(address, input_name="deckB")) as stream:
        async for received in stream:
            if isinstance(received.event, Hello):
                assert (received.event.input, received.event.inputs) == ("deckB", ("deckA", "deckB"))
                break
        with pytest.raises(ConfigError, match="there is no input deckC; known are deckA, deckB"):
            await anext(subscribe(address, input_name="deckC"))
        with pytest.raises(ConfigError, match="must be the name of an input"):
            subscribe(address, input_name="deck C")


async def test_an_input_that_is_lost_leaves_the_other_alone() -> None:
    lost = Lost()
    async with two(lost) as (one, other):
        await one.until(lambda message: message["type"] == "level")
        at = await other.until(lambda message: message["type"] == "level")
        lost.cut.set()
        await one.until(state_is("device_lost"))
        at = await other.until(lambda message: message["type"] == "level", start=at + 5)
        levels = [message for message in other.messages if message["type"] == "level"]
        steps = np.diff([message["nth"] for message in levels]), np.diff([message["time_s"] for message in levels])
        assert set(steps[0]) == {1}
        np.testing.assert_allclose(steps[1], 0.1, atol=1e-6)
        assert other.last("status")["state"] != "device_lost"


async def test_an_input_that_fails_leaves_the_other_alone() -> None:
    async with two(Broken()) as (one, other):
        at = await one.until(state_is("ended"))
        await other.until(lambda message: message["type"] == "level")
        await one.until(state_is("ended"), start=at)  # said again, so that the line is known to live


def test_files_with_names_end_with_the_last_of_them_and_json_names_each(song: Path, tmp_path: Path) -> None:
    samples, rate_hz = soundfile.read(song, dtype="float32")
    both = tmp_path / "both.wav"
    soundfile.write(both, np.hstack([samples, 0.0 * samples]), rate_hz)
    done = run_command("run", "--port", "0", "--json", "--speed", "0",
                       "--input", f"deckA={both}#1-2", "--input", f"deckB={both}#3-4")  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = {line["input"]: line["data"] for line in lines if line["type"] == "summary"}
    assert found["deckA"]["tempo"]
    assert found["deckB"]["tempo"] is None, "its channels are silent"
    hello = {line["input"]: line["data"]["source"] for line in lines if line["type"] == "hello"}
    assert {source["channels"] for source in hello.values()} == {2}
    for name in ("deckA", "deckB"):
        seqs = [line["seq"] for line in lines if line["input"] == name and line["type"] != "hello"]
        assert len(set(seqs)) == len(seqs), "no message is there twice"


async def test_two_devices_one_of_which_is_pulled_and_comes_back(tmp_path: Path) -> None:
    plugged = Inputs(tmp_path, A, B)
    with serve("--input", "one=device:Deck A", "--input", "two=device:Deck B", env=plugged.env) as service:
        async with service.listen() as one, service.listen(query="?input=two") as two:
            await one.until(state_is("warming"))
            at = await two.until(state_is("warming"))
            plugged.plug(B)
            await one.until(state_is("device_lost"))
            assert "in its old place, while another device is captured" in one.last("status")["detail"]
            plugged.plug(A, B)
            await one.until(lambda message: message["type"] == "level", start=len(one.messages))
            end_s = two.messages[-1]["time_s"] + 3.0
            await two.until(lambda message: message["type"] == "level" and message["time_s"] > end_s, start=at)
            assert two.last("status")["lost_s"] == 0.0
            assert not [m for m in two.messages if m["type"] == "status" and m["data"]["state"] == "device_lost"]


async def test_one_interface_is_captured_once_for_two_decks(tmp_path: Path) -> None:
    plugged = Inputs(tmp_path, Plugged("18i20 USB", channels=8, sounding=(3, 4), default=True))
    with serve("--input", "A=device:18i20#1-2", "--input", "B=device:18i20#3-4", env=plugged.env) as service:
        async with service.listen() as one, service.listen(query="?input=B") as two:
            await one.until(state_is("silent"))
            assert one.last("status")["silence"] == "zeros", "what the other deck plays is not elsewhere"
            await two.until(lambda message: message["type"] == "level" and message["data"]["rms_dbfs"] > -40)
            assert one.messages[0]["data"]["source"]["channels"] == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["A=demo", "demo"], "of several inputs each has one"),
        (["A=demo", "A=demo"], "two inputs are named A"),
        (["A b=demo", "c=demo"], "letters, digits, - and _"),
        (["A=demo#0", "B=demo"], "input A: channel = '0' must be mix"),
        (["A=demo#2-1", "B=demo"], "must be mix"),
        (["A=demo#5-6", "B=demo#1-2"], "input A: channel 6 is asked for, but"),
        (["A=demo", "B=/no/such/file.wav"], "input B: /no/such/file.wav"),
    ],
)
def test_what_is_wrong_with_an_input_is_said_in_one_line(arguments: list[str], expected: str) -> None:
    done = run_command("run", "--port", "0", *(part for one in arguments for part in ("--input", one)))
    assert done.returncode in (2, 3)
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("device:Deck Z", "input two: no sound device 'Deck Z'"),
        ("device:Deck B#3-4", "input two: device 1 Deck B: USB (hw:2,0) does not deliver 4 channels at 48000 Hz"),
    ],
)
async def test_what_a_device_does_not_have_is_named_with_its_input(tmp_path: Path, wanted: str, expected: str) -> None:
    plugged = Inputs(tmp_path, A, B)
    with on_terminal("--input", "one=device:Deck A", "--input", f"two={wanted}", env=plugged.env) as service:
        code = await asyncio.to_thread(service.process.wait, 20)
        async with asyncio.timeout(10):
            while not any(expected in line for line in service.said):
                await asyncio.sleep(0.01)
    assert code in (2, 3)


def test_source_info_of_a_share_is_that_of_its_channels() -> None:
    from stream_analyzer.sound.split import Share, SplitSource

    class Four:
        live = True

        def open(self) -> SourceInfo:
            return SourceInfo("device", "four", 48_000, 4)

        async def deliver(self, queue: BlockQueue) -> None:
            """Deliver nothing."""

    split = SplitSource(Four())
    assert Share(split, (3, 3)).open().channels == 1
    assert Share(split, None).open().channels == 4
