"""Devices as they really behave, on a stand-in for PortAudio: they come late, and come back as something else."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from stream_analyzer.errors import AudioError
from stream_analyzer.sound.device import rate
from stream_analyzer.sound.device import source as device_source
from stream_analyzer.sound.device.source import DeviceSource
from stream_analyzer.sound.queue import BlockQueue, Item, SourceChanged, SourceLost
from stream_analyzer.sound.source import SourceInfo
from stream_analyzer.types import AudioBlock
from tests.support.inputs import Input, Inputs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

LOST_AFTER_S = 0.3
BUILT_IN = Input("HDA Intel: ALC (hw:0,0)", default=True)
USB = Input("USB Audio CODEC: - (hw:1,0)")


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inputs:
    """Inputs of this process, whose loss is noticed soon and who are searched for often."""
    inputs = Inputs(tmp_path)
    path, _, _ = inputs.env["PYTHONPATH"].partition(":")
    monkeypatch.setenv("STAND_IN_INPUTS", inputs.env["STAND_IN_INPUTS"])
    monkeypatch.syspath_prepend(path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(device_source, "LOST_AFTER_S", LOST_AFTER_S)
    monkeypatch.setattr(device_source, "backoff_s", lambda _attempt: 0.02)
    return inputs


class Listening:
    """What a source puts into its queue, in order."""

    def __init__(self, source: DeviceSource) -> None:
        self.info = source.open()
        self.queue = BlockQueue()

    async def until(self, wanted: Callable[[Item], bool]) -> Item:
        """Take items until one is wanted; return it."""
        async with asyncio.timeout(10.0):
            while True:
                item = await self.queue.get()
                assert item is not None
                if wanted(item):
                    return item

    async def until_lost(self, why: str) -> None:
        await self.until(lambda item: isinstance(item, SourceLost) and why in item.detail)

    async def until_sound(self) -> AudioBlock:
        block = await self.until(lambda item: isinstance(item, AudioBlock))
        assert isinstance(block, AudioBlock)
        return block

    async def until_changed(self) -> SourceInfo:
        notice = await self.until(lambda item: isinstance(item, SourceChanged) or _after_a_gap(item))
        assert isinstance(notice, SourceChanged), "the change is told before the sound that it is of"
        return notice.info


def _after_a_gap(item: Item) -> bool:
    return isinstance(item, AudioBlock) and item.lost > 0


@asynccontextmanager
async def listening(
    wanted: str = "", *, rate_hz: int | None = None, channels: int | None = None, patient: bool = True
) -> AsyncIterator[Listening]:
    source = DeviceSource(wanted, rate_hz=rate_hz, channels=channels, listen_to=None, patient=patient)
    heard = Listening(source)
    delivery = asyncio.create_task(source.deliver(heard.queue))
    try:
        yield heard
    finally:
        delivery.cancel()
        await asyncio.gather(delivery, return_exceptions=True)


async def test_a_card_that_comes_back_under_another_number_is_heard_again(inputs: Inputs) -> None:
    inputs.plug(BUILT_IN, USB)
    async with listening("USB Audio") as heard:
        await heard.until_sound()
        inputs.plug(BUILT_IN)
        await heard.until_lost("is gone; inputs here: 0 HDA Intel")
        inputs.plug(BUILT_IN, Input("USB Audio CODEC: - (hw:2,0)"))
        assert await heard.until_changed() == SourceInfo("device", "USB Audio CODEC: - (hw:2,0)", 48_000, 2)
        assert (await heard.until_sound()).lost > 0
        assert (await heard.until_sound()).lost == 0, "the gap is told once"


async def test_a_device_is_not_lost_because_this_process_stood_still(inputs: Inputs) -> None:
    inputs.plug(USB)
    came = asyncio.Event()
    waiting = asyncio.create_task(device_source._wait_for_sound(came))
    await asyncio.sleep(0)
    time.sleep(LOST_AFTER_S + 2 * device_source._STOOD_STILL_S)  # noqa: ASYNC251 - as after SIGSTOP
    asyncio.get_running_loop().call_later(LOST_AFTER_S / 4, came.set)
    await waiting
    with pytest.raises(TimeoutError):
        await device_source._wait_for_sound(asyncio.Event())


@pytest.mark.parametrize(("rate_hz", "channels"), [(44_100, 2), (16_000, 1), (96_000, 8)])
async def test_a_device_that_comes_back_changed_is_read_as_it_is_now(
    inputs: Inputs, rate_hz: int, channels: int
) -> None:
    inputs.plug(USB)
    async with listening("USB Audio") as heard:
        await heard.until_sound()
        inputs.plug(Input(USB.name, rate_hz=rate_hz, channels=channels))
        assert await heard.until_changed() == SourceInfo("device", USB.name, rate_hz, min(2, channels))
        block = await heard.until_sound()
        assert (block.rate_hz, block.samples.shape[1] - block.spare) == (rate_hz, min(2, channels))


async def test_rate_and_channels_that_were_asked_for_are_kept(inputs: Inputs) -> None:
    inputs.plug(USB)
    async with listening("USB Audio", rate_hz=48_000, channels=2) as heard:
        await heard.until_sound()
        inputs.plug(Input(USB.name, channels=1))
        await heard.until_lost("does not deliver 2 channels at 48000 Hz")
        inputs.plug(Input(USB.name, rate_hz=44_100))
        await heard.until_lost("Invalid sample rate")
        inputs.plug(USB)
        await heard.until_sound()


@pytest.mark.parametrize(
    ("device", "channels", "spare"),
    [
        (Input("18i20 USB", channels=8), None, 6),
        (Input("MADI", channels=128), None, 62),
        (Input("18i20 USB", channels=8), 8, 0),
        (Input("18i20 USB", channels=8), 2, 0),
        (Input("pulse", channels=32), None, 0),
        (Input("sysdefault:CARD=USB", channels=128), None, 0),
        (Input("Boasts", channels=8, opens=2), None, 0),
    ],
)
async def test_all_channels_are_looked_at_where_they_are_real(
    inputs: Inputs, device: Input, channels: int | None, spare: int
) -> None:
    inputs.plug(device)
    async with listening(channels=channels) as heard:
        block = await heard.until_sound()
        assert (heard.info.channels, block.spare) == (channels or 2, spare)


async def test_the_other_of_twins_is_not_listened_to(inputs: Inputs) -> None:
    twins = (Input("USB Audio CODEC", serial="A", sounding=()), Input("USB Audio CODEC", serial="B"))
    inputs.plug(*twins)
    async with listening("1") as heard:
        await heard.until_sound()
        inputs.plug(twins[0])
        await heard.until_lost("of 2 devices named USB Audio CODEC not all are here")
        inputs.plug(*twins)
        assert (await heard.until_sound()).samples.any(), "it is B again, for A is mute"


async def test_which_of_several_is_taken_is_said(inputs: Inputs, caplog: pytest.LogCaptureFixture) -> None:
    inputs.plug(Input("USB One"), Input("USB Two"), Input("USB Two", host_api="MME"))
    async with listening("usb") as heard:
        await heard.until_sound()
    assert [r.getMessage() for r in caplog.records] == ["listening to 0 USB One; 'usb' fits 1 USB Two too"]


async def test_a_device_that_comes_late_is_waited_for(inputs: Inputs) -> None:
    async with listening("USB Audio") as heard:
        assert heard.info == SourceInfo("device", "USB Audio", 0, 0)
        await heard.until_lost("no sound device 'USB Audio'; inputs here: none; looking for it")
        inputs.plug(BUILT_IN)
        await heard.until_lost("inputs here: 0 HDA Intel")
        inputs.plug(BUILT_IN, USB)
        assert await heard.until_changed() == SourceInfo("device", USB.name, 48_000, 2)
        await heard.until_sound()


@pytest.mark.parametrize(("here", "code"), [((), 3), ((BUILT_IN,), 2)])
def test_an_impatient_source_says_at_once_what_is_missing(inputs: Inputs, here: tuple[Input, ...], code: int) -> None:
    inputs.plug(*here)
    source = DeviceSource("USB Audio", rate_hz=None, channels=None, listen_to=None, patient=False)
    with pytest.raises(AudioError, match="no sound device 'USB Audio'") as caught:
        source.open()
    assert caught.value.exit_code == code


async def test_a_sound_system_that_is_down_is_waited_for(inputs: Inputs) -> None:
    inputs.plug(USB)
    async with listening("USB Audio") as heard:
        await heard.until_sound()
        inputs.take_sound_system_down()
        for _ in range(3):  # PortAudio that has not started can't be ended either
            await heard.until_lost("PortAudio does not start: initializing PortAudio: Unanticipated host error")
        inputs.plug(USB)
        await heard.until_sound()


async def test_a_device_is_read_at_the_rate_that_it_delivers(
    inputs: Inputs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rate, "WINDOW_S", 1.5)
    monkeypatch.setattr(rate, "_NEAR", 0.04)  # a window is short here, and threads are late
    inputs.plug(Input("Aggregate", rate_hz=48_000, delivers_hz=32_000))
    async with listening() as heard:
        assert heard.info.rate_hz == 48_000
        notice = await heard.until(lambda item: isinstance(item, SourceChanged))
        assert notice == SourceChanged(SourceInfo("device", "Aggregate", 32_000, 2))
        assert (await heard.until_sound()).rate_hz == 32_000
    assert "Aggregate says 48000 samples a second, but does not deliver so many" in caplog.text
