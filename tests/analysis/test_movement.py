"""Hum, tones and noise get neither genre nor tempo; whatever moves is left to the models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pytest

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.types import AudioBlock, Genre, Status, Tempo
from tests.support.fakes import drum_loop, make_fakes

if TYPE_CHECKING:
    from stream_analyzer.analysis.head import Step
    from stream_analyzer.kinds import Described
    from stream_analyzer.types import F32

RATE_HZ = 22_050
SECONDS = 14.0
TIME = np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ


def hum(hz: float) -> F32:
    return column(0.05 * np.sum([np.sin(2.0 * np.pi * hz * k * TIME + k) / k for k in range(1, 6)], axis=0))


def tone(hz: float) -> F32:
    return column(0.1 * np.sin(2.0 * np.pi * hz * TIME))


def noise(cut_hz: float, *, seed: int = 1) -> F32:
    """Return noise behind a low-pass filter of 24 dB an octave."""
    hz = np.fft.rfftfreq(len(TIME), 1.0 / RATE_HZ)
    white = np.random.default_rng(seed).standard_normal(len(TIME))
    band = np.fft.irfft(np.fft.rfft(white) / np.sqrt(1.0 + (hz / cut_hz) ** 8), len(TIME))
    return column(0.1 * band / band.std())


def column(samples: np.ndarray) -> F32:
    return samples.astype(np.float32)[:, None]


def analysed(*parts: F32) -> list[Described]:
    analyzer = Analyzer(make_fakes())
    return [event for part in parts for event in analyzer.feed(AudioBlock(part, RATE_HZ))]


def last_status(events: list[Described]) -> Status:
    return [event for event in events if isinstance(event, Status)][-1]


@pytest.mark.parametrize(
    ("sound", "samples"),
    [
        ("hum", hum(50.0)), ("hum", hum(60.0)), ("hum", hum(100.0)), ("hum", hum(50.0) + 0.003 * noise(9000.0)),
        ("tone", tone(1000.0)), ("tone", tone(440.0)),
        ("noise", noise(400.0)), ("noise", noise(2000.0)), ("noise", noise(10_000.0)),
    ],
)  # fmt: skip
def test_what_does_not_move_is_named_and_not_judged(sound: str, samples: F32) -> None:
    events = analysed(samples)
    assert (last_status(events).state, last_status(events).detail) == (
        "steady",
        f"only a {sound} that does not move: no music",
    )
    assert not [event for event in events if isinstance(event, Genre | Tempo)]


CLICKS = np.zeros_like(TIME)
CLICKS[:: RATE_HZ // 2] = 0.5


@pytest.mark.parametrize(
    "samples",
    [
        drum_loop(SECONDS), drum_loop(SECONDS, bpm=60.0), drum_loop(SECONDS, bpm=200.0),
        column(CLICKS), hum(50.0) + drum_loop(SECONDS), noise(10_000.0) + drum_loop(SECONDS),
        column(tone(440.0)[:, 0] * (1.0 + 0.6 * np.sin(2.0 * np.pi * 5.0 * TIME))),
    ],
    ids=["drums", "slow", "fast", "clicks", "over hum", "over noise", "tremolo"],
)  # fmt: skip
def test_what_moves_is_judged(samples: F32) -> None:
    events = analysed(samples)
    assert "steady" not in {event.state for event in events if isinstance(event, Status)}
    assert [event for event in events if isinstance(event, Tempo)]


def test_music_over_a_hum_starts_afresh_and_after_it_the_hum_is_told() -> None:
    analyzer = Analyzer(make_fakes())
    analyzer.feed(AudioBlock(hum(50.0), RATE_HZ))
    events = analyzer.feed(AudioBlock(drum_loop(8.0) + hum(50.0)[: 8 * RATE_HZ], RATE_HZ))
    assert last_status(events).state == "live"
    tempi = [event for event in events if isinstance(event, Tempo)]
    assert tempi[0].state != "holding"
    assert tempi[0].time_s > SECONDS + 3.0, "what was before says nothing"
    events = analyzer.feed(AudioBlock(hum(50.0), RATE_HZ))
    assert last_status(events).state == "steady"
    held = [event for event in events if isinstance(event, Tempo)]
    assert held[-1].state == "holding"


def test_a_chord_that_is_held_within_music_is_music() -> None:
    chord = tone(220.0) + tone(277.0) + tone(330.0)
    events = analysed(drum_loop(8.0), chord[: 6 * RATE_HZ], drum_loop(4.0))
    assert "steady" not in {event.state for event in events if isinstance(event, Status)}


def run_out(rpm: float, *, tick: float, hiss: float = 0.004) -> F32:
    """Return the groove at the end of a record: hiss, and a tick each turn."""
    rng = np.random.default_rng(3)
    sound = hiss * rng.standard_normal(len(TIME))
    for start in np.arange(0.0, SECONDS, 60.0 / rpm):
        at = round(start * RATE_HZ)
        sound[at : at + 60] += tick * rng.standard_normal(len(sound[at : at + 60]))
    return column(sound)


def claps(bpm: float, *, people: int = 25) -> F32:
    """Return a crowd that claps together, each a little early or late, among others who only applaud."""
    rng = np.random.default_rng(7)
    sound = 0.006 * rng.standard_normal(len(TIME))
    decay = np.exp(-np.arange(882) / RATE_HZ * 90.0)
    for beat in np.arange(0.5, SECONDS - 0.5, 60.0 / bpm):
        for late in np.abs(rng.normal(0.0, 0.03, people)):
            at = round((beat + late) * RATE_HZ)
            sound[at : at + 882] += 0.1 * rng.random() * rng.standard_normal(882) * decay
    return column(sound)


class Judge:
    """Stands for the genre head: says once a second what it was told to. State: none."""

    name: ClassVar[str] = "genre"
    event: ClassVar[type[Any]] = Genre
    measures: ClassVar[bool] = False
    model = None
    features = ()
    ready = True
    window_s = first_s = latency_s = 0.0

    def __init__(self, verdict: Literal["music", "not_music"]) -> None:
        self._verdict: Literal["music", "not_music"] = verdict

    def facts(self) -> dict[str, Any]:
        return {}

    def hear(self, step: Step) -> list[Genre]:
        return [] if step.idle else [Genre(step.time_s, None, 0.0, self._verdict, 0.0, 0.0, ())]

    def reset(self) -> None:
        pass


def judged(samples: F32, verdict: Literal["music", "not_music"]) -> list[Described]:
    tempo = next(head for head in make_fakes() if head.name == "tempo")
    return Analyzer([tempo, Judge(verdict)]).feed(AudioBlock(samples, RATE_HZ))


@pytest.mark.parametrize("rpm", [100.0 / 3.0, 45.0, 78.0])
@pytest.mark.parametrize("tick", [0.05, 0.1, 0.2])
def test_the_ticks_of_a_run_out_groove_get_no_tempo(rpm: float, tick: float) -> None:
    events = judged(run_out(rpm, tick=tick), "not_music")
    assert last_status(events).state == "steady"
    assert "noise" in last_status(events).detail
    assert not [event for event in events if isinstance(event, Tempo) and event.time_s > 4.0]


@pytest.mark.parametrize("bpm", [80.0, 112.0, 140.0])
def test_clapping_together_does(bpm: float) -> None:
    events = judged(claps(bpm), "not_music")
    assert "steady" not in {event.state for event in events if isinstance(event, Status)}
    assert [event for event in events if isinstance(event, Tempo)][-1].time_s > SECONDS - 1.0


def test_what_is_known_to_be_music_may_tick() -> None:
    events = judged(run_out(78.0, tick=0.1), "music")
    assert "steady" not in {event.state for event in events if isinstance(event, Status)}


@pytest.mark.parametrize("samples", [drum_loop(SECONDS), drum_loop(SECONDS, bpm=60.0), column(CLICKS)])
def test_a_drone_with_drums_is_no_noise_whatever_the_verdict(samples: F32) -> None:
    assert "steady" not in {event.state for event in judged(samples, "not_music") if isinstance(event, Status)}
