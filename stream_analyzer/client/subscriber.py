"""Subscribe to an analyzer: `async for received in subscribe(url)`; `subscribe_blocking(url)` without asyncio.

    WebSocket -> _keep_reading (comes back by itself) -> Inbox (the newest, for who lags) -> Follower (gaps) -> caller

Light on purpose, for small machines: needs websockets alone, and numpy only where spectra are asked for.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from stream_analyzer.client.endpoint import TEXT_TYPES, Endpoint, fatal, reason
from stream_analyzer.client.following import Follower, Inbox, Lost, Received
from stream_analyzer.errors import ProtocolError
from stream_analyzer.protocol.decode import decode
from stream_analyzer.protocol.subscription import Place
from stream_analyzer.system.backoff import backoff_s

if TYPE_CHECKING:
    import ssl as ssl_module
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable

logger = logging.getLogger(__name__)

T = TypeVar("T")

_PING_EVERY_S = 5.0  # a line that died without a word is found out within twice this
_CLOSE_LIMIT_S = 1.0
_MAX_MESSAGE = 1 << 18  # several times ten seconds of spectrum


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a subscriber waits: for an answer, before attempt n (``wait_s(n)``), and for a caller that is slow."""

    answer_s: float = 10.0
    stale_s: float = 2.0
    wait_s: Callable[[int], float] = backoff_s


def subscribe(
    url: str,
    *,
    types: str | Iterable[str] = TEXT_TYPES,
    hz: float | None = None,
    token: str | None = None,
    ssl: ssl_module.SSLContext | None = None,
    input_name: str | None = None,
    patience: Patience = Patience(),
) -> AsyncGenerator[Received]:
    """Follow an analyzer for as long as you iterate.

    Every connection begins with `Hello`, then comes the last of each kind, then what is new. A line that breaks is told
    as `Lost` and comes back by itself, for ever; what is still missing then is told as `Gap`. Whoever takes more than
    2 s to ask for the next one finds the newest of each kind, and what was left out as `Gap`. A message that can't be
    understood is logged and left out in the same way.

    Parameters
    ----------
    url
        Of the stream or of the page: ``ws://host:8765/ws``, ``https://host:8765/``, ``host:8765``.
    types
        Kinds wanted, of tempo, beat, genre, key, loudness, energy, moment, level, status, summary, spectrum; as
        names, or one text with commas.
        By default all but the spectrum.
    hz
        At most so many messages of each kind a second; gaps on a standing line are then wanted, and not told.
    token
        What the analyzer asks for when it is open to the network.
    ssl
        For ``wss://`` to an analyzer whose certificate the system does not know.
    input_name
        Of an analyzer with several inputs the one to follow, the first if not given; `Hello` names them all.
    patience
        How long to wait for an answer, and before the next attempt.

    Raises
    ------
    ConfigError
        A wrong argument, or the analyzer refuses it: unknown address, missing or wrong token, untrusted certificate.
    ProtocolError
        Something else than an analyzer of this protocol version answers there.
    """
    return _follow(Endpoint.of(url, types=types, hz=hz, token=token, ssl=ssl, input_name=input_name), patience)


def subscribe_blocking(
    url: str,
    *,
    types: str | Iterable[str] = TEXT_TYPES,
    hz: float | None = None,
    token: str | None = None,
    ssl: ssl_module.SSLContext | None = None,
    input_name: str | None = None,
    patience: Patience = Patience(),
) -> Generator[Received]:
    """Do as `subscribe` for programs without asyncio: the same arguments, events and errors, in a plain ``for``."""
    return _follow_blocking(Endpoint.of(url, types=types, hz=hz, token=token, ssl=ssl, input_name=input_name), patience)


async def _follow(endpoint: Endpoint, patience: Patience) -> AsyncGenerator[Received]:
    subscriber = _Subscriber(endpoint, patience)
    await subscriber.start()
    try:
        while True:
            for received in await subscriber.take():
                yield received
    finally:
        await subscriber.stop()


