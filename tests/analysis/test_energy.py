"""Energy: what is measured of known signals, the scale of a night, and the head within the `Analyzer`."""

from __future__ import annotations

import numpy as np
import pytest

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.energy.head import EnergyHead
from stream_analyzer.analysis.energy.measures import Measured, Measures
from stream_analyzer.analysis.energy.scale import NightScale
from stream_analyzer.analysis.features import SPEC, StreamingLogMel
from stream_analyzer.types import AudioBlock, Energy

RATE_HZ = SPEC.sample_rate_hz


def tone(hz: float, *, seconds: float = 4.0, amplitude: float = 1.0) -> np.ndarray:
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (amplitude * np.sin(2.0 * np.pi * hz * time_s)).astype(np.float32)


def clicks(per_s: float, *, seconds: float = 6.0) -> np.ndarray:
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    noise = np.random.default_rng(1).normal(0.0, 0.3, len(time_s))
    return (noise * np.exp(-40.0 * (time_s % (1.0 / per_s)))).astype(np.float32)


def measure(sound: np.ndarray) -> Measured:
    log_mel, measures = StreamingLogMel(), Measures()
    steps = sound.reshape(-1, RATE_HZ // 10)
    return [measures.push(log_mel.push(step)) for step in steps][-1]


def energies(sound: np.ndarray, *, blocks: int = 7) -> list[Energy]:
    analyzer = Analyzer([EnergyHead()])
    parts = np.array_split(sound[:, None], blocks)
    events = [event for part in parts for event in analyzer.feed(AudioBlock(part, RATE_HZ))]
    return [event for event in events if isinstance(event, Energy)]


@pytest.mark.parametrize(("hz", "loudness_db", "bass_dbfs"), [(80.0, -3.5, -3.0), (1000.0, -2.6, -45.0)])
def test_levels_of_a_full_scale_tone(hz: float, loudness_db: float, bass_dbfs: float) -> None:
    found = measure(tone(hz))
    assert found.loudness_db == pytest.approx(loudness_db, abs=0.8)
    assert found.bass_dbfs == pytest.approx(bass_dbfs, abs=0.8) or found.bass_dbfs < bass_dbfs < -40.0


def test_brightness_is_the_middle_above_the_bass() -> None:
    assert measure(tone(2000.0)).brightness_hz == pytest.approx(2000.0, rel=0.1)
    assert measure(tone(2000.0, amplitude=0.2) + tone(60.0)).brightness_hz == pytest.approx(2000.0, rel=0.25)
    assert measure(np.zeros(2205, np.float32)).brightness_hz == 0.0


@pytest.mark.parametrize("per_s", [2.0, 5.0, 8.0])
def test_onsets_are_counted(per_s: float) -> None:
    assert measure(clicks(per_s)).onsets_per_s == pytest.approx(per_s, abs=0.6)


def test_the_scale_of_a_night() -> None:
    night = NightScale()
    assert night.place(-10.0) == 0.0, "nothing to compare with"
    for _ in range(100):
        night.add(-20.0)
    assert night.place(-20.0) == pytest.approx(0.5, abs=0.02), "neither low nor high"
    for value in np.linspace(-40.0, 0.0, 2000):
        night.add(float(value))
    assert [night.place(value) for value in (-60.0, 20.0)] == [0.0, 1.0]
    assert night.place(-30.0) < night.place(-20.0) < night.place(-10.0)


def test_loud_dense_sound_has_more_energy_than_soft_and_silence_none() -> None:
    soft, loud = 0.05 * clicks(2.0), clicks(8.0)
    found = energies(np.concatenate([loud, soft, np.zeros(5 * RATE_HZ, np.float32), soft]))
    by_time = {round(event.time_s, 1): event.value for event in found}
    assert by_time[5.9] > by_time[11.9] + 0.3
    assert by_time[16.9] == 0.0
    assert by_time[22.9] == pytest.approx(by_time[11.9], abs=0.15), "the night goes on after a silence"


def test_the_same_however_the_sound_is_cut() -> None:
    sound = np.concatenate([clicks(3.0), tone(300.0)])
    assert energies(sound, blocks=1) == energies(sound, blocks=97)


def test_a_reset_head_is_a_new_one() -> None:
    sound, head = clicks(4.0), EnergyHead()
    analyzer = Analyzer([head])
    runs = []
    for _ in range(2):
        analyzer.reset()
        events = analyzer.feed(AudioBlock(sound[:, None], RATE_HZ))
        runs.append([event for event in events if isinstance(event, Energy)])
    assert runs[0] == runs[1]
    assert len(runs[0]) == 60
