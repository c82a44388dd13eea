"""What supervisors and Prometheus ask for: `/metrics`, `/health`, `/ready`. The only user of prometheus-client."""

from __future__ import annotations

import json
import time
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol, cast, get_args

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from stream_analyzer import __version__
from stream_analyzer.kinds import described_fields
from stream_analyzer.protocol.kinds import TYPES
from stream_analyzer.serving.web.server import Answer
from stream_analyzer.types import EVENTS, BrokerState, LogState, Silence, State, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stream_analyzer.analysis.head import Head
    from stream_analyzer.analysis.model import StreamModel
    from stream_analyzer.kinds import Described
    from stream_analyzer.protocol.encode import Message
    from stream_analyzer.serving.web.fanout import Counters
    from stream_analyzer.sound.queue import BlockQueue
    from stream_analyzer.types import F32

_READY: frozenset[State] = frozenset({"live", "cancelling", "silent", "steady", "degraded"})
_MEASURED = frozenset(
    event.KIND.name
    for event in EVENTS
    if event is not Status and any(what.metric for _, _, what in described_fields(event))
)
_HUNG_AFTER_S = 10.0
_PREFIX = "stream_analyzer_"
_BUCKETS_S = (0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Progress(Protocol):
    """How far the analysis is: its last status, and when (monotonic) it last did anything, were it only to wait."""

    status: Status | None
    turned_s: float


class LogStanding(Protocol):
    """How things stand with the set log."""

    @property
    def state(self) -> LogState:
        """Off, kept, or stuck."""

    @property
    def trouble(self) -> str:
        """Why it is stuck."""


class Monitor(Collector):
    """Answers with how things stand. As a mailbox it counts the messages.

    State: those counts, the newest event of each kind that is measured, and inference times.
    """

    def __init__(
        self,
        queue: BlockQueue,
        clients: Counters,
        progress: Progress,
        *,
        broker: Callable[[], BrokerState],
        log: LogStanding,
        types: Iterable[str] = TYPES,
    ) -> None:
        """Watch the sound in ``queue``, ``clients``, the analysis, ``broker``, ``log`` and messages of ``types``."""
        self._queue, self._clients, self._progress, self._broker = queue, clients, progress, broker
        self._log = log
        self._messages = Counter(dict.fromkeys(types, 0))
        self._measured: dict[str, Described] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._inference = Histogram(
            f"{_PREFIX}inference_seconds",
            "Time that one run of a model takes.",
            ["model"],
            registry=self._registry,
            buckets=_BUCKETS_S,
        )
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def put(self, message: Message) -> None:
        """Count a message, of the types that are published."""
        if message.kind in self._messages:
            self._messages[message.kind] += 1
        if message.kind in _MEASURED:
            self._measured[message.kind] = cast("Described", message.event)

    async def room(self) -> None:
        """Return at once: counting holds nobody up."""

    def close(self) -> None:
        """Take no notice."""

    def watch(self, heads: Iterable[Head]) -> None:
        """Measure from now on how long the models of ``heads`` take."""
        for head in heads:
            if head.model:
                head.model = _Timed(head.model, self._inference.labels(head.name))

    def metrics(self) -> Answer:
        """Answer Prometheus."""
        return Answer(generate_latest(self._registry), CONTENT_TYPE_LATEST)

    def health(self) -> Answer:
        """Tell a supervisor whether to restart the process: it answers, and its analysis does not hang."""
        idle_s = time.monotonic() - self._progress.turned_s
        log = {"log": self._log.state, **({"log_trouble": self._log.trouble} if self._log.trouble else {})}
        return _answer(idle_s <= _HUNG_AFTER_S, {"idle_s": round(idle_s, 1), **log})

    def ready(self) -> Answer:
        """Tell whether sound is being analysed, so that what is published can be relied on."""
        status = self._progress.status
        state = status.state if status else "starting"
        hung = time.monotonic() - self._progress.turned_s > _HUNG_AFTER_S
        return _answer(state in _READY and not hung, {"state": state})

    def collect(self) -> Iterator[Metric]:
        """Give everything but the inference times, read where it is counted."""
        yield InfoMetricFamily(_PREFIX.rstrip("_"), "The program.", {"version": __version__})
        yield from self._sound()
        yield from self._measurements()
        yield from self._listeners()

    def _sound(self) -> Iterator[Metric]:
        status = self._progress.status
        yield _counter("audio_blocks", "Blocks of sound taken from the source.", self._queue.taken)
        yield _counter("audio_blocks_dropped", "Blocks dropped since the analysis fell behind.", self._queue.dropped)
        yield _gauge("audio_lag_seconds", "Sound that waits to be analysed.", self._queue.waiting_s)
        yield _counter("audio_analysed_seconds", "End of the analysed sound.", status.time_s if status else 0.0)
        for name, _, what in described_fields(Status):
            if what.metric:
                value = float(getattr(status, name) or 0.0) if status else 0.0
                yield (_counter if what.metric.counter else _gauge)(what.metric.name, what.metric.text, value)
        silence = status.silence if status else "none"
        yield _states("silence", "Why nothing is heard.", get_args(Silence), silence)
        yield _states("state", "What the analyzer does.", get_args(State), status.state if status else "starting")

    def _measurements(self) -> Iterator[Metric]:
        """Give what the newest events measure, while sound comes: of what was, nobody wants a present value."""
        status = self._progress.status
        if not status or status.state not in _READY:
            return
        for event in self._measured.values():
            for name, _, what in described_fields(type(event)):
                value = getattr(event, name)
                if what.metric and value is not None:
                    yield _gauge(what.metric.name, what.metric.text, float(value))

    def _listeners(self) -> Iterator[Metric]:
        messages = CounterMetricFamily(f"{_PREFIX}messages", "Messages published.", labels=["type"])
        for kind, count in self._messages.items():
            messages.add_metric([kind], count)
        yield messages
        yield _gauge("clients", "WebSocket clients connected.", self._clients.clients)
        yield _counter("client_messages", "Messages handed to clients.", self._clients.sent)
        yield _counter("client_messages_missed", "Messages that lagging clients did not get.", self._clients.missed)
        yield _counter("clients_stalled", "Clients closed because they took nothing.", self._clients.stalled)
        yield _counter("clients_refused", "Clients for whom there was no room.", self._clients.refused)
        yield _states("broker", "How things stand with the MQTT broker.", get_args(BrokerState), self._broker())
        yield _states("log", "How things stand with the set log.", get_args(LogState), self._log.state)


class _Timed:
    """A model whose runs are measured, from the analysis thread."""

    def __init__(self, model: StreamModel, seconds: Histogram) -> None:
        self.manifest, self.outputs = model.manifest, model.outputs
        self._model, self._seconds = model, seconds

    def run(self, window: F32) -> F32:
        with self._seconds.time():
            return self._model.run(window)

    def reset(self) -> None:
        self._model.reset()


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


def _states(name: str, text: str, states: tuple[str, ...], now: str) -> Metric:
    """Return one series a state, 1 for the present one."""
    family = GaugeMetricFamily(_PREFIX + name, text, labels=["state"])
    for state in states:
        family.add_metric([state], float(state == now))
    return family


def _answer(good: bool, data: dict[str, object]) -> Answer:  # noqa: FBT001 - good or not is what is answered
    body = json.dumps({"ok": good, **data}, ensure_ascii=False).encode() + b"\n"
    return Answer(body, "application/json", HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE)
