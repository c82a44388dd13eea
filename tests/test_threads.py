"""Calls that may hang wait in threads that the end of the process does not wait for."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from stream_analyzer.system.threads import daemon_thread


async def test_calls_follow_one_another_in_one_thread() -> None:
    order: list[tuple[int, str]] = []

    def note(number: int) -> None:
        order.append((number, threading.current_thread().name))

    with daemon_thread("many calls") as do:
        calls = [do(partial(note, number)) for number in range(20)]
        await asyncio.gather(*calls)
        (thread,) = [one for one in threading.enumerate() if one.name == "many calls"]
    assert order == [(number, "many calls") for number in range(20)]
    assert thread.daemon
    thread.join(5.0)
    assert not thread.is_alive()


async def test_an_error_comes_to_who_waits_and_the_next_call_runs() -> None:
    with daemon_thread("calls that fail") as do:
        with pytest.raises(ZeroDivisionError):
            await do(lambda: 1 // 0)
        assert await do(lambda: "well") == "well"


async def test_who_leaves_is_not_held_up_by_a_call_that_hangs() -> None:
    goes_on = threading.Event()
    with daemon_thread("hangs") as do:
        hanging, waiting = do(goes_on.wait), do(lambda: "nobody asks")
    waiting.cancel()
    assert not hanging.done()
    goes_on.set()
    assert await hanging
