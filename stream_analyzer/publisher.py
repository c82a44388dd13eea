"""From events to messages: what the analysis says, what the pipeline adds, what is kept of the session."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from stream_analyzer.analysis.steps import STEPS_PER_SECOND
from stream_analyzer.protocol.kinds import Mark
from stream_analyzer.protocol.summary import RunningSummary
from stream_analyzer.types import BrokerState, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stream_analyzer.kinds import Described
    from stream_analyzer.protocol.encode import Encoder
    from stream_analyzer.serving.hub import Hub
    from stream_analyzer.serving.web.fanout import Counters
    from stream_analyzer.sets.recorder import Recorder
    from stream_analyzer.sound.queue import BlockQueue

logger = logging.getLogger(__name__)

_WARN_EVERY_S = 10.0
_MEAN_WAIT_IN_STEP_S = 0.5 / STEPS_PER_SECOND


class Publisher:
    """Puts events on the wire and into what is kept of the session.

    State: the last status, what a station says that it plays, latencies since that status, and when (monotonic) it last
    had something to do.
    """

    def __init__(
        self,
        queue: BlockQueue,
        hub: Hub,
        encoder: Encoder,
        recorder: Recorder,
        counters: Counters,
        *,
        broker: Callable[[], BrokerState],
        refusal: Callable[[], str] = str,
    ) -> None:
        """Publish what comes of the sound in ``queue``; ``counters`` tell of the clients, ``broker`` of the broker.

        ``refusal`` tells what the broker does not take.
        """
        self._queue, self._hub, self._encoder, self._recorder = queue, hub, encoder, recorder
        self._counters, self._broker, self._refusal = counters, broker, refusal
        self._summary = RunningSummary()
        self.status: Status | None = None
        self._title = ""
        self.turned_s = time.monotonic()
        self._latencies_s: list[float] = []
        self._warned_s, self._warned_of_s = -math.inf, 0.0

    def publish(self, events: Sequence[Described]) -> None:
        """Publish what one item of the queue led to."""
        self.turned_s = time.monotonic()
        if events:
            self._latencies_s.append(time.monotonic() - self._queue.arrived_s + _MEAN_WAIT_IN_STEP_S)
        for event in events:
            self._summary.add(event)
            self._recorder.add(event)
            self._hub.publish(self._encoder.encode(self._seen(event) if isinstance(event, Status) else event))

    def repeat_status(self) -> None:
        """Say how things stand although no sound came: whoever listens must not take it for a dead line."""
        self.turned_s = time.monotonic()
        if self.status:
            self._hub.publish(self._encoder.encode(self._seen(self.status)))

    def entitle(self, title: str) -> None:
        """Say what plays from here on, as the station has it."""
        self._title = title
        self.mark(title)
        self.repeat_status()

    def mark(self, text: str) -> Mark:
        """Mark the moment that is analysed now, for everybody."""
        mark = Mark(self._summary.duration_s, text)
        self._recorder.mark(mark)
        self._hub.publish(self._encoder.encode(mark))
        return mark

    def end(self) -> None:
        """Publish what the whole amounts to; no more will come."""
        self._recorder.end()
        self._hub.publish(self._encoder.encode(self._summary.summary()))

    def _seen(self, status: Status) -> Status:
        latency_s = sum(self._latencies_s) / len(self._latencies_s) if self._latencies_s else 0.0
        self._latencies_s.clear()
        self._warn(status.lost_s)
        self.status = replace(
            status,
            lag_s=self._queue.waiting_s,
            latency_s=latency_s,
            clients=self._counters.clients,
            missed=self._counters.missed,
            stalled=self._counters.stalled,
            broker=self._broker(),
            broker_refusal=self._refusal(),
            log=self._recorder.state,
            log_trouble=self._recorder.trouble,
            demo=self._encoder.demo,
            title=self._title,
        )
        return self.status

    def _warn(self, lost_s: float) -> None:
        """Log lost sound, once in a while: a night with a bad cable must not fill the disk."""
        now_s = time.monotonic()
        if lost_s > self._warned_of_s and now_s - self._warned_s >= _WARN_EVERY_S:
            logger.warning("%.2f s of sound were lost so far; %.1f s wait", lost_s, self._queue.waiting_s)
            self._warned_s, self._warned_of_s = now_s, lost_s
