"""From activations to beats: when each falls, its place in the bar, and when the next will fall. Pure.

What the network hears of beats drives a filter over tempo and phase, which leans on the tempo that is shown; a filter
over bars counts the beats. Times are seconds on the sample clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.beat.bars import BarFilter
from stream_analyzer.analysis.beat.phase import NEAR, PhaseFilter
from stream_analyzer.analysis.tempo.witness import Witness

if TYPE_CHECKING:
    from stream_analyzer.types import F32, Tempo

FRAMES_PER_SECOND = 50.0
TEMPO_WIDTH = 0.05  # standard deviation of a beat's length around the shown tempo: difference of logarithms
# How likely a length far from the shown tempo is, relative to one at it; less sure tempi count for less.
ELSEWHERE = {"locked": 0.02, "holding": 0.02, "octave": 0.2}
UNSETTLED = 0.5
BESIDE = 2  # frames beside a beat where its downbeat may show
KEPT = 64  # frames of activations kept to look back at: longer than the longest beat wouldn't help
PLAIN = 0.15  # an activation from which on a beat is heard plainly
REST = 0.25  # less it insists after each beat that agrees, or the two would take turns
INSISTENT = 0.5  # confidence of beats that contradict the tempo shown
HASTY_S = 0.3  # beats this close are not told before there is a tempo: most are halves of beats
LEAST_SURE = 0.3  # of the phase, for a first beat
STEP_S = 0.1
AHEAD_S = 0.03  # a beat this little after the step is told with it: the next step may find it sooner, and tell it late


@dataclass(frozen=True, slots=True)
class Found:
    """A beat at ``beat_s``, ``period_s`` after the one before; the rest as in `Beat`."""

    beat_s: float
    next_s: float
    period_s: float
    confidence: float
    number: int | None
    beats_in_bar: int | None

    @property
    def bpm(self) -> float:
        """The tempo of the beats."""
        return 60.0 / self.period_s


class BeatTracker:
    """Follows beats and bars.

    State: the filters, one of which leans on no tempo; the last activations; the last beat; and how many beats of
    late contradicted the tempo shown.
    """

    def __init__(self) -> None:
        """Start with nothing heard."""
        self._phase, self._free, self._bars = PhaseFilter(), PhaseFilter(), BarFilter()
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._phase.reset()
        self._free.reset()
        self._bars.reset()
        self._tempo: Tempo | None = None
        self._recent = np.zeros((KEPT, 2), np.float32)
        self._beat_s: float | None = None
        self._against = 0.0

    def follow(self, tempo: Tempo) -> None:
        """Lean on the tempo that is shown from now on, the more the surer it is."""
        if tempo != self._tempo:
            self._tempo = tempo
            gap = np.log(self._phase.lengths * tempo.bpm / (60.0 * FRAMES_PER_SECOND))
            elsewhere = ELSEWHERE.get(tempo.state, UNSETTLED)
            self._phase.prefer(elsewhere + (1.0 - elsewhere) * np.exp(-0.5 * (gap / TEMPO_WIDTH) ** 2))

    def tempo(self) -> Witness:
        """Return what the beats say of the tempo, whatever tempo is shown."""
        return Witness(60.0 * FRAMES_PER_SECOND / self._free.lengths, self._free.tempo, self._against)

    def push(self, activation: F32, *, last_s: float, now_s: float) -> Found | None:
        """Take how likely beat and downbeat are at some frames, [n, 2], the last of which begins at ``last_s``.

        Return the beat that falls up to `AHEAD_S` after ``now_s``, the end of the sound, if one wasn't told before.
        """
        self._phase.push(activation[:, 0])
        self._free.push(activation[:, 0])
        self._recent = np.concatenate([self._recent, activation])[-KEPT:]
        phase = self._phase.phase()
        period_s = self._period_s(phase.length)
        heard = self._heard(period_s)
        sure = min(1.0, phase.sure * phase.share)
        beat_s = self._due_s(last_s - phase.passed * period_s, period_s, heard=heard, now_s=now_s)
        if beat_s > now_s + AHEAD_S or (self._beat_s is None and sure < LEAST_SURE):
            return None
        if self._tempo is None and period_s < HASTY_S:
            return None
        self._count(beat_s, last_s=last_s, period_s=period_s)
        if self._disagrees(period_s) and sure * heard > INSISTENT:
            self._against += 1.0
        else:
            self._against = max(0.0, self._against - REST)
        return Found(beat_s, beat_s + period_s, period_s, sure * heard, self._bars.place, self._bars.beats_in_bar)

    def _due_s(self, began_s: float, period_s: float, *, heard: float, now_s: float) -> float:
        """Return when the next beat is due that wasn't told, if one began at ``began_s``.

        While little is ``heard`` of beats, they go on as they went.
        """
        before_s = self._beat_s
        after_s = now_s - STEP_S if before_s is None else max(before_s + 0.5 * period_s, now_s - period_s)
        beat_s = began_s + max(0, math.ceil((after_s - began_s) / period_s)) * period_s
        if before_s is None:
            return beat_s
        going_s = before_s + max(1, round((beat_s - before_s) / period_s)) * period_s
        return going_s + heard * (beat_s - going_s)

    def _heard(self, period_s: float) -> float:
        """Return how plainly a beat was heard within the last beat's length, 0..1."""
        newest = self._recent[-round(period_s * FRAMES_PER_SECOND) :, 0]
        return min(1.0, float(newest.max()) / PLAIN)

    def _period_s(self, length: float) -> float:
        """Return the seconds of a beat: those of the shown tempo, if the beats agree with it."""
        period_s = length / FRAMES_PER_SECOND
        shown_s = 60.0 / self._tempo.bpm if self._tempo else period_s
        return shown_s if abs(math.log(shown_s / period_s)) <= NEAR else period_s

    def _disagrees(self, period_s: float) -> bool:
        """Tell whether the beats have another tempo than is shown, and no octave of it."""
        if self._tempo is None:
            return False
        octaves = math.log2(period_s * self._tempo.bpm / 60.0)
        return abs(octaves - round(octaves)) * math.log(2.0) > NEAR

    def _count(self, beat_s: float, *, last_s: float, period_s: float) -> None:
        """Judge the beat before, whose downbeat has shown by now, and count on to this one."""
        if self._beat_s is not None:
            at = KEPT - 1 - round((last_s - self._beat_s) * FRAMES_PER_SECOND)
            near = self._recent[max(0, at - BESIDE) : at + BESIDE + 1]
            if len(near) and beat_s - self._beat_s < 1.6 * period_s:
                self._bars.hear(float(near[:, 1].max() / max(near[:, 0].max(), 0.1)))
        self._bars.advance()
        self._beat_s = beat_s
