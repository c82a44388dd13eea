"""Events as messages on the wire, protocol version 1: JSON envelopes, and binary frames for the spectrum. Pure.

What is sent of an event, under which name and how exactly, its class says (`stream_analyzer.kinds`).
`docs/asyncapi.yaml` is the schema; the tests hold every message and every description against it.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Any

from stream_analyzer.kinds import Description, described_fields
from stream_analyzer.protocol.kinds import PROTOCOL_VERSION, Replay
from stream_analyzer.protocol.spectrum import pack_spectrum
from stream_analyzer.types import Spectrum

if TYPE_CHECKING:
    from stream_analyzer.kinds import Described
    from stream_analyzer.protocol.kinds import Hello
    from stream_analyzer.protocol.subscription import Place

    Event = Described | Hello | Replay

_PLAIN = Description()


@dataclass(frozen=True, slots=True)
class Message:
    """One encoded message: JSON text, or bytes for the spectrum; its place in the session; and the event in it."""

    kind: str
    payload: str | bytes
    seq: int = 0
    session: str = ""
    event: Event | None = None

    @property
    def lasts(self) -> bool:
        """Whether it still holds for who comes later; a beat and columns of a spectrum are of their moment."""
        return self.event is None or self.event.KIND.lasts


class Encoder:
    """Encodes the events of one session. State: the sequence number of all messages, and the count of each kind."""

    def __init__(self, session: str, *, demo: bool = False, input_name: str = "") -> None:
        """Start ``session`` at message 1; greetings, such as `hello`, are 0. All of the ``demo`` are marked.

        Of several inputs each message bears the name of its own.
        """
        self.session, self.demo = session, demo
        self._marks = ({"demo": True} if demo else {}) | ({"input": input_name} if input_name else {})
        self._seq = 0
        self._counts: Counter[str] = Counter()

    def encode(self, event: Event) -> Message:
        """Encode an event; JSON, but for `Spectrum`."""
        kind = event.KIND
        seq, nth = (0, 0) if kind.greeting else self._number(kind.name)
        if isinstance(event, Spectrum):
            return Message(kind.name, pack_spectrum(event, seq=seq, nth=nth), seq, self.session, event)
        envelope = {
            "v": PROTOCOL_VERSION,
            "type": kind.name,
            "session": self.session,
            "seq": seq,
            "nth": nth,
            "time_s": round(getattr(event, "time_s", 0.0), 3),
            **self._marks,
            "data": event_data(event),
        }
        text = json.dumps(envelope, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return Message(kind.name, text, seq, self.session, event)

    def replay(self, since: Place, *, missed: int | None, detail: str) -> Message:
        """Encode what a subscriber that comes back is told: how many messages after ``since`` can't be had any more."""
        return self.encode(Replay(str(since), missed, detail))

    def _number(self, kind: str) -> tuple[int, int]:
        """Return the next message's place in the session and among those of its kind."""
        self._seq += 1
        self._counts[kind] += 1
        return self._seq, self._counts[kind]


def event_data(event: Any) -> dict[str, Any]:  # noqa: ANN401 - any record
    """Return what is sent of an event, or of a part of one, as JSON holds it."""
    return {wire: wire_value(getattr(event, name), what) for name, wire, what in described_fields(type(event))}


def wire_value(value: Any, what: Description = _PLAIN) -> Any:  # noqa: ANN401 - whatever a field holds
    """Return a field's value as it is sent: rounded, shortened, its parts as dictionaries and lists."""
    if isinstance(value, float):
        return value if what.digits is None else round(value, what.digits)
    if isinstance(value, tuple):
        return [wire_value(item, what) for item in value[: what.most]]
    if isinstance(value, dict):
        return {key: wire_value(item, what) for key, item in value.items()}
    return event_data(value) if is_dataclass(value) else value