def _follow_blocking(endpoint: Endpoint, patience: Patience) -> Generator[Received]:
    """Run the same in the loop of a thread of its own: pings are answered while the caller is busy."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="subscribe", daemon=True)
    thread.start()

    def wait_for(work: Coroutine[None, None, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result()
        finally:
            future.cancel()  # after Ctrl-C; one that is done is not touched

    subscriber = _Subscriber(endpoint, patience)
    try:
        wait_for(subscriber.start())
        while True:
            yield from wait_for(subscriber.take())
    finally:
        wait_for(subscriber.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Subscriber:
    """One caller's line. State: the task that reads, what it read and nobody took yet, and what was seen so far."""

    def __init__(self, endpoint: Endpoint, patience: Patience) -> None:
        self._endpoint, self._patience = endpoint, patience
        self._inbox = Inbox(stale_s=patience.stale_s)
        self._follower = Follower(tells_gaps=endpoint.choice.hz is None)
        self._reader: asyncio.Task[None]

    async def start(self) -> None:
        self._reader = asyncio.create_task(
            _keep_reading(self._endpoint, self._inbox, self._patience), name="read the stream"
        )
        self._reader.add_done_callback(lambda _: self._inbox.close())

    async def take(self) -> list[Received]:
        """Wait for the next message, and return it with what is to be told before it. Raises why there will be none."""
        taken = await self._inbox.take()
        if taken is None:
            self._reader.result()
            return []
        return list(self._follower.follow(*taken))

    async def stop(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)


async def _keep_reading(endpoint: Endpoint, inbox: Inbox, patience: Patience) -> None:
    """Read what comes, over as many connections as it takes. Raises only what another attempt can't mend."""
    attempt = 0
    reader = _Reader(endpoint, inbox)
    while True:
        try:
            async with connect(
                endpoint.address(since=reader.place),
                **endpoint.options,
                open_timeout=patience.answer_s,
                close_timeout=_CLOSE_LIMIT_S,
                ping_interval=_PING_EVERY_S,
                ping_timeout=_PING_EVERY_S,
                max_size=_MAX_MESSAGE,
            ) as line:
                async with asyncio.timeout(patience.answer_s):
                    reader.greet(await line.recv())
                attempt = 0
                while True:
                    reader.read(await line.recv())
        except (OSError, WebSocketException) as error:
            if wrong := fatal(error, endpoint):
                raise wrong from error
            lost = Lost(reason(error), patience.wait_s(attempt))
        inbox.put(lost)
        attempt += 1
        await asyncio.sleep(lost.retry_s)


class _Reader:
    """Decodes what comes. State: the newest message's place, and whether a fault was told."""

    def __init__(self, endpoint: Endpoint, inbox: Inbox) -> None:
        self.place: Place | None = None
        self._endpoint, self._inbox = endpoint, inbox
        self._complained = False

    def greet(self, payload: str | bytes) -> None:
        """Take the first message of a connection, which says who is there. Raises `ProtocolError` if it does not."""
        try:
            hello = decode(payload)
        except ProtocolError as error:
            msg = f"{self._endpoint.url}: {error}"
            raise ProtocolError(msg) from error
        if hello is None or hello.kind != "hello":
            msg = f"{self._endpoint.url} does not begin with hello; is that a Stream Analyzer?"
            raise ProtocolError(msg)
        if not self.place or self.place[0] != hello.session:
            self.place = Place(hello.session, 0)
        self._complained = False
        self._inbox.put(hello, payload)

    def read(self, payload: str | bytes) -> None:
        """Take a later message. One that can't be understood is left out: one fault shall not end a night."""
        session, seq = self.place or ("", 0)
        try:
            envelope = decode(payload, session=session)
        except ProtocolError as error:
            if not self._complained:
                logger.warning("%s: %s; left out, and so are others like it", self._endpoint.url, error)
            self._complained = True
            return
        if envelope and envelope.kind in self._endpoint.choice.kinds:
            self.place = Place(session, max(seq, envelope.seq))
            self._inbox.put(envelope, payload)
