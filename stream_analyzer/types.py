"""Audio blocks and the events that the analyzer makes of them. Times are seconds on the sample clock.

Each event describes itself, as `stream_analyzer.kinds` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from stream_analyzer.kinds import Described, Entity, Kind, Metric, described, record

if TYPE_CHECKING:  # a subscriber reads these types without numpy
    import numpy as np
    import numpy.typing as npt

    F32 = npt.NDArray[np.float32]
    F64 = npt.NDArray[np.float64]
    U8 = npt.NDArray[np.uint8]

State = Literal["starting", "warming", "live", "cancelling", "silent", "steady", "degraded", "device_lost", "ended"]
SourceKind = Literal["device", "file", "demo", "stdin", "stream", "phone"]
Silence = Literal["none", "quiet", "zeros", "elsewhere"]
BrokerState = Literal["none", "down", "up", "refused", "clash"]
LogState = Literal["off", "kept", "stuck"]
TempoRange = tuple[float, float]  # lowest and highest BPM
TempoState = Literal["searching", "locked", "octave", "holding", "unsteady"]
KeyState = Literal["searching", "clear", "holding", "unclear"]
GenreState = Literal["searching", "music", "holding", "not_music"]
Turn = Literal["build_up", "drop", "breakdown"]

TOP_GENRES, TOP_KEYS = 5, 3  # labels that are sent
_GAUGE = "mdi:gauge"


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """What a source delivers: float32 samples [n, channels] in [-1, 1] at ``rate_hz``.

    ``lost`` counts the samples a channel that are known to be missing directly before this block. The last ``spare``
    channels are not listened to; they are there to see whether the sound is on them.
    """

    samples: F32
    rate_hz: int
    lost: int = 0
    spare: int = 0

    @property
    def duration_s(self) -> float:
        """Length in seconds, without what was lost before it."""
        return len(self.samples) / self.rate_hz


@record
class Alternative:
    """Another tempo that the music allows (mostly an octave), with its salience in 0..1 relative to the shown one."""

    bpm: float = described(digits=2)
    salience: float = described(digits=4)


@record
class Tempo:
    """The tempo at ``time_s``. ``age_s`` is how long ago the sound last supported this number; 0 when it does now.

    While the bar is known, ``beats_in_bar`` is the metre, and ``bar_phase`` the part of the bar that has passed (0..1).
    """

    KIND: ClassVar[Kind] = Kind("tempo", mqtt="retained", sure=("state", ("locked",)))

    time_s: float
    bpm: float = described(
        digits=2,
        osc=True,
        osc_alone="bpm",
        row=True,
        entity=Entity("Tempo", "mdi:metronome", key="tempo", unit="BPM", digits=1),
    )
    confidence: float = described(digits=4, osc=True, row=True, entity=Entity("Tempo confidence", _GAUGE, unit="%"))
    state: TempoState = described(osc=True, row=True, attribute=True)
    age_s: float = described(digits=2, osc=True, attribute=True)
    alternatives: tuple[Alternative, ...] = described(attribute=True)
    beats_in_bar: int | None = described(default=None, row=True, attribute=True)
    bar_phase: float | None = described(default=None, digits=3)


@record
class Beat:
    """A beat. One message a beat, sent with the step of sound in which it falls or at whose end it is about to.

    The beat falls at ``beat_s``, from 30 ms after ``time_s`` to two steps before it, and the next one at ``next_s``:
    that is known before it falls, so that a subscriber can hit it. ``number`` is the place in the bar, 1 the downbeat,
    ``beats_in_bar`` the metre; None while the bar is unknown. ``confidence`` is how sure it is that beats fall
    where this says, ``bpm`` their tempo: that of `Tempo`, or an octave of it.
    """

    KIND: ClassVar[Kind] = Kind("beat", mqtt="asked", lasts=False)

    time_s: float
    beat_s: float = described(digits=3, row=True)
    number: int | None = described(osc=True, osc_null=0, row=True)
    beats_in_bar: int | None = described(osc=True, osc_null=0, row=True)
    confidence: float = described(digits=4, osc=True, row=True)
    next_s: float = described(digits=3)
    bpm: float = described(digits=2, osc=True, row=True)


@record
class Score:
    """A label of a genre or sub-genre and its probability."""

    label: str
    p: float = described(digits=4)


@record
class Genre:
    """The genre at ``time_s``.

    ``state`` is searching while it is open whether this is music at all, music, holding in silence, or not_music; the
    last two keep the genre of the music before. Before any music not_music has no ``label`` (None), and its ``scores``
    are what was rejected. ``scores`` holds every label, likeliest first; ``music`` is the probability of music.
    ``sub_genre`` is one of the label's own, when the model is sure of it. ``second`` is another label that is about as
    likely, where the two together are likelier right than wrong: "Rock or Metal". Unless ``sure``, the label is a
    guess, likelier wrong than right.
    """

    KIND: ClassVar[Kind] = Kind("genre", mqtt="retained", sure=("state", ("music",)))

    time_s: float
    label: str | None = described(
        osc=True,
        row=True,
        entity=Entity(
            "Genre", "mdi:music", key="genre", words=(("not_music", "Not music"),), also="second", only_if="sure"
        ),
    )
    confidence: float = described(digits=4, osc=True, row=True, entity=Entity("Genre confidence", _GAUGE, unit="%"))
    state: GenreState = described(osc=True, row=True, attribute=True)
    age_s: float = described(digits=2, osc=True, attribute=True)
    music: float = described(digits=4, attribute=True)
    scores: tuple[Score, ...] = described(wire="top", most=TOP_GENRES, attribute=True)
    sub_genre: Score | None = described(default=None, osc=True, row=True, attribute=True)
    second: Score | None = described(default=None, row=True, attribute=True)
    sure: bool = described(default=False, row=True, attribute=True)


@record
class Key:
    """The key at ``time_s``.

    ``state`` is searching while ``label`` is a guess, clear, holding where nothing has a key, as in silence or drums
    alone: then it is the key of before; and unclear while nothing had a key yet: then there is no ``label`` (None).
    ``camelot`` is its place on the wheel by which keys are mixed, ``tuning_cents`` how far above 440 Hz its A is.
    """

    KIND: ClassVar[Kind] = Kind("key", mqtt="retained", sure=("state", ("clear",)))

    time_s: float
    label: str | None = described(
        osc=True,
        row=True,
        entity=Entity("Key", "mdi:music-clef-treble", key="key", words=(("searching", "Not sure"),)),
        metric=Metric("key", "1 for the key that is shown, a guess too."),
    )
    camelot: str | None = described(osc=True, row=True, attribute=True)
    confidence: float = described(
        digits=4,
        osc=True,
        row=True,
        entity=Entity("Key confidence", _GAUGE, unit="%"),
        metric=Metric("key_confidence", "How sure the key is, 0 to 1."),
    )
    state: KeyState = described(osc=True, row=True, attribute=True)
    age_s: float = described(digits=2, osc=True, attribute=True)
    tuning_cents: float = described(digits=1, row=True, attribute=True)
    scores: tuple[Score, ...] = described(wire="top", most=TOP_KEYS, attribute=True)


@record
class Spectrum:
    """Mel columns as levels, uint8 [columns, bands]: 0..255 for SPECTRUM_FLOOR_DB..SPECTRUM_CEIL_DB."""

    KIND: ClassVar[Kind] = Kind("spectrum", lasts=False)

    time_s: float
    levels: U8


@record
class Level:
    """Loudness of the last step in dB re full scale; ``clipping`` when samples sat at full scale."""

    KIND: ClassVar[Kind] = Kind("level", mqtt="passing")

    time_s: float
    rms_dbfs: float = described(digits=1, osc=True)
    peak_dbfs: float = described(digits=1, osc=True)
    clipping: bool = described(osc=True)


@record
class Loudness:
    """Loudness as broadcasters measure it (EBU R128), of the channels as they came, in LUFS.

    ``momentary_lufs`` is that of the last 0.4 s, ``short_term_lufs`` of the last 3 s, ``integrated_lufs`` of the set so
    far without its pauses, None until there is any; ``range_lu`` is how far loud and soft parts lie apart.
    ``true_peak_dbtp`` is the largest peak so far, between the samples too.
    """

    KIND: ClassVar[Kind] = Kind("loudness", mqtt="passing", mqtt_every_s=1.0)

    time_s: float
    momentary_lufs: float = described(
        digits=1, osc=True, metric=Metric("loudness_momentary_lufs", "Loudness of the last 0.4 s, EBU R128.")
    )
    short_term_lufs: float = described(
        digits=1,
        osc=True,
        row=True,
        entity=Entity("Loudness", "mdi:volume-high", key="loudness", unit="LUFS", digits=1),
        metric=Metric("loudness_short_term_lufs", "Loudness of the last 3 s, EBU R128."),
    )
    integrated_lufs: float | None = described(
        digits=1,
        osc_alone="integrated",
        row=True,
        entity=Entity("Loudness of the set", "mdi:sigma", unit="LUFS", digits=1),
        metric=Metric("loudness_integrated_lufs", "Loudness of the set so far, EBU R128."),
    )
    range_lu: float = described(
        digits=1,
        osc=True,
        entity=Entity("Loudness range", "mdi:arrow-expand-vertical", unit="LU", digits=1),
        metric=Metric("loudness_range_lu", "Loudness range of the set so far, EBU R128."),
    )
    true_peak_dbtp: float = described(
        digits=1,
        osc=True,
        row=True,
        entity=Entity("True peak", "mdi:arrow-collapse-up", unit="dBTP", digits=1),
        metric=Metric("true_peak_dbtp", "Largest true peak of the set so far."),
    )


@record
class Energy:
    """How much the music drives, 0..1 on the scale of this night, and what was heard for it.

    ``value`` is made of loudness, onsets and brightness of the last seconds; 0 is as calm as the calmest twentieth of
    the night so far, 1 as wild as its wildest. ``bass_dbfs`` is the level below 150 Hz of the last 0.4 s,
    ``onsets_per_s`` how many sounds begin in a second, ``brightness_hz`` the middle of what lies above the bass.
    """

    KIND: ClassVar[Kind] = Kind("energy", mqtt="passing", mqtt_every_s=1.0)

    time_s: float
    value: float = described(
        digits=3,
        osc=True,
        row=True,
        entity=Entity("Energy", "mdi:lightning-bolt", key="energy", unit="%"),
        metric=Metric("energy", "How much the music drives, 0 to 1 on the scale of this night."),
    )
    bass_dbfs: float = described(digits=1, osc=True, row=True, attribute=True)
    onsets_per_s: float = described(digits=1, osc=True, row=True, attribute=True)
    brightness_hz: float = described(digits=0, osc=True, row=True, attribute=True)


@record
class Moment:
    """Where the music turns: a build-up or a breakdown was heard to have begun, or a drop fell, at ``at_s``."""

    KIND: ClassVar[Kind] = Kind("moment", mqtt="passing", lasts=False)

    time_s: float
    turn: Turn = described(
        osc=True,
        row=True,
        entity=Entity("Moment", "mdi:arrow-decision", key="moment", options=("build_up", "drop", "breakdown")),
    )
    at_s: float = described(digits=1, row=True, attribute=True)
    confidence: float = described(digits=4, osc=True, row=True, attribute=True)


@record
class Status:
    """What the analyzer is doing, and what was lost since the start.

    The pipeline fills in ``lag_s``, the audio that waits to be analysed, ``latency_s``, the time from a sample's
    arrival to the message that it led to, ``clients``, who listens, ``missed``, the messages that clients which lagged
    did not get, ``stalled``, the clients that were closed because they took nothing, and ``broker``, how things stand
    with the MQTT broker; ``broker_refusal`` names a topic that it does not take, and why. ``log`` tells how things
    stand with the set log: off, kept, or stuck since it can't be written, of which ``log_trouble`` is the reason.
    ``demo`` says that this is the bundled demo set and no live sound.
    ``silence`` tells kinds of silence apart: exact zeros, mere quiet, or sound elsewhere, on the channel ``sound_on``.
    ``title`` is what a web radio station says that it plays.
    ``lost_s`` is the audio that never arrived; ``nonfinite`` the samples that were NaN or infinite and became silence.
    """

    KIND: ClassVar[Kind] = Kind("status", mqtt="retained")

    time_s: float
    state: State = described(osc=True, entity=Entity("State", "mdi:ear-hearing", key="state", options=get_args(State)))
    detail: str = described(osc=True, attribute=True)
    lag_s: float = described(digits=2)
    lost_s: float = described(digits=3, metric=Metric("audio_lost_seconds", "Sound that never arrived.", counter=True))
    nonfinite: int = described(
        metric=Metric("audio_nonfinite_samples", "Samples that were NaN or infinite.", counter=True)
    )
    clients: int
    missed: int = 0
    stalled: int = 0
    latency_s: float = described(
        default=0.0, digits=3, metric=Metric("latency_seconds", "From a sample's arrival to its message.")
    )
    broker: BrokerState = "none"
    broker_refusal: str = ""
    demo: bool = described(
        default=False, osc_alone="demo", metric=Metric("demo", "1 while the demo set plays, and no live sound.")
    )
    title: str = described(default="", attribute=True)
    silence: Silence = described(default="none", attribute=True)
    sound_on: int | None = described(
        default=None,
        attribute=True,
        metric=Metric("sound_on_channel", "Channel with sound while what is heard is silent, or 0."),
    )
    log: LogState = "off"
    log_trouble: str = ""


# What the analyzer and the heads that ship say.
EVENTS: tuple[type[Described], ...] = (Tempo, Beat, Genre, Key, Loudness, Energy, Moment, Level, Status, Spectrum)

SPECTRUM_FLOOR_DB = -60.0
SPECTRUM_CEIL_DB = 40.0
