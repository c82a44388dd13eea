"""What every source of sound is: its protocol and what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from stream_analyzer.sound.queue import BlockQueue
    from stream_analyzer.types import SourceKind

LOST_AFTER_S = 2.0
LIVE_BLOCK_S = 0.05  # half a step: two blocks fill one, and handing one over costs more than what is in it


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source is; it goes into `hello`."""

    kind: SourceKind
    name: str
    rate_hz: int
    channels: int


class AudioSource(Protocol):
    """Delivers sound into a queue until it ends or the task is cancelled.

    ``live`` sources can't wait: what the analysis does not take in time is dropped.
    """

    live: bool

    def open(self) -> SourceInfo:
        """Check that sound can be had, before anything starts; raise `AudioError` if not."""

    async def deliver(self, queue: BlockQueue) -> None:
        """Put blocks into the queue until the source ends; raise `AudioError` if it breaks."""
