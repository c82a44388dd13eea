"""Decode the tempo model: logits over BPM bins -> rolling posterior -> precise BPM, octave alternatives, state.

The network chooses the octave; the periodicity of the 50 fps onset strength near its choice gives the decimals.
Tempi are BPM, times seconds on the sample clock. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.probability import softmax
from stream_analyzer.analysis.smoothing import RollingMean
from stream_analyzer.analysis.tempo.bins import TempoBins
from stream_analyzer.analysis.tempo.change import ChangeDetector
from stream_analyzer.analysis.tempo.onsets import TOLERANCE, OnsetHistory
from stream_analyzer.analysis.tempo.output import Calibration, TempoOutput
from stream_analyzer.types import Alternative, Tempo

if TYPE_CHECKING:
    from stream_analyzer.analysis.manifest import ModelManifest
    from stream_analyzer.analysis.tempo.witness import Witness
    from stream_analyzer.types import F32, F64, TempoRange, TempoState

NEWEST_S = 3.5  # what is looked at alone when the tempo may have changed
ALONE_S = 5.0  # new music is listened to alone until there is so much; then the network finds it in the whole window
SURPRISE = 4.0  # a window that contradicts the past altogether makes it be forgotten so many times faster, plus one
SWITCH_RATIO = 1.5  # a challenger needs this much more mass than the shown tempo
LOCK_MASS, UNLOCK_MASS = 0.5, 0.35  # mass on the tempo and its octaves that makes and breaks a lock
PULSE_MASS = 0.35  # a window whose best tempo and its octaves have less than this holds no pulse
HOLD_S = 30.0  # a locked tempo is held through so much sound without a pulse: a breakdown
UNSTEADY_AFTER_S = 8.0  # no lock for so long, while sound comes: the tempo is unsteady, no longer searched for
SUPPORT_MASS = 0.2  # a window supports the shown tempo with this much of its own posterior
STEADY_UPDATES = 4  # measurements averaged into the shown number
HOLD_HALF_LIFE_S = 30.0  # confidence in a tempo that is only held halves in this time
MIN_SALIENCE = 0.05
MAX_ALTERNATIVES = 3
OCTAVE_S = 20.0  # an octave that was likely for so long is still a question: some patterns alternate
OPEN, SETTLED = 0.5, 0.35  # an octave this strong, relative to the shown tempo, opens the question, and settles it
HALF_SALIENCE = 0.8  # of half the tempo where every other beat is empty, whatever the network thinks of it
OCTAVES = (0.25, 1.0 / 3.0, 0.5, 2.0 / 3.0, 1.5, 2.0, 3.0, 4.0)

# Number of newest frames of the window -> logits float32 [bins] of a window that holds nothing else.
Listen = Callable[[int], "F32"]


class SurprisedMean(RollingMean):
    """A forgetting mean of posteriors; what was heard before counts less when a new one disagrees with it."""

    def __init__(self, bins: TempoBins, *, time_constant_s: float) -> None:
        """Average posteriors over ``bins``."""
        super().__init__(time_constant_s=time_constant_s)
        self._bins = bins

    def _keep(self, vector: F32 | F64, *, elapsed_s: float) -> float:
        if self.value is None:
            return 0.0
        mass, past = self._bins.mass(np.asarray(vector, np.float64)), self._bins.mass(self.value)
        agreement = float(mass @ past / np.sqrt((mass @ mass) * (past @ past)))
        return super()._keep(vector, elapsed_s=elapsed_s * (1.0 + SURPRISE * (1.0 - agreement)))


class TempoTracker:
    """From the model's logits and the frame stream to the shown `Tempo`.

    State: a posterior that forgets with the manifest's time constant and one that forgets far more slowly, since when
    it listens to the present music, the onset history, the test for a change, the shown tempo and the last locked one.
    """

    def __init__(self, manifest: ModelManifest, *, tempo_range: TempoRange | None = None) -> None:
        """Track with the bins, temperature and time constant of ``manifest``; show tempi in ``tempo_range`` alone."""
        self._bins = TempoBins(TempoOutput.of(manifest).bpm, tempo_range=tempo_range)
        self._bpm = self._bins.bpm
        self._temperature = Calibration.of(manifest).temperature
        self._long = RollingMean(time_constant_s=OCTAVE_S)
        self._past = SurprisedMean(self._bins, time_constant_s=manifest.time_constant_s)
        self._window = manifest.input.frames
        self._frames_per_second = manifest.feature.frames_per_second / manifest.input.every
        self._newest = min(self._window, max(manifest.input.min_frames, round(NEWEST_S * self._frames_per_second)))
        self._onsets = OnsetHistory(manifest.feature.frames_per_second)
        self._change = ChangeDetector(self._bins)
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._onsets.reset()
        self._start_afresh(began_s=-math.inf)

    def _start_afresh(self, *, began_s: float) -> None:
        """Forget what was heard before ``began_s``, but for the onsets."""
        self._change.reset()
        self._began_s = began_s
        self._past.reset()
        self._long.reset()
        self._witness: Witness | None = None
        self._tempo: Tempo | None = None
        self._sure: Tempo | None = None
        self._supported_s = 0.0
        self._unlocked_s: float | None = None
        self._locked, self._open = False, False
        self._measured = 0
        self._rejected_bpm = 0.0

    @property
    def posterior(self) -> F64:
        """Probability of each BPM bin, float64 [bins], sums to 1; uniform before the first update."""
        past = self._past.value
        return np.full(len(self._bpm), 1.0 / len(self._bpm)) if past is None else past

    def push(self, frames: F32) -> None:
        """Take log-mel frames float32 [n, bands] of the full-rate stream as they come."""
        self._onsets.push(frames)

    def update(self, listen: Listen, *, time_s: float, witness: Witness | None = None) -> Tempo:
        """Judge the window that ends at ``time_s`` by what the model hears in it; return the tempo now.

        A ``witness`` may hear the tempo too.
        """
        self._witness = witness
        now = self._hear(listen, self._heard_frames(time_s))
        if self._tempo and self._change.doubts(now, past=self.posterior, shown_bpm=self._tempo.bpm):
            newest = self._hear(listen, self._newest)
            if self._change.changed(newest, shown_bpm=self._tempo.bpm):
                seconds = self._newest / self._frames_per_second
                self._start_afresh(began_s=time_s - seconds)
                self._onsets.keep(seconds)
                now = newest
        if self._tempo and self._locked and time_s - self._supported_s < HOLD_S and not self._has_pulse(now):
            return self._held(self._surest(self._tempo), time_s)
        self._past.update(now, time_s=time_s)
        self._long.update(now, time_s=time_s)
        self._tempo = self._judge(now, time_s)
        if self._tempo.state == "locked":
            self._sure = self._tempo
        return self._tempo

    def hold(self, *, time_s: float) -> Tempo | None:
        """Return the last tempo, older and less sure, while there is nothing to hear; None before the first."""
        return self._held(self._surest(self._tempo), time_s) if self._tempo else None

    def _surest(self, tempo: Tempo) -> Tempo:
        """Return the tempo that was locked not long before this one, or else this one."""
        return self._sure if self._sure and tempo.time_s - self._sure.time_s < HOLD_S else tempo

    def _held(self, tempo: Tempo, time_s: float) -> Tempo:
        """Return a tempo as of now: what was locked is held, a guess stays one."""
        elapsed_s = max(0.0, time_s - tempo.time_s)
        return replace(
            tempo,
            time_s=time_s,
            confidence=tempo.confidence * 0.5 ** (elapsed_s / HOLD_HALF_LIFE_S),
            state="holding" if tempo.state == "locked" else tempo.state,
            age_s=tempo.age_s + elapsed_s,
        )

    def _heard_frames(self, time_s: float) -> int:
        """Return how many of the newest frames to listen to: shortly after a change those since it, else all."""
        since_s = time_s - self._began_s
        return self._window if since_s > ALONE_S else min(self._window, round(since_s * self._frames_per_second))

    def _hear(self, listen: Listen, frames: int) -> F64:
        heard = softmax(listen(frames).astype(np.float64), temperature=self._temperature)
        if self._witness:
            heard *= self._witness.of(self._bpm)
            heard /= heard.sum()
        return heard

    def _has_pulse(self, now: F64) -> bool:
        mass = self._bins.mass(now)
        return self._bins.family_mass(mass, float(self._bpm[np.argmax(mass)])) >= PULSE_MASS

    def _judge(self, now: F64, time_s: float) -> Tempo:
        """Return what the posterior says, in which ``now`` is the newest part."""
        posterior = self._bins.fold(self.posterior)
        mass = self._bins.mass(posterior)
        chosen = self._choose(mass)
        measured = self._onsets.refine(self._bins.centre(posterior, chosen))
        bpm = self._bins.into_range(self._steady(measured))
        skips = self._bins.allows(bpm / 2.0) and self._onsets.skips_beats(bpm)
        if self._tempo is None or self._bins.mass(self._bins.fold(now))[chosen] >= SUPPORT_MASS:
            self._supported_s = time_s
        state = self._state(mass, bpm, time_s, skips=skips)
        return Tempo(
            time_s=time_s,
            bpm=bpm,
            confidence=self._confidence(mass, chosen, skips=skips),
            state=state,
            age_s=time_s - self._supported_s,
            alternatives=self._alternatives(self._bins.mass(self.posterior), chosen, bpm, half=skips),
        )

    def _confidence(self, mass: F64, chosen: int, *, skips: bool) -> float:
        """Return how likely the chosen bin is, now and for long; half of that where half the tempo may be meant."""
        return float(min(1.0, mass[chosen], self._long_mass()[chosen]) / (2.0 if skips else 1.0))

    def _choose(self, mass: F64) -> int:
        """Return the bin with most mass around it, staying with the shown tempo unless another is clearly stronger."""
        best = int(np.argmax(mass))
        if self._tempo is None:
            return best
        near = self._bins.near(self._bins.nearest(self._tempo.bpm))
        current = int(np.argmax(np.where(near, mass, -1.0)))
        return best if mass[best] > SWITCH_RATIO * mass[current] else current

    def _long_mass(self) -> F64:
        """Return the mass of the longer past, [bins], in the range."""
        past = self.posterior if self._long.value is None else self._long.value
        return self._bins.mass(self._bins.fold(past))

    def _steady(self, measured: float) -> float:
        """Average the measured tempo while it stays put; follow a change once two measurements agree on it."""
        shown = self._tempo.bpm if self._tempo else 0.0
        if not shown or abs(np.log(measured / shown)) > TOLERANCE:
            self._measured = 1
            return measured
        if abs(np.log(measured / shown)) > 0.3 * TOLERANCE:
            agreed = self._rejected_bpm > 0.0 and abs(np.log(measured / self._rejected_bpm)) < 0.3 * TOLERANCE
            self._rejected_bpm = measured
            if not agreed:
                return shown
            self._measured = 0
        self._rejected_bpm = 0.0
        self._measured += 1
        return shown + (measured - shown) / min(self._measured, STEADY_UPDATES)

    def _state(self, mass: F64, bpm: float, time_s: float, *, skips: bool) -> TempoState:
        family = self._bins.family_mass(mass, bpm)
        self._locked = family >= (UNLOCK_MASS if self._locked else LOCK_MASS)
        if self._locked:
            self._unlocked_s = None
            double = not self._onsets.skips_beats(2.0 * bpm)
            rival = max(self._bins.rival(one, bpm, double=double) for one in (mass, self._long_mass()))
            self._open = skips or rival > (SETTLED if self._open else OPEN)
            return "octave" if self._open else "locked"
        if self._unlocked_s is None:
            self._unlocked_s = time_s
        return "unsteady" if time_s - self._unlocked_s >= UNSTEADY_AFTER_S else "searching"

    def _alternatives(self, mass: F64, chosen: int, bpm: float, *, half: bool) -> tuple[Alternative, ...]:
        """Return the other peaks of the posterior, strongest first; simple ratios of the shown tempo made exact.

        ``half`` of it comes first where the onsets allow it as well.
        """
        remaining = np.where(self._bins.near(chosen, width=2.0 * TOLERANCE), 0.0, mass)
        reference = max(float(mass[chosen]), 1e-12)
        found = [Alternative(bpm=bpm / 2.0, salience=HALF_SALIENCE)] if half else []
        if half:
            remaining[self._bins.near(self._bins.nearest(bpm / 2.0), width=2.0 * TOLERANCE)] = 0.0
        while len(found) < MAX_ALTERNATIVES:
            peak = int(np.argmax(remaining))
            salience = float(remaining[peak]) / reference
            if salience < MIN_SALIENCE:
                break
            found.append(Alternative(bpm=_snap(float(self._bpm[peak]), bpm), salience=min(1.0, salience)))
            remaining[self._bins.near(peak, width=2.0 * TOLERANCE)] = 0.0
        return tuple(found)


def _snap(alternative: float, bpm: float) -> float:
    """Return the simple multiple of ``bpm`` that ``alternative`` is within 4 % of, or ``alternative``."""
    exact = min((bpm * ratio for ratio in OCTAVES), key=lambda candidate: abs(np.log(candidate / alternative)))
    return exact if abs(np.log(exact / alternative)) <= TOLERANCE else alternative
