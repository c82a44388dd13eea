"""A network stream as a source: played at its own pace, and tuned in to again when it is lost.

A thread reads ahead, up to half a minute; the event loop hands on each block when its time has come.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from stream_analyzer.errors import AudioError, BrokenOff, DeviceLost
from stream_analyzer.sound import media
from stream_analyzer.sound.files import Recording
from stream_analyzer.sound.network.http import Station, ask
from stream_analyzer.sound.queue import SourceChanged, SourceLost, TitleChanged
from stream_analyzer.sound.source import LIVE_BLOCK_S, LOST_AFTER_S, SourceInfo
from stream_analyzer.system.address import NETWORK_URLS, is_network_url
from stream_analyzer.system.backoff import backoff_s
from stream_analyzer.system.threads import daemon_thread, in_daemon_thread
from stream_analyzer.types import AudioBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream_analyzer.sound.media import Media
    from stream_analyzer.sound.queue import BlockQueue
    from stream_analyzer.types import F32

logger = logging.getLogger(__name__)

_OPEN_LIMIT_S = 30.0  # redirects, playlists and pieces of HLS, each with a limit of its own
_AHEAD_S = 30.0  # HLS comes in pieces of several seconds, web radio begins with a burst
_CATCH_UP = 0.95  # of the time of a block while more than half of that waits: their clock may be faster than ours


@dataclass(frozen=True, slots=True)
class Tuned:
    """A stream that is open: how it is decoded, and what of it comes from a web server."""

    media: Media
    station: Station | None

    @property
    def endless(self) -> bool:
        """Whether it is a station, and no recording."""
        return self.station is not None or self.media.length_s <= 0.0

    def close(self) -> None:
        """Let go of it; a thread that reads from it comes to an end, and lets go of the rest."""
        self.media.stop()
        if self.station:
            self.station.cut()


def tune_in(url: str) -> Tuned:
    """Open a network stream; raise `AudioError` that names it if there is no sound to be had."""
    found: Station | str = url
    try:
        check(url)
        found = ask(url) if url.startswith("http") else url
        opened = media.open_media(found, live=True)
    except AudioError as error:
        if isinstance(found, Station):
            found.cut()
        msg = f"{shown(url)}: {error}"
        raise AudioError(msg) from error
    return Tuned(opened, found if isinstance(found, Station) else None)


def check(url: str) -> None:
    """Raise `AudioError` unless the address is one of the network: FFmpeg knows many more."""
    if not is_network_url(url):
        msg = f"must be {NETWORK_URLS}"
        raise AudioError(msg)


def open_recording(url: str, *, block_s: float) -> tuple[Recording, Iterator[AudioBlock]]:
    """Return what a recording at ``url`` is, and its blocks; raise `AudioError` if it has no end."""
    if not media.is_installed():
        msg = f"{shown(url)}: {media.MISSING}"
        raise AudioError(msg)
    tuned = _first(url)
    if tuned.endless:
        tuned.close()
        msg = f"{shown(url)}: does not say that it has an end; hear it live: stream-analyzer run --input {shown(url)}"
        raise AudioError(msg)
    found = tuned.media
    return Recording(found.rate_hz, found.channels, found.length_s, native=False), _recorded(tuned, url, block_s)


def _first(url: str) -> Tuned:
    """Open a stream for somebody who has just named it."""
    try:
        return tune_in(url)
    except AudioError as error:
        msg = f"{error}; check the address, and whether it plays elsewhere"
        raise AudioError(msg) from error


def _recorded(tuned: Tuned, url: str, block_s: float) -> Iterator[AudioBlock]:
    found = tuned.media
    size = max(1, round(found.rate_hz * block_s))
    try:
        for samples in found.blocks(rate_hz=found.rate_hz, channels=found.channels, block=size):
            yield AudioBlock(samples, found.rate_hz)
    except AudioError as error:
        msg = f"{shown(url)}: breaks off: {error}; try again"
        raise BrokenOff(msg) from error


def shown(url: str) -> str:
    """Return an address without what may be secret in it: user, password and query."""
    try:
        parts = urlsplit(url)
    except ValueError:  # it is none
        return url.partition("://")[0] + "://..."
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


class NetworkSource:
    """A stream at a URL; a lost one is tuned in to again and again.

    State: the stream that was opened last, what was told of it, its title, and when sound last came.
    """

    live = True

    def __init__(
        self, url: str, *, rate_hz: int | None, channels: int | None, listen_to: int | None, patient: bool
    ) -> None:
        """Hear ``url`` at its own rate and channels, or as asked; a ``patient`` source may come later."""
        self._url, self._rate_hz, self._channels = url, rate_hz, channels
        self._listen_to, self._patient = listen_to, patient
        self._tuned: Tuned | None = None
        self._delivered = 0
        self._last_sound_s = 0.0
        self._title = ""

    def open(self) -> SourceInfo:
        """Tune in; of a stream that is waited for, say what was asked."""
        if not media.is_installed():
            msg = f"{shown(self._url)}: {media.MISSING}"
            raise AudioError(msg)
        info = SourceInfo("stream", shown(self._url), self._rate_hz or 0, self._channels or self._listen_to or 0)
        if not self._patient:
            self._tuned = _first(self._url)
            info = self._info(self._tuned)
        self._told = info
        return info

    async def deliver(self, queue: BlockQueue) -> None:
        """Put what comes, until a recording ends; report and repair the loss of a stream, for ever."""
        attempt, told = 0, ""
        while True:
            try:
                await self._play(queue)
            except AudioError as error:
                if self._delivered:
                    attempt, told = 0, ""
                queue.put(SourceLost(f"{error}; looking for it"))
                if str(error) != told:
                    logger.warning("%s; looking for it", error)
                told = str(error)
            else:
                return
            await asyncio.sleep(backoff_s(attempt))
            attempt += 1

    def _info(self, tuned: Tuned) -> SourceInfo:
        name = tuned.station.name if tuned.station else ""
        rate_hz, channels = self._rate_hz or tuned.media.rate_hz, self._channels or tuned.media.channels
        return SourceInfo("stream", name or shown(self._url), rate_hz, channels)

    async def _play(self, queue: BlockQueue) -> None:
        """Play until the end, of a recording; the loss of the stream raises `AudioError`."""
        self._delivered = 0
        tuned, self._tuned = self._tuned or await self._tune_in(), None
        info = self._info(tuned)
        if info != self._told:
            self._told = info
            queue.put(SourceChanged(info, self._listen_to))
        ahead: asyncio.Queue[_Heard] = asyncio.Queue(maxsize=round(_AHEAD_S / LIVE_BLOCK_S))
        reading = asyncio.create_task(self._read(tuned, ahead), name="read ahead")
        try:
            await self._hand_on(ahead, queue, info)
        finally:
            reading.cancel()
            tuned.close()
        if tuned.endless:
            msg = f"{shown(self._url)}: the stream ended"
            raise DeviceLost(msg)

    async def _tune_in(self) -> Tuned:
        try:
            async with asyncio.timeout(_OPEN_LIMIT_S):
                return await in_daemon_thread(lambda: tune_in(self._url), name="tune in")
        except TimeoutError as error:
            msg = f"{shown(self._url)}: does not answer"
            raise DeviceLost(msg) from error

    async def _read(self, tuned: Tuned, ahead: asyncio.Queue[_Heard]) -> None:
        """Read as fast as it comes, but no further ahead than the queue holds."""
        info = self._told
        block = max(1, round(info.rate_hz * LIVE_BLOCK_S))
        blocks: Iterator[F32] = tuned.media.blocks(rate_hz=info.rate_hz, channels=info.channels, block=block)
        try:
            with daemon_thread("read stream") as do:
                while (samples := await do(lambda: next(blocks, None))) is not None:
                    await ahead.put(_Heard(samples, tuned.station.title if tuned.station else ""))
        except AudioError as error:
            await ahead.put(_Heard(None, error=f"{shown(self._url)}: {error}"))
        else:
            await ahead.put(_Heard(None))

    async def _hand_on(self, ahead: asyncio.Queue[_Heard], queue: BlockQueue, info: SourceInfo) -> None:
        """Put each block when its time has come; where the stream was late, from then on."""
        loop = asyncio.get_running_loop()
        due_s = 0.0
        while True:
            try:
                async with asyncio.timeout(LOST_AFTER_S):
                    heard = await ahead.get()
            except TimeoutError as error:
                msg = f"{shown(self._url)}: sends no sound"
                raise DeviceLost(msg) from error
            if heard.error:
                raise DeviceLost(heard.error)
            if heard.samples is None:
                return
            due_s = max(due_s, loop.time())
            await asyncio.sleep(due_s - loop.time())
            if heard.title and heard.title != self._title:
                self._title = heard.title
                queue.put(TitleChanged(heard.title))
            block = AudioBlock(heard.samples, info.rate_hz, lost=self._missing(heard.samples, info.rate_hz))
            queue.put(block)
            self._delivered += 1
            self._last_sound_s = loop.time()
            due_s += block.duration_s * (_CATCH_UP if ahead.qsize() > ahead.maxsize // 2 else 1.0)

    def _missing(self, samples: F32, rate_hz: int) -> int:
        """Return the samples that are missing before the first block after a loss: the clock goes on over the gap."""
        if self._delivered or not self._last_sound_s:
            return 0
        gap_s = asyncio.get_running_loop().time() - self._last_sound_s - len(samples) / rate_hz
        return max(0, round(gap_s * rate_hz))


@dataclass(frozen=True, slots=True)
class _Heard:
    """A block that was read ahead, and the title under which it came; without samples the end, or an error."""

    samples: F32 | None
    title: str = ""
    error: str = ""
