"""Beats as MIDI clock and in an Ableton Link session: even, on the beat, begun on a downbeat, ended with the beats."""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import mido
import numpy as np
import pytest

from stream_analyzer.errors import ConfigError
from stream_analyzer.serving.clocks import link as link_sink
from stream_analyzer.serving.clocks import midi
from stream_analyzer.serving.clocks.line import Conductor, Line
from stream_analyzer.serving.clocks.link import LinkSink
from stream_analyzer.serving.clocks.midi import MidiSink, Ticks
from stream_analyzer.types import Beat, Level, Status
from tests.support import midi_port
from tests.support.running import PERIOD_S, BeatingHead, Metronome, running

if TYPE_CHECKING:
    from collections.abc import Iterator

LATE_S = 0.1  # a message comes with the step in which its beat falls
BPM = 60.0 / PERIOD_S


def beat(count: int, *, at_s: float | None = None, number: int | None = None, period_s: float = PERIOD_S) -> Beat:
    falls_s = count * period_s if at_s is None else at_s
    bar = None if number is None else 4
    return Beat(falls_s + LATE_S, falls_s, number, bar, 0.9, falls_s + period_s, 60.0 / period_s)


def level(time_s: float) -> Level:
    return Level(time_s, -20.0, -3.0, clipping=False)


def conducted(count: int = 8, *, shift: int = 0) -> Conductor:
    """Return a conductor that has heard some beats, whose local clock is the sample clock."""
    conductor = Conductor()
    conductor.hear(level(0.05), 0.05)
    for i in range(count):
        conductor.hear(beat(i, number=(i + shift) % 4 + 1), i * PERIOD_S + LATE_S)
    return conductor


def test_there_is_no_line_before_a_beat() -> None:
    conductor = Conductor()
    assert not conductor.hear(level(0.1), 0.1)
    assert conductor.line is None


def test_the_count_falls_on_the_beats() -> None:
    line = conducted().line
    assert line
    assert line.position(7 * PERIOD_S) == pytest.approx(7.0)
    assert line.time_of(8.0) == pytest.approx(8 * PERIOD_S)
    assert [line.is_downbeat(count) for count in (7, 8, 9)] == [False, True, False]


def test_beats_that_are_heard_a_little_off_bend_the_line_and_do_not_break_it() -> None:
    conductor, rng = conducted(1), np.random.default_rng(1)
    offs = rng.normal(0.0, 0.02, 60)
    errors, speeds = [], []
    for i in range(1, 60):
        before, now_s = conductor.line, i * PERIOD_S + LATE_S
        conductor.hear(beat(i, at_s=i * PERIOD_S + offs[i]), now_s)
        after = conductor.line
        assert before
        assert after
        assert after.run == before.run
        assert after.position(now_s) == pytest.approx(before.position(now_s)), "no jump"
        errors.append((after.position(i * PERIOD_S) - i) * PERIOD_S)
        speeds.append(PERIOD_S / after.period_s)
    assert np.std(errors) < np.std(offs), "steadier than what was heard"
    assert max(abs(speed - 1.0) for speed in speeds) <= 0.12


def test_another_phase_begins_another_run() -> None:
    conductor = conducted()
    before = conductor.line
    conductor.hear(beat(0, at_s=8.4 * PERIOD_S, number=1), 8.4 * PERIOD_S + LATE_S)
    assert before
    assert conductor.line
    assert conductor.line.run != before.run
    assert conductor.line.position(8.4 * PERIOD_S) % 1.0 == pytest.approx(0.0)


@pytest.mark.parametrize("state", ["silent", "device_lost", "ended"])
def test_the_line_ends_with_the_sound(state: Any) -> None:
    conductor = conducted()
    assert conductor.hear(Status(4.0, state, "", 0.0, 0.0, 0, 0), 4.0)
    assert conductor.line is None


