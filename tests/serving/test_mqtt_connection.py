"""One connection to a real broker: what it answers is kept, and nothing of a line that goes lands in the log."""

from __future__ import annotations

import asyncio
import gc
import os
from typing import TYPE_CHECKING, Any

import pytest
from aiomqtt import MqttError

from stream_analyzer.serving.mqtt.connection import Connection
from tests.support.mosquitto import Mosquitto, why_not

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MUST_RUN = os.environ.get("CI") == "true"
pytestmark = pytest.mark.skipif(bool(why_not()) and not MUST_RUN, reason=why_not() or "a broker can be run")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


async def test_a_socket_that_closes_before_it_is_written_to_is_no_traceback(broker: Mosquitto) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    connection = Connection("127.0.0.1", broker.port)
    async with connection:
        # As when a stopped process goes on: there is much to publish, and the keep-alive is long over.
        connection._client.publish("a", "b")
        connection._client._sock_close()
        await asyncio.sleep(0)
    assert complaints == []


async def test_a_line_that_breaks_is_noticed_at_once_and_looked_at(broker: Mosquitto) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    connection = Connection("127.0.0.1", broker.port, timeout=60.0)
    async with asyncio.timeout(10.0), connection:
        broker.freeze()
        publishing = asyncio.create_task(connection.offer("a", "b", confirmed=True, retain=False))
        await asyncio.sleep(0)
        broker.kill()
        with pytest.raises(MqttError, match="Unspecified error"):
            await publishing
        assert connection.retrieve()
    del connection
    gc.collect()
    assert complaints == []
