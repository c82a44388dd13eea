"""What a head is: a part that turns shared features into events of one kind. Pure.

A head owns its window, its model (or none) and its tracker, and says which log-mel frames it needs; the analyzer
computes each of them once for all heads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stream_analyzer.analysis.features import FeatureSpec
    from stream_analyzer.kinds import Described
    from stream_analyzer.types import F32, Level


@dataclass(frozen=True, slots=True)
class Step:
    """One step of sound as heads see it, which ends at ``time_s`` on the sample clock.

    ``samples`` [n, channels] at ``rate_hz`` are the sound as it came; ``frames`` holds the log-mel frames [n, bands]
    that it completed, by feature definition, and ``next_s`` when the frame after these begins. ``idle`` is true while
    there is nothing to judge: silence that has lasted for a second, or a sound whose spectrum does not move. ``said``
    is the newest event of each class that the heads said, in this step or before. ``sound`` [n] is what is analysed:
    mixed, at the rate of `SPEC`.
    """

    time_s: float
    samples: F32
    rate_hz: int
    level: Level
    idle: bool
    frames: Mapping[FeatureSpec, F32]
    sound: F32
    next_s: Mapping[FeatureSpec, float] = field(default_factory=dict)
    said: Mapping[type[Any], Any] = field(default_factory=dict)


class Head(Protocol):
    """Judges sound step by step.

    ``name`` is that of its models folder, ``event`` the class of its events, ``features`` the log-mel frames that it
    needs (none, if raw steps are enough), ``model`` the `Model` that it runs, None if it needs none. One that
    ``measures`` says what is, and judges nothing: silence and gaps do not make it forget.
    """

    name: ClassVar[str]
    event: ClassVar[type[Any]]
    measures: ClassVar[bool]
    model: Any  # a `Model`, or None

    @property
    def features(self) -> Sequence[FeatureSpec]:
        """Log-mel frames that it needs."""

    @property
    def ready(self) -> bool:
        """Whether enough sound came for a first judgement."""

    @property
    def window_s(self) -> float:
        """Seconds until a fault in the sound has left what it judges by."""

    @property
    def first_s(self) -> float:
        """Seconds of sound until the first judgement."""

    @property
    def latency_s(self) -> float:
        """The longest that a sound waits, beyond its step, until an event may show it: its frame, and a stride."""

    def facts(self) -> dict[str, Any]:
        """Return what it adds to `Hello`, by field."""

    def hear(self, step: Step) -> Sequence[Described]:
        """Take a step of sound; return the events it leads to."""

    def reset(self) -> None:
        """Forget everything; equal to a new head."""
