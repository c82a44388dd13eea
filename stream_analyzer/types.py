"""Audio blocks and the events that the analyzer makes of them. Times are seconds on the sample clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # a subscriber reads these types without numpy
    import numpy as np
    import numpy.typing as npt

    F32 = npt.NDArray[np.float32]
    F64 = npt.NDArray[np.float64]
    U8 = npt.NDArray[np.uint8]

State = Literal["starting", "warming", "live", "silent", "degraded", "device_lost", "ended"]
BrokerState = Literal["none", "down", "up", "clash"]
TempoRange = tuple[float, float]  # lowest and highest BPM
TempoState = Literal["searching", "locked", "holding", "unsteady"]
GenreState = Literal["searching", "music", "holding", "not_music"]


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """What a source delivers: float32 samples [n, channels] in [-1, 1] at ``rate_hz``.

    ``lost`` counts the samples a channel that are known to be missing directly before this block.
    """

    samples: F32
    rate_hz: int
    lost: int = 0

    @property
    def duration_s(self) -> float:
        """Length in seconds, without what was lost before it."""
        return len(self.samples) / self.rate_hz


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another tempo that the music allows (mostly an octave), with its salience in 0..1 relative to the shown one."""

    bpm: float
    salience: float


@dataclass(frozen=True, slots=True)
class Tempo:
    """The tempo at ``time_s``. ``age_s`` is how long ago the sound last supported this number; 0 when it does now."""

    time_s: float
    bpm: float
    confidence: float
    state: TempoState
    age_s: float
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """A label of a genre or sub-genre and its probability."""

    label: str
    p: float


@dataclass(frozen=True, slots=True)
class Genre:
    """The genre at ``time_s``.

    ``state`` is searching while it is open whether this is music at all, music, holding in silence, or not_music; the
    last two keep the genre of the music before. Before any music not_music has no ``label`` (None), and its ``scores``
    are what was rejected. ``scores`` holds every label, likeliest first; ``music`` is the probability of music.
    ``sub_genre`` is one of the label's own, when the model is sure of it.
    """

    time_s: float
    label: str | None
    confidence: float
    state: GenreState
    age_s: float
    music: float
    scores: tuple[Score, ...]
    sub_genre: Score | None = None


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Mel columns as levels, uint8 [columns, bands]: 0..255 for SPECTRUM_FLOOR_DB..SPECTRUM_CEIL_DB."""

    time_s: float
    levels: U8


@dataclass(frozen=True, slots=True)
class Level:
    """Loudness of the last step in dB re full scale; ``clipping`` when samples sat at full scale."""

    time_s: float
    rms_dbfs: float
    peak_dbfs: float
    clipping: bool


@dataclass(frozen=True, slots=True)
class Status:
    """What the analyzer is doing, and what was lost since the start.

    The pipeline fills in ``lag_s``, the audio that waits to be analysed, ``latency_s``, the time from a sample's
    arrival to the message that it led to, ``clients``, who listens, ``missed``, the messages that clients which lagged
    did not get, ``stalled``, the clients that were closed because they took nothing, and ``broker``, how things stand
    with the MQTT broker.
    ``lost_s`` is the audio that never arrived; ``nonfinite`` the samples that were NaN or infinite and became silence.
    """

    time_s: float
    state: State
    detail: str
    lag_s: float
    lost_s: float
    nonfinite: int
    clients: int
    latency_s: float = 0.0
    missed: int = 0
    stalled: int = 0
    broker: BrokerState = "none"


Event = Tempo | Genre | Spectrum | Level | Status

SPECTRUM_FLOOR_DB = -60.0
SPECTRUM_CEIL_DB = 40.0
