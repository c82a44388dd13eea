import asyncio

from stream_analyzer.client import subscribe
from stream_analyzer.types import Tempo


async def main():
    async for received in subscribe("ws://127.0.0.1:8765/ws", types="tempo"):
        if isinstance(received.event, Tempo):
            print(received.event.bpm, received.event.state, flush=True)


asyncio.run(main())
