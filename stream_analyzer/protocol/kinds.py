"""Kinds of messages that are no events of the analyzer, and the names of all. Pure, no numpy: subscribers read it."""

from __future__ import annotations

import struct
from typing import Any, ClassVar, get_args

from stream_analyzer.kinds import Kind, described, record
from stream_analyzer.types import (
    Alternative,
    Beat,
    Energy,
    Genre,
    Key,
    Level,
    Loudness,
    Moment,
    SourceKind,
    Spectrum,
    Status,
    Tempo,
)

PROTOCOL_VERSION = 1
SPECTRUM_HEADER = struct.Struct("<BBHHHQd")
SPECTRUM_KIND = 1
NTH_MODULUS = 1 << 16  # a binary header has two bytes for it


@record
class Source:
    """Where the sound comes from."""

    kind: SourceKind
    name: str
    rate_hz: int
    channels: int


@record
class Model:
    """A model that judges: how many seconds it looks at, until its first judgement, and from one to the next."""

    name: str
    version: str
    task: str
    sha256: str
    window_s: float = described(digits=3)
    first_s: float = described(digits=3)
    every_s: float = described(digits=3)


@record
class SpectrumScale:
    """What spectrum levels mean: 0..255 stand for ``floor_db``..``ceil_db`` of mel power."""

    bands: int
    floor_db: float
    ceil_db: float
    frames_per_second: float


@record
class Hello:
    """The first message of every connection: what a subscriber listens to.

    ``feature`` says what a log-mel frame is, with its digest. What no head of this analyzer says keeps its default:
    ``tempo_range`` is the lowest and highest BPM that a tempo is folded into by octaves, None if it is not;
    ``sub_genres`` are the styles known within a genre, each with that genre; below ``confident`` a genre is a guess.
    ``input`` is the name of what is heard, and ``inputs`` are those of all, the first of them heard where none is asked
    for.
    """

    KIND: ClassVar[Kind] = Kind("hello", greeting=True)

    version: str
    started_at: str
    source: Source
    feature: dict[str, Any]
    spectrum: SpectrumScale
    types: tuple[str, ...]
    models: tuple[Model, ...]
    latency_s: dict[str, float] = described(digits=3)
    tempo_range: tuple[float, ...] | None = None
    labels: tuple[str, ...] = ()
    sub_genres: dict[str, str] = described(default_factory=dict)
    confident: float = 0.5
    input: str = "main"
    inputs: tuple[str, ...] = ("main",)


@record
class Replay:
    """The answer to a subscriber that comes back: ``missed`` messages can't be had any more; None: another session."""

    KIND: ClassVar[Kind] = Kind("replay", greeting=True)

    since: str
    missed: int | None
    detail: str


@record
class SummaryTempo:
    """The tempo of a whole source."""

    bpm: float = described(digits=2)
    confidence: float = described(digits=4)
    alternatives: tuple[Alternative, ...]


@record
class SummaryGenre:
    """The genre of a whole source, and the mean probability of every label."""

    label: str
    confidence: float = described(digits=4)
    scores: dict[str, float] = described(digits=4)


@record
class SummaryKey:
    """The key of a whole source."""

    label: str
    camelot: str
    confidence: float = described(digits=4)


@record
class SummaryLoudness:
    """The loudness of a whole source; ``integrated_lufs`` is None where all of it was silent."""

    integrated_lufs: float | None = described(digits=1)
    range_lu: float = described(digits=1)
    true_peak_dbtp: float = described(digits=1)


@record
class Summary:
    """What a source that ended amounts to; None where nothing was found.

    ``music`` is the share that was music, ``drops_s`` when drops fell, the newest of them.
    """

    KIND: ClassVar[Kind] = Kind("summary")

    time_s: float
    duration_s: float = described(digits=3)
    tempo: SummaryTempo | None
    genre: SummaryGenre | None
    music: float = described(digits=4)
    key: SummaryKey | None = None
    loudness: SummaryLoudness | None = None
    drops_s: tuple[float, ...] = described(default=(), digits=1)


@record
class Mark:
    """A moment that somebody marked, of the set that runs."""

    KIND: ClassVar[Kind] = Kind("mark", lasts=False)

    time_s: float
    text: str


WireEvent = (
    Hello
    | Replay
    | Tempo
    | Beat
    | Genre
    | Key
    | Loudness
    | Energy
    | Moment
    | Level
    | Status
    | Spectrum
    | Summary
    | Mark
)
JSON_EVENTS: tuple[type[Any], ...] = tuple(kind for kind in get_args(WireEvent) if kind is not Spectrum)
KINDS: tuple[str, ...] = tuple(kind.KIND.name for kind in get_args(WireEvent))
GREETINGS: tuple[str, ...] = ("hello", "replay")  # of a connection, outside the count of the session
TYPES: tuple[str, ...] = tuple(kind for kind in KINDS if kind not in GREETINGS)
