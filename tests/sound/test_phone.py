"""A phone's microphone as a source: frames to the byte, gaps, a phone that goes and comes, one at a time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_analyzer.errors import ProtocolError
from stream_analyzer.sound import phone
from stream_analyzer.sound.phone import HEADER, PhoneSource, decode
from stream_analyzer.sound.queue import BlockQueue, SourceChanged, SourceLost
from stream_analyzer.types import AudioBlock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RATE_HZ = 48_000


def frame(count: int = 960, *, at: int = 0, channels: int = 1, rate_hz: int = RATE_HZ, value: int = 16_384) -> bytes:
    return HEADER.pack(1, 2, channels, rate_hz, at) + np.full(count * channels, value, "<i2").tobytes()


@asynccontextmanager
async def heard() -> AsyncIterator[tuple[PhoneSource, BlockQueue]]:
    source, queue = PhoneSource(), BlockQueue()
    delivery = asyncio.create_task(source.deliver(queue))
    await asyncio.sleep(0)
    first = await queue.get()
    assert isinstance(first, SourceLost)
    assert "open /mic" in first.detail
    try:
        yield source, queue
    finally:
        delivery.cancel()
        await asyncio.gather(delivery, return_exceptions=True)


async def blocks(queue: BlockQueue, count: int) -> list[AudioBlock]:
    found: list[AudioBlock] = []
    async with asyncio.timeout(10.0):
        while len(found) < count:
            item = await queue.get()
            if isinstance(item, AudioBlock):
                found.append(item)
    return found


async def test_sound_comes_as_it_was_sent() -> None:
    async with heard() as (source, queue):
        assert source.begin()
        source.take(frame(channels=2))
        changed = await queue.get()
        assert isinstance(changed, SourceChanged)
        assert (changed.info.kind, changed.info.rate_hz, changed.info.channels) == ("phone", RATE_HZ, 2)
        block = (await blocks(queue, 1))[0]
        assert block.samples.shape == (960, 2)
        assert set(block.samples.ravel()) == {np.float32(0.5)}


async def test_what_was_left_out_is_counted() -> None:
    async with heard() as (source, queue):
        source.begin()
        source.take(frame(at=1000))
        source.take(frame(at=1960))
        source.take(frame(at=4800))
        assert [block.lost for block in await blocks(queue, 3)] == [0, 0, 4800 - 2920]
        with pytest.raises(ProtocolError, match="counted before"):
            source.take(frame(at=0))


async def test_a_phone_that_falls_silent_is_lost_and_its_return_tells_the_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone, "LOST_AFTER_S", 0.1)
    async with heard() as (source, queue):
        source.begin()
        source.take(frame())
        await blocks(queue, 1)
        async with asyncio.timeout(10.0):
            assert isinstance(await queue.get(), SourceLost)
        source.end()
        assert source.begin()
        source.take(frame())
        assert (await blocks(queue, 1))[0].lost >= 0.08 * RATE_HZ


async def test_one_phone_at_a_time() -> None:
    source = PhoneSource()
    assert source.begin()
    assert not source.begin()
    source.end()
    assert source.begin()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("text", "binary"),
        (b"short", "binary"),
        (HEADER.pack(2, 2, 1, RATE_HZ, 0) + b"\0\0", "version 2"),
        (HEADER.pack(1, 1, 1, RATE_HZ, 0) + b"\0\0", "kind 1"),
        (frame(channels=3), "3 channels"),
        (frame(rate_hz=1), "1 Hz"),
        (frame(0), "0 bytes"),
        (frame() + b"\0", "no whole samples"),
    ],
)
def test_what_is_no_sound_is_refused(data: bytes | str, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        decode(data)


@given(st.binary(max_size=100))
def test_any_bytes_are_sound_or_refused(data: bytes) -> None:
    with suppress(ProtocolError):
        assert np.abs(decode(data).block.samples).max() <= 1.0
