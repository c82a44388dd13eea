"""How a kind of message describes itself: its name on the wire, and of each field unit, rounding and uses.

An event is a `record` with a `KIND` and fields made by `described`. Encoding, decoding, MQTT, OSC, Home
Assistant, `/metrics`, the timeline and the checks of schema and documentation all read these descriptions; none of them
knows a kind by name, but for OSC, which sends beats when they fall. No numpy: subscribers read it too.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, Literal, Protocol, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of message: its ``name`` is the type on the wire, the topic by MQTT and the address by OSC.

    ``mqtt`` says whether a broker keeps the last one, only passes it on, does so where it is asked to, or never gets
    it. While the field ``sure[0]`` is one of the words ``sure[1]``, the value is more than a guess. A ``greeting`` is
    for one connection alone and outside the count of the session. A kind that does not ``last`` is of its moment: who
    comes later is not told the last one, and nobody is told it later, so that it comes less often. A broker gets one
    each ``mqtt_every_s`` at most.
    """

    name: str
    mqtt: Literal["retained", "passing", "asked", "never"] = "never"
    sure: tuple[str, tuple[str, ...]] | None = None
    greeting: bool = False
    lasts: bool = True
    mqtt_every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Entity:
    """A field as a sensor of Home Assistant.

    ``words`` are texts shown in some states instead of the value; ``also`` is a field whose label is named beside it,
    if there is one; unless the field ``only_if`` is true, the value is unknown.
    """

    name: str
    icon: str
    key: str = ""
    unit: str = ""
    digits: int = 0
    words: tuple[tuple[str, str], ...] = ()
    options: tuple[str, ...] = ()
    also: str = ""
    only_if: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """A field as a series of `/metrics`: its name without the program's prefix, and what it is; a text is its label."""

    name: str
    text: str
    counter: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of a field.

    ``digits`` after the point are sent; ``wire`` is its name on the wire if not its own; of a list the first ``most``
    are sent. ``osc`` makes it an argument of its kind's OSC message, in which ``osc_null`` stands for None;
    ``osc_alone`` makes it the one argument of an address of its own while the kind is sure. ``row`` puts it into the
    timeline of `analyze`, ``attribute`` beside the first sensor of its kind in Home Assistant.
    """

    digits: int | None = None
    wire: str = ""
    most: int | None = None
    osc: bool = False
    osc_null: int | str = ""
    osc_alone: str = ""
    row: bool = False
    attribute: bool = False
    entity: Entity | None = None
    metric: Metric | None = None


_PLAIN = Description()


class Described(Protocol):
    """An event: a frozen dataclass whose class says which kind it is. Times are seconds on the sample clock."""

    KIND: ClassVar[Kind]

    @property
    def time_s(self) -> float:
        """End of the analysed sound."""


def described(*, default: Any = MISSING, default_factory: Any = MISSING, **description: Any) -> Any:  # noqa: ANN401 - typed by the field
    """Return a dataclass field with a `Description`, and with the default or the factory of one, if given."""
    given = {"default": default, "default_factory": default_factory}
    defaults = {name: value for name, value in given.items() if value is not MISSING}
    return field(metadata={"described": Description(**description)}, **defaults)


@dataclass_transform(frozen_default=True, field_specifiers=(described,))
def record(cls: type[T]) -> type[T]:
    """Make a frozen, slotted dataclass of a class whose fields may be `described`."""
    return dataclass(frozen=True, slots=True)(cls)


def description(of: Field[Any]) -> Description:
    """Return the description of a field, an empty one if it has none."""
    found: Description = of.metadata.get("described", _PLAIN)
    return found


def described_fields(cls: type[Any]) -> tuple[tuple[str, str, Description], ...]:
    """Return name, name on the wire and description of each field but ``time_s``, which the envelope holds."""
    return _described_fields(cls)  # type: ignore[arg-type]  # mypy doubts that a class can be hashed


@cache
def _described_fields(cls: type[Any]) -> tuple[tuple[str, str, Description], ...]:
    found = [(one.name, description(one)) for one in fields(cls) if one.name != "time_s"]
    return tuple((name, what.wire or name, what) for name, what in found)


def ages(cls: type[Any]) -> bool:
    """Tell whether a kind says how long ago the sound last supported it; then it is worth nothing when that is long."""
    return any(name == "age_s" for name, _, _ in described_fields(cls))


def is_sure(event: Any) -> bool:  # noqa: ANN401 - any record with a kind
    """Tell whether an event is more than a guess."""
    sure: tuple[str, tuple[str, ...]] | None = event.KIND.sure
    return sure is None or getattr(event, sure[0]) in sure[1]
