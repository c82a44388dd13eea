"""What supervisors and Prometheus ask for: `/metrics`, `/health`, `/ready`. The only user of prometheus-client."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
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
    from collections.abc import Callable, Iterable, Iterator, Sequence

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


@dataclass(frozen=True, slots=True)
class _Sample:
    """One series: its family, and what tells it from others of it."""

    family: type[CounterMetricFamily | GaugeMetricFamily]
    name: str
    text: str
    value: float
    label: tuple[str, str] | None = None


class LogStanding(Protocol):
    """How things stand with the set log."""

    state: LogState
    trouble: str


class Watch:
    """What is known of one input. As a mailbox it counts the messages.

    State: those counts, and the newest event of each kind that is measured.
    """

    def __init__(
        self,
        name: str,
        queue: BlockQueue,
        clients: Counters,
        progress: Progress,
        *,
        broker: Callable[[], BrokerState],
        types: Iterable[str] = TYPES,
    ) -> None:
        """Watch the sound in ``queue``, the ``clients``, the analysis, the ``broker`` and the messages of ``types``."""
        self.name, self._queue, self._clients, self.progress, self._broker = name, queue, clients, progress, broker
        self._messages = Counter(dict.fromkeys(types, 0))
        self._measured: dict[str, Described] = {}

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

    @property
    def idle_s(self) -> float:
        """How long the analysis has not even waited."""
        return time.monotonic() - self.progress.turned_s

    @property
    def state(self) -> State:
        """What the analyzer does."""
        return self.progress.status.state if self.progress.status else "starting"

    @property
    def ready(self) -> bool:
        """Whether sound is being analysed, so that what is published can be relied on."""
        return self.state in _READY and self.idle_s <= _HUNG_AFTER_S

    def samples(self) -> Iterator[_Sample]:
        """Give everything but the inference times, read where it is counted."""
        yield from self._sound()
        yield from self._measurements()
        yield from self._listeners()

    def _sound(self) -> Iterator[_Sample]:
        status = self.progress.status
        yield _counter("audio_blocks", "Blocks of sound taken from the source.", self._queue.taken)
        yield _counter("audio_blocks_dropped", "Blocks dropped since the analysis fell behind.", self._queue.dropped)
        yield _gauge("audio_lag_seconds", "Sound that waits to be analysed.", self._queue.waiting_s)
        yield _counter("audio_analysed_seconds", "End of the analysed sound.", status.time_s if status else 0.0)
        for name, _, what in described_fields(Status):
            if what.metric:
                value = float(getattr(status, name) or 0.0) if status else 0.0
                yield (_counter if what.metric.counter else _gauge)(what.metric.name, what.metric.text, value)
        silence = status.silence if status else "none"
        yield from _states("silence", "Why nothing is heard.", get_args(Silence), silence)
        yield from _states("state", "What the analyzer does.", get_args(State), self.state)

    def _measurements(self) -> Iterator[_Sample]:
        """Give what the newest events measure, while sound comes: of what was, nobody wants a present value."""
        if self.state not in _READY:
            return
        for event in self._measured.values():
            for name, _, what in described_fields(type(event)):
                value = getattr(event, name)
                if not what.metric or value is None:
                    continue
                word = isinstance(value, str)
                label = (what.metric.name, value) if word else None
                yield _gauge(what.metric.name, what.metric.text, 1.0 if word else float(value), label)

    def _listeners(self) -> Iterator[_Sample]:
        for kind, count in self._messages.items():
            yield _counter("messages", "Messages published.", count, ("type", kind))
        yield _gauge("clients", "WebSocket clients connected.", self._clients.clients)
        yield _counter("client_messages", "Messages handed to clients.", self._clients.sent)
        yield _counter("client_messages_missed", "Messages that lagging clients did not get.", self._clients.missed)
        yield _counter("clients_stalled", "Clients closed because they took nothing.", self._clients.stalled)
        yield _counter("clients_refused", "Clients for whom there was no room.", self._clients.refused)
        yield from _states("broker", "How things stand with the MQTT broker.", get_args(BrokerState), self._broker())


class Monitor(Collector):
    """Answers with how things stand with all inputs; of several, each series bears its input's name.

    State: inference times.
    """

    def __init__(self, watches: Sequence[Watch], *, log: LogStanding | None = None) -> None:
        """Tell of ``watches``, the first of them first, and of ``log``, if one is kept."""
        self._log = log
        self._watches = {watch.name: watch for watch in watches}
        self._several = len(watches) > 1
        self._registry = CollectorRegistry(auto_describe=False)
        self._inference = Histogram(
            f"{_PREFIX}inference_seconds",
            "Time that one run of a model takes.",
            [*(["input"] if self._several else []), "model"],
            registry=self._registry,
            buckets=_BUCKETS_S,
        )
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def time(self, name: str, heads: Iterable[Head]) -> None:
        """Measure from now on how long the models of ``heads``, of the input ``name``, take."""
        for head in heads:
            if head.model:
                labels = (name, head.name) if self._several else (head.name,)
                head.model = _Timed(head.model, self._inference.labels(*labels))

    def metrics(self) -> Answer:
        """Answer Prometheus."""
        return Answer(generate_latest(self._registry), CONTENT_TYPE_LATEST)

    def health(self, asked: str = "") -> Answer:
        """Tell a supervisor whether to restart the process: it answers, and no analysis hangs; or that of one input."""
        told = {watch.name: round(watch.idle_s, 1) for watch in self._asked(asked)}
        each = {"inputs": {name: {"idle_s": idle_s} for name, idle_s in told.items()}} if len(told) > 1 else {}
        log: dict[str, object] = {"log": self._log.state if self._log else "off"}
        if self._log and self._log.trouble:
            log["log_trouble"] = self._log.trouble
        return _answer(max(told.values()) <= _HUNG_AFTER_S, {"idle_s": max(told.values()), **log, **each})

    def ready(self, asked: str = "") -> Answer:
        """Tell whether the sound of all inputs is being analysed, or that of one; if not, how the first of them is."""
        watches = self._asked(asked)
        worst = next((watch for watch in watches if not watch.ready), watches[0])
        each = {"inputs": {watch.name: {"state": watch.state} for watch in watches}} if len(watches) > 1 else {}
        return _answer(worst.ready, {"state": worst.state, **each})

    def collect(self) -> Iterator[Metric]:
        """Give everything but the inference times."""
        yield InfoMetricFamily(_PREFIX.rstrip("_"), "The program.", {"version": __version__})
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for watch in self._watches.values():
            told = [("input", watch.name)] if self._several else []
            for one in watch.samples():
                labels = [*told, *([one.label] if one.label else [])]
                if one.name not in families:
                    names = [name for name, _ in labels]
                    families[one.name] = one.family(_PREFIX + one.name, one.text, labels=names)
                families[one.name].add_metric([value for _, value in labels], one.value)
        yield from families.values()
        log = GaugeMetricFamily(f"{_PREFIX}log", "How things stand with the set log.", labels=["state"])
        for state in get_args(LogState):
            log.add_metric([state], float(state == (self._log.state if self._log else "off")))
        yield log

    def _asked(self, name: str) -> list[Watch]:
        return [self._watches[name]] if name else list(self._watches.values())


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


def _counter(name: str, text: str, value: float, label: tuple[str, str] | None = None) -> _Sample:
    return _Sample(CounterMetricFamily, name, text, value, label)


def _gauge(name: str, text: str, value: float, label: tuple[str, str] | None = None) -> _Sample:
    return _Sample(GaugeMetricFamily, name, text, value, label)


def _states(name: str, text: str, states: tuple[str, ...], now: str) -> Iterator[_Sample]:
    """Give one series a state, 1 for the present one."""
    for state in states:
        yield _gauge(name, text, float(state == now), ("state", state))


def _answer(good: bool, data: dict[str, object]) -> Answer:  # noqa: FBT001 - good or not is what is answered
    body = json.dumps({"ok": good, **data}, ensure_ascii=False).encode() + b"\n"
    return Answer(body, "application/json", HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE)
