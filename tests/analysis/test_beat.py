"""Beats and bars: the filters on made activations, the head with the shipped model on sounds of known beats."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.beat.bars import BarFilter
from stream_analyzer.analysis.beat.head import BeatHead
from stream_analyzer.analysis.beat.phase import PhaseFilter
from stream_analyzer.analysis.beat.picture import DEPTH, RunningLevel
from stream_analyzer.analysis.beat.tracker import AHEAD_S, BeatTracker, Found
from stream_analyzer.analysis.heads import load_heads
from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.analysis.tempo.head import TempoHead
from stream_analyzer.analysis.tempo.witness import Witness
from stream_analyzer.system.resources import resource_folder
from stream_analyzer.types import AudioBlock, Beat, Tempo
from tests.support.fakes import SONG_RATE_HZ, drum_loop

if TYPE_CHECKING:
    from stream_analyzer.types import F32

FRAME_S = 0.02


def activation(beats_s: list[float], *, seconds: float, downbeats: list[int] = []) -> F32:  # noqa: B006 - only read
    """Return what a network would hear of beats, [frames, 2]; the ``downbeats``-th of them begin a bar."""
    frame_s = np.arange(round(seconds / FRAME_S)) * FRAME_S
    heard = np.full((len(frame_s), 2), 0.02, np.float32)
    for index, beat_s in enumerate(beats_s):
        bump = 0.9 * np.exp(-0.5 * ((frame_s - beat_s) / 0.015) ** 2)
        heard[:, 0] = np.maximum(heard[:, 0], bump)
        if index in downbeats:
            heard[:, 1] = np.maximum(heard[:, 1], bump)
    return heard


def regular(bpm: float, *, seconds: float, first_s: float = 0.2) -> list[float]:
    return list(np.arange(first_s, seconds, 60.0 / bpm))


def track(tracker: BeatTracker, heard: F32, *, bpm: float | None = None) -> list[Found]:
    """Give a tracker activations as the analyzer does: five frames each tenth of a second, the newest 0.1 s old."""
    found = []
    for step in range(len(heard) // 5):
        now_s = (step + 2) / 10.0
        if bpm:
            tracker.follow(tempo(bpm, now_s))
        beat = tracker.push(heard[step * 5 : step * 5 + 5], last_s=(step * 5 + 4) * FRAME_S, now_s=now_s)
        found += [beat] if beat else []
    return found


def tempo(bpm: float, time_s: float = 0.0) -> Tempo:
    return Tempo(time_s, bpm, 0.9, "locked", 0.0, ())


def off_ms(found: list[float], truth: list[float]) -> float:
    """Return the median distance of what was found to the nearest of the truth, in ms."""
    return 1e3 * float(np.median(np.abs(np.array(found)[:, None] - np.array(truth)).min(axis=1)))


@pytest.mark.parametrize("bpm", [62.0, 97.3, 128.0, 174.0])
def test_the_filter_finds_tempo_and_phase(bpm: float) -> None:
    phases = PhaseFilter()
    phases.push(activation(regular(bpm, seconds=9.98), seconds=10.0)[:, 0])
    phase = phases.phase()
    assert phase.length == pytest.approx(3000.0 / bpm, rel=0.03)
    since_s = (9.98 - 0.2) % (60.0 / bpm)
    off = (phase.passed - since_s * bpm / 60.0 + 0.5) % 1.0 - 0.5
    assert abs(off) * 60.0 / bpm < 0.02
    assert phase.sure > 0.8


def test_the_filter_is_not_sure_of_what_has_no_beat() -> None:
    phases = PhaseFilter()
    phases.push(np.full(500, 0.05, np.float32))
    assert phases.phase().sure * phases.phase().share < 0.3


def test_a_preferred_tempo_decides_the_octave() -> None:
    heard = activation(regular(120.0, seconds=12.0), seconds=12.0)
    slow, fast = (track(BeatTracker(), heard, bpm=bpm)[-6:] for bpm in (60.0, 120.0))
    assert np.diff([beat.beat_s for beat in slow]) == pytest.approx(1.0, abs=0.03)
    assert np.diff([beat.beat_s for beat in fast]) == pytest.approx(0.5, abs=0.03)


def test_beats_are_told_once_each_and_foretold() -> None:
    truth = regular(128.0, seconds=20.0)
    found = track(BeatTracker(), activation(truth, seconds=20.0), bpm=128.0)
    assert len(found) >= len(truth) - 6
    assert off_ms([beat.beat_s for beat in found], truth) < 8.0
    assert off_ms([beat.next_s for beat in found if beat.next_s < truth[-1]], truth) < 10.0
    assert min(later.beat_s - sooner.beat_s for sooner, later in pairwise(found)) > 0.4


def test_a_beat_falls_within_the_step_that_tells_it_or_just_after() -> None:
    tracker, heard = BeatTracker(), activation(regular(133.0, seconds=15.0), seconds=15.0)
    for step in range(len(heard) // 5):
        now_s = (step + 2) / 10.0
        beat = tracker.push(heard[step * 5 : step * 5 + 5], last_s=(step * 5 + 4) * FRAME_S, now_s=now_s)
        if beat and now_s > 5.0:
            assert now_s - 0.1 < beat.beat_s <= now_s + AHEAD_S < beat.next_s


def test_beats_go_on_through_a_breakdown() -> None:
    truth = regular(126.0, seconds=30.0)
    played = [beat for beat in truth if not 12.0 < beat < 18.0]
    found = [beat for beat in track(BeatTracker(), activation(played, seconds=30.0), bpm=126.0) if beat.beat_s > 6.0]
    during = [beat for beat in found if 13.0 < beat.beat_s < 18.0]
    assert len(during) >= 9
    assert off_ms([beat.beat_s for beat in during], truth) < 30.0
    assert off_ms([beat.beat_s for beat in found if beat.beat_s > 19.0], truth) < 10.0


def test_a_jump_of_the_phase_is_followed() -> None:
    jumped = [*regular(120.0, seconds=10.0), *regular(120.0, seconds=25.0, first_s=10.45)]
    found = track(BeatTracker(), activation(jumped, seconds=25.0), bpm=120.0)
    assert off_ms([beat.beat_s for beat in found if beat.beat_s > 14.0], jumped) < 10.0


@pytest.mark.parametrize("metre", [2, 3, 4, 5, 7])
def test_beats_are_counted_in_their_bar(metre: int) -> None:
    truth = regular(140.0, seconds=25.0)
    heard = activation(truth, seconds=25.0, downbeats=list(range(1, len(truth), metre)))
    found = [beat for beat in track(BeatTracker(), heard, bpm=140.0) if beat.beat_s > 12.0]
    assert {beat.beats_in_bar for beat in found} == {metre}
    for beat in found:
        index = round((beat.beat_s - truth[0]) * 140.0 / 60.0)
        assert beat.number == (index - 1) % metre + 1


def test_nobody_counts_where_nothing_begins_a_bar() -> None:
    bars = BarFilter()
    for _ in range(4):
        bars.hear(0.5)
        bars.advance()
    assert bars.place in (1, 2, 3, 4, None)
    fresh = BarFilter()
    bars.reset()
    assert (bars.beats_in_bar, bars.place) == (fresh.beats_in_bar, fresh.place)


def test_a_reset_tracker_equals_a_new_one() -> None:
    heard = activation(regular(100.0, seconds=10.0), seconds=10.0, downbeats=[0, 4, 8, 12])
    used = BeatTracker()
    track(used, activation(regular(171.0, seconds=7.0), seconds=7.0), bpm=171.0)
    used.reset()
    assert track(used, heard) == track(BeatTracker(), heard)


def test_levels_say_nothing_of_gain_and_are_the_same_however_frames_come() -> None:
    rng = np.random.default_rng(3)
    frames = rng.normal(-4.0, 3.0, (200, 128)).astype(np.float32)
    whole = RunningLevel().push(frames)
    assert float(whole.min()) >= 0.0
    assert float(whole.max()) == pytest.approx(DEPTH, abs=1e-4)
    assert np.abs(RunningLevel().push(frames + np.float32(5.0)) - whole).max() < 1e-4
    pieces = RunningLevel()
    assert np.abs(np.concatenate([pieces.push(frames[i : i + 7]) for i in range(0, 200, 7)]) - whole).max() < 1e-4


def hear(sound: F32, *, block: int = 4410, rate_hz: int = SONG_RATE_HZ) -> list[Beat]:
    """Return the beats that tempo and beat head, with the shipped models, tell of a sound."""
    models = resource_folder("models")
    analyzer = Analyzer([TempoHead(TfliteModel(models / "tempo")), BeatHead(TfliteModel(models / "beat"))])
    blocks = [AudioBlock(sound[start : start + block], rate_hz) for start in range(0, len(sound), block)]
    events = [event for one in blocks for event in analyzer.feed(one)] + analyzer.end()
    return [event for event in events if isinstance(event, Beat)]


@pytest.mark.parametrize("bpm", [96.0, 124.0])
def test_the_shipped_model_follows_a_drum_loop(bpm: float) -> None:
    beats = [beat for beat in hear(drum_loop(16.0, bpm=bpm, rate_hz=SONG_RATE_HZ)) if beat.beat_s > 6.0]
    truth = list(np.arange(0.0, 17.0, 60.0 / bpm))
    assert len(beats) >= math.floor(9.0 * bpm / 60.0)
    assert off_ms([beat.beat_s for beat in beats], truth) < 25.0
    assert off_ms([beat.next_s for beat in beats], truth) < 25.0
    assert [beat.bpm for beat in beats] == pytest.approx([bpm] * len(beats), rel=0.02)


def test_beats_are_the_same_for_any_cut_into_blocks() -> None:
    sound = drum_loop(9.0, bpm=118.0, rate_hz=SONG_RATE_HZ)
    assert hear(sound, block=1024) == hear(sound, block=len(sound))


@pytest.mark.parametrize("rate_hz", [11_025, 48_000, 96_000])
def test_the_clock_is_right_at_any_rate(rate_hz: int) -> None:
    beats = hear(drum_loop(14.0, bpm=120.0, rate_hz=rate_hz), rate_hz=rate_hz)
    late = [beat.beat_s for beat in beats if beat.beat_s > 6.0]
    assert len(late) > 12
    assert off_ms(late, list(np.arange(0.0, 15.0, 0.5))) < 25.0


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 48_000])
def test_no_beat_waits_for_a_step_more_at_any_rate(rate_hz: int) -> None:
    """A resampler hands out sound in chunks, so some steps complete no block of frames: their beats are told too."""
    beats = hear(drum_loop(14.0, bpm=131.0, rate_hz=rate_hz), rate_hz=rate_hz)
    late_s = [beat.time_s - beat.beat_s for beat in beats if beat.beat_s > 6.0]
    assert len(late_s) > 12
    assert max(late_s) < 0.13


def test_silence_has_no_beats() -> None:
    loud = drum_loop(10.0, bpm=120.0, rate_hz=SONG_RATE_HZ)
    beats = hear(np.concatenate([loud, np.zeros_like(loud)]))
    assert beats
    assert max(beat.beat_s for beat in beats) < 12.0


def test_beats_know_the_tempo_that_is_shown() -> None:
    analyzer = Analyzer(load_heads(resource_folder("models")))
    events = analyzer.feed(AudioBlock(drum_loop(14.0, bpm=124.0, rate_hz=SONG_RATE_HZ), SONG_RATE_HZ))
    shown = None
    for event in events:
        if isinstance(event, Tempo):
            shown = event
        elif isinstance(event, Beat) and event.time_s > 6.0:
            assert shown is not None
            assert event.bpm == pytest.approx(shown.bpm, rel=0.08)


def test_a_witness_turns_the_tempo_and_its_octave_less() -> None:
    bins = np.array([60.0, 90.0, 120.0, 180.0])
    word = Witness(np.array([90.0]), np.array([1.0])).of(bins)
    assert word[1] == word.max()
    assert word[3] > word[0] == word[2]
    assert np.ptp(Witness(np.array([90.0]), np.array([0.0])).of(bins)) == 0.0


def test_the_tempo_hears_its_witness() -> None:
    model = TfliteModel(resource_folder("models") / "tempo")
    sound, shown = drum_loop(12.0, bpm=120.0, rate_hz=SONG_RATE_HZ), {}
    for bpm in (None, 160.0):
        witness = Witness(np.array([bpm or 1.0]), np.array([1.0]))
        head = TempoHead(model, ask=partial(replace, witness) if bpm else None)
        events = Analyzer([head]).feed(AudioBlock(sound, SONG_RATE_HZ))
        shown[bpm] = [event for event in events if isinstance(event, Tempo)][-1]
    assert shown[None].bpm == pytest.approx(120.0, rel=0.01)
    assert shown[160.0].confidence < shown[None].confidence


def test_the_tempo_knows_the_bar_that_the_beats_are_counted_in() -> None:
    analyzer = Analyzer(load_heads(resource_folder("models")))
    events = analyzer.feed(AudioBlock(drum_loop(14.0, bpm=124.0, rate_hz=SONG_RATE_HZ), SONG_RATE_HZ))
    beat, barred = None, 0
    for event in events:
        if isinstance(event, Beat):
            beat = event
        elif isinstance(event, Tempo) and event.bar_phase is not None:
            assert beat is not None
            assert beat.number is not None
            assert event.beats_in_bar == beat.beats_in_bar
            metre = event.beats_in_bar or 0
            place = beat.number - 1 + (event.time_s - beat.beat_s) * beat.bpm / 60.0
            assert abs((event.bar_phase * metre - place + metre / 2.0) % metre - metre / 2.0) < 0.3
            barred += 1
    assert barred > 10


def test_beats_that_contradict_the_tempo_insist_and_turn_it() -> None:
    heard, tracker = activation(regular(90.0, seconds=20.0), seconds=20.0), BeatTracker()
    track(tracker, heard, bpm=120.0)
    assert tracker.tempo().insists > 6
    bins = np.array([90.0, 120.0])
    once, often = (replace(tracker.tempo(), insists=times).of(bins) for times in (0, 6))
    assert often[1] / often[0] < (once[1] / once[0]) ** 4


@pytest.mark.parametrize("bpm", [75.0, 150.0])
def test_beats_at_the_tempo_or_an_octave_of_it_do_not_insist(bpm: float) -> None:
    tracker = BeatTracker()
    track(tracker, activation(regular(75.0, seconds=20.0), seconds=20.0), bpm=bpm)
    assert tracker.tempo().insists == 0