class Played:
    """What is sent along a line, on a clock that the test turns."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.times_s: list[float] = []
        self.ticks = Ticks(lambda message: self.sent.append(message.type))

    def until(self, line: Line | None, end_s: float, *, now_s: float) -> None:
        while (due_s := self.ticks.due_s(line, now_s)) is not None and due_s < end_s:
            assert line
            now_s = max(now_s, due_s)
            self.ticks.tick(line)
            self.times_s.append(now_s)


@pytest.fixture
def line() -> Line:
    """120 BPM, whose beat 4 is a downbeat, from the middle of beat 1 on."""
    return Line(1, 0.75, 1.5, PERIOD_S, ends=100.0, downbeat=4)


def test_ticks_come_24_a_beat_and_start_on_the_downbeat(line: Line) -> None:
    played = Played()
    played.until(line, 4.0 - 1e-6, now_s=0.75)
    assert played.sent.count("start") == 1
    before = played.sent.index("start")
    assert before == 2.5 * 24 - 1, "ticks alone until beat 4"
    assert played.times_s[before] == pytest.approx(2.0), "the tick after the start falls on beat 4"
    assert np.diff(played.times_s) == pytest.approx(PERIOD_S / 24)
    assert "stop" not in played.sent


def test_without_a_bar_it_starts_after_a_while(line: Line) -> None:
    played = Played()
    played.until(replace(line, downbeat=None), 10.0, now_s=0.75)
    assert played.times_s[played.sent.index("start")] == pytest.approx(4.5), "the eighth beat"


def test_it_stops_when_no_beat_comes(line: Line) -> None:
    played = Played()
    played.until(replace(line, ends=10.5), 60.0, now_s=0.75)
    assert played.sent[-1] == "stop"
    assert played.times_s[-1] == pytest.approx(line.time_of(10.5))
    played.until(None, 60.0, now_s=7.0)
    assert played.sent.count("stop") == 1


def test_where_the_bars_have_moved_for_good_it_starts_anew(line: Line) -> None:
    played = Played()
    played.until(line, line.time_of(12.0) - 1e-6, now_s=0.75)
    played.until(replace(line, downbeat=5), line.time_of(15.0), now_s=line.time_of(12.0) - 1e-6)
    played.until(line, line.time_of(20.0), now_s=line.time_of(15.0))
    assert played.sent.count("start") == 1, "one bar in another place is a mistake"
    played.until(replace(line, downbeat=5), line.time_of(50.0), now_s=line.time_of(20.0))
    assert [kind for kind in played.sent if kind != "clock"] == ["start", "stop", "start"]


def test_after_a_sleep_it_does_not_catch_up(line: Line) -> None:
    played = Played()
    played.until(line, 4.0, now_s=0.75)
    count = len(played.times_s)
    played.until(line, 20.1, now_s=20.0)
    assert len(played.times_s) - count < 10
    assert played.sent.count("stop") == 1


@pytest.fixture
def ports() -> Iterator[list[tuple[float, str]]]:
    """Ports of this process."""
    midi_port.sent.clear()
    mido.set_backend("tests.support.midi_port")
    yield midi_port.sent
    mido.set_backend("mido.backends.rtmidi")


@pytest.mark.parametrize("name", ["drum", "virtual"])
async def test_a_drum_machine_is_started_and_stopped(ports: list[tuple[float, str]], name: str) -> None:
    source = Metronome()
    async with running(source, [BeatingHead()], clocks=[MidiSink(name)]):
        async with asyncio.timeout(20.0):
            while not any(kind == "start" for _, kind in ports):
                await asyncio.sleep(0.05)
    kinds = [kind for _, kind in ports]
    assert kinds[-1] == "stop"
    assert kinds.count("start") == 1
    started_s = next(at_s for at_s, kind in ports if kind == "start")
    beats = (started_s - source.begun_s) / PERIOD_S
    assert round(beats) % 4 == 0, "a downbeat"


async def test_a_port_that_is_not_there_is_looked_for(
    ports: list[tuple[float, str]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(midi, "backoff_s", lambda _attempt: 0.01)
    async with running(Metronome(), [BeatingHead()], clocks=[MidiSink("Organ")]):
        async with asyncio.timeout(20.0):
            while "no MIDI port 'Organ'; ports here: Drum Machine 1; Synth 2" not in caplog.text:
                await asyncio.sleep(0.01)
            monkeypatch.setattr(midi_port, "PORTS", ("Organ 3",))
            while not ports:
                await asyncio.sleep(0.01)
    assert caplog.text.count("no MIDI port") == 1


@pytest.mark.parametrize("how", ["pulled out", "broken"])
async def test_a_port_that_goes_is_found_again(
    ports: list[tuple[float, str]], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    monkeypatch.setattr(midi, "backoff_s", lambda _attempt: 0.01)
    monkeypatch.setattr(midi, "_LOOK_EVERY_S", 0.01)
    name = midi_port.PORTS[0]
    async with running(Metronome(), [BeatingHead()], clocks=[MidiSink("drum")]), asyncio.timeout(20.0):
        while not ports:
            await asyncio.sleep(0.01)
        with monkeypatch.context() as away:
            away.setattr(midi_port, "PORTS", ()) if how == "pulled out" else away.setattr(midi_port, "broken", {name})
            while f"MIDI port {name} is gone" not in caplog.text:
                await asyncio.sleep(0.01)
        count = len(ports)
        while len(ports) < count + 5:
            await asyncio.sleep(0.01)


def test_a_machine_without_midi_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> list[str]:
        msg = "error creating ALSA sequencer client object"
        raise RuntimeError(msg)

    monkeypatch.setattr(mido, "get_output_names", refuse)
    with pytest.raises(ConfigError, match="no MIDI on this machine: error creating ALSA"):
        MidiSink("virtual")


@pytest.mark.parametrize(
    ("module", "made", "extra"), [("mido", lambda: MidiSink("x"), "midi"), ("aalink", LinkSink, "link")]
)
def test_without_the_library_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, module: str, made: Any, extra: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(ConfigError, match=rf"stream-analyzer\[{extra}\]"):
        made()


async def test_another_link_program_counts_as_the_music_does() -> None:
    from aalink import Link

    source, loop = Metronome(), asyncio.get_running_loop()
    peer = Link(97.0)
    peer.quantum, peer.enabled = 4, True
    async with running(source, [BeatingHead()], clocks=[LinkSink()]):
        async with asyncio.timeout(20.0):
            while not peer.num_peers or abs(peer.tempo - BPM) > 2.0:
                await asyncio.sleep(0.05)
        await asyncio.sleep(6 * PERIOD_S)
        offs = []
        for _ in range(40):
            await asyncio.sleep(0.03)
            truth = (loop.time() - source.begun_s) / PERIOD_S
            offs.append((peer.phase - truth + 2.0) % 4.0 - 2.0)
    peer.enabled = False
    assert abs(statistics.median(offs)) < 0.1, "of the bar, not of the beat alone"


class FakeLink:
    """A session that another program holds. State: its phase and tempo."""

    def __init__(self, phase: float) -> None:
        self.phase, self.tempo, self.quantum = phase, 100.0, 4.0
        self.forced: list[float] = []

    def force_beat(self, position: float) -> None:
        self.forced.append(position)


@pytest.mark.parametrize(
    ("phase", "jumps", "faster"), [(0.45, 0, True), (0.55, 0, False), (1.0, 1, False), (2.5, 1, False)]
)
def test_a_session_is_steered_by_its_tempo_and_jumps_where_it_is_far(phase: float, jumps: int, *, faster: bool) -> None:
    link: Any = FakeLink(phase)
    link_sink.steer(link, Line(1, 10.0, 4.5, PERIOD_S, 100.0, downbeat=0), 10.0)
    assert link.forced == [0.5] * jumps
    assert (link.tempo > BPM) is faster
    link_sink.steer(link, None, 10.0)


def test_without_a_bar_any_beat_may_be_the_first() -> None:
    link: Any = FakeLink(2.5)
    link_sink.steer(link, Line(1, 10.0, 4.5, PERIOD_S, 100.0), 10.0)
    assert link.forced == []
    assert link.tempo == BPM
