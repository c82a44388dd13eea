"""Flashes on each beat, at the moment it falls: the beat before it tells when that will be."""

import asyncio

from stream_analyzer.client import SampleClock, subscribe
from stream_analyzer.types import Beat


def flash(beat):
    downbeat = beat.number is not None and beat.number == beat.beats_in_bar  # the one that follows this one
    print("*** ONE ***" if downbeat else "*", flush=True)


async def main():
    loop, clock = asyncio.get_running_loop(), SampleClock()
    async for received in subscribe("127.0.0.1:8765", types="beat,level,status"):
        clock.hear(received.event, loop.time())
        if isinstance(received.event, Beat):
            falls = clock.at_s(received.event.next_s)
            if falls > loop.time():  # else it came too late, as after a loss
                loop.call_at(falls, flash, received.event)


asyncio.run(main())
