"""The bounded queues: sound dropped is counted, viewers get the newest, logs get all, nobody waits for a viewer."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from stream_analyzer.protocol.encode import Message
from stream_analyzer.serving.hub import Complete, Hub, Newest
from stream_analyzer.sound.queue import BlockQueue, SourceLost
from stream_analyzer.types import AudioBlock, Beat

HELLO = Message("hello", "hello")


def block(seconds: float = 1.0, *, lost: int = 0, rate_hz: int = 100) -> AudioBlock:
    return AudioBlock(np.zeros((round(seconds * rate_hz), 1), np.float32), rate_hz, lost=lost)


def message(kind: str, number: int) -> Message:
    return Message(kind, f"{kind} {number}")


async def test_blocks_come_out_in_order_and_then_the_end() -> None:
    queue = BlockQueue()
    first, lost, second = block(), SourceLost("gone"), block()
    for item in (first, lost, second):
        queue.put(item)
    queue.close()
    assert [await queue.get() for _ in range(4)] == [first, lost, second, None]


async def test_the_oldest_sound_is_dropped_and_counted() -> None:
    queue = BlockQueue(limit_s=2.5)
    for _ in range(6):
        queue.put(block(lost=3))
    assert queue.waiting_s == pytest.approx(2.0)
    item = await queue.get()
    assert isinstance(item, AudioBlock)
    assert item.lost == 4 * 103 + 3, "at the third and the fifth, down to half the limit each"
    assert (queue.taken, queue.dropped) == (6, 4)


async def test_dropping_counts_across_rates_and_keeps_notices() -> None:
    queue = BlockQueue(limit_s=1.5)
    queue.put(SourceLost("gone"))
    queue.put(block(rate_hz=100))
    queue.put(block(0.6, rate_hz=200))
    assert await queue.get() == SourceLost("gone")
    item = await queue.get()
    assert isinstance(item, AudioBlock)
    assert (item.lost, item.rate_hz) == (200, 200)


async def test_one_block_longer_than_the_limit_is_kept() -> None:
    queue = BlockQueue(limit_s=0.5)
    queue.put(block(3.0))
    assert isinstance(await queue.get(), AudioBlock)


async def test_a_source_that_can_wait_loses_nothing() -> None:
    queue = BlockQueue(limit_s=2.0)

    async def deliver() -> None:
        for _ in range(50):
            await queue.put_when_room(block(0.3))
        queue.close()

    delivery = asyncio.create_task(deliver())
    seconds, most = 0.0, 0.0
    while (item := await queue.get()) is not None:
        assert isinstance(item, AudioBlock)
        assert item.lost == 0
        seconds += item.duration_s
        most = max(most, queue.waiting_s)
    await delivery
    assert seconds == pytest.approx(15.0)
    assert most <= 2.0


async def test_a_viewer_that_lags_gets_the_newest_of_each_kind() -> None:
    hub = Hub(HELLO)
    with hub.subscribe(Newest()) as box:
        for number in range(5):
            hub.publish(message("tempo", number))
            hub.publish(message("level", number))
        taken = await box.take()
        assert [m.payload for m in taken] == ["hello", "tempo 4", "level 4"]
        assert box.dropped == 8
        hub.publish(message("tempo", 5))
        assert [m.payload for m in await box.take()] == ["tempo 5"]


async def test_a_late_joiner_gets_hello_and_the_last_of_each_kind() -> None:
    hub = Hub(HELLO)
    hub.publish(message("tempo", 1))
    hub.publish(message("tempo", 2))
    hub.publish(Message("beat", "an old beat", event=Beat(1.0, 0.9, 1, 4, 0.9, 1.4, 120.0)))
    with hub.subscribe(Newest()) as box:
        assert [m.payload for m in await box.take()] == ["hello", "tempo 2"]


async def test_a_complete_box_gets_all_and_holds_a_patient_source_up() -> None:
    hub = Hub(HELLO)
    with hub.subscribe(Complete(limit=10)) as box:
        for number in range(8):
            hub.publish(message("level", number))
        waiting = asyncio.create_task(hub.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        assert len(await box.take()) == 9
        await waiting
        assert box.dropped == 0


async def test_a_full_complete_box_drops_the_oldest_and_counts() -> None:
    hub = Hub(HELLO)
    with hub.subscribe(Complete(limit=3)) as box:
        for number in range(5):
            hub.publish(message("level", number))
        assert [m.payload for m in await box.take()] == ["level 2", "level 3", "level 4"]
        assert box.dropped == 3


@pytest.mark.parametrize("box", [Newest(), Complete()], ids=["newest", "complete"])
async def test_a_closed_box_gives_what_it_holds_and_then_nothing(box: Newest | Complete) -> None:
    hub = Hub(HELLO)
    with hub.subscribe(box):
        hub.close()
        await hub.room()
        assert await box.take() == [HELLO]
        assert await box.take() == []


async def test_who_comes_after_the_end_gets_the_last_and_the_end() -> None:
    hub = Hub(HELLO)
    last = message("tempo", 1)
    hub.publish(last)
    hub.close()
    with hub.subscribe(Newest()) as box:
        assert await box.take() == [HELLO, last]
        assert await box.take() == []


async def test_a_box_takes_the_kinds_it_is_for() -> None:
    box = Newest("tempo")
    tempo = message("tempo", 1)
    for item in (message("level", 1), tempo, message("level", 2)):
        box.put(item)
    assert await box.take() == [tempo]
    assert box.dropped == 0
