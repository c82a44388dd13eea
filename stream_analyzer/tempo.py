"""Decode the tempo model: logits over BPM bins -> rolling posterior -> precise BPM, octave alternatives, state.

The network chooses the octave; the periodicity of the 50 fps onset strength near its choice gives the decimals.
Tempi are BPM, times seconds on the sample clock. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.types import Alternative, Tempo

if TYPE_CHECKING:
    from stream_analyzer.manifest import ModelManifest
    from stream_analyzer.types import F32, F64, TempoState

TOLERANCE = 0.04  # Accuracy1 calls a tempo right within 4 % (mir_eval)
HISTORY_S = 10.0  # onset strength kept for the precise value
MIN_REFINE_S = 2.5  # less history says nothing about the decimals
DYNAMIC_RANGE = 8.0  # nepers of log-mel power below a frame's loudest band that count as sound (35 dB)
HARMONICS = (1, 2, 3, 4, 8)  # multiples of the beat rate at which rhythm shows
MAX_HARMONIC_HZ = 12.0  # above it a 93 ms frame holds no rhythm
FFT_SIZE = 8192  # onset strength is zero-padded to it: 0.006 Hz a bin
SURPRISE = 4.0  # a window that contradicts the past altogether makes it be forgotten so many times faster, plus one
SWITCH_RATIO = 1.25  # a challenger needs this much more mass than the shown tempo
LOCK_MASS, UNLOCK_MASS = 0.5, 0.35  # mass on the tempo and its octaves that makes and breaks a lock
UNSTEADY_AFTER_S = 8.0  # no lock for so long, while sound comes: the tempo is unsteady, no longer searched for
SUPPORT_MASS = 0.2  # a window supports the shown tempo with this much of its own posterior
STEADY_UPDATES = 4  # measurements averaged into the shown number
HOLD_HALF_LIFE_S = 30.0  # confidence in a tempo that is only held halves in this time
MIN_SALIENCE = 0.05
MAX_ALTERNATIVES = 3
OCTAVES = (0.25, 1.0 / 3.0, 0.5, 2.0 / 3.0, 1.5, 2.0, 3.0, 4.0)


class OnsetHistory:
    """Onset strength of the last `HISTORY_S` seconds, one value a frame; the same for any cut into blocks."""

    def __init__(self, frames_per_second: float) -> None:
        """Keep history at this frame rate."""
        self._fps = frames_per_second
        self._size = round(HISTORY_S * frames_per_second)
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._strength = np.empty(0, np.float32)
        self._last: F32 | None = None

    def push(self, frames: F32) -> None:
        """Take log-mel frames float32 [n, bands] in order, at the full frame rate."""
        if not len(frames):
            return
        first = frames[:1] if self._last is None else self._last
        strength = onset_strength(np.concatenate([first, frames])[-self._size - 1 :])
        self._last = frames[-1:].copy()
        self._strength = np.concatenate([self._strength, strength])[-self._size :]

    def refine(self, bpm: float) -> float:
        """Return the tempo within 4 % of ``bpm`` whose harmonics are strongest; ``bpm`` itself without a clear peak."""
        count = len(self._strength)
        if count < MIN_REFINE_S * self._fps:
            return bpm
        curve = (self._strength - self._strength.mean()) * np.hanning(count).astype(np.float32)
        spectrum = np.abs(np.fft.rfft(curve, FFT_SIZE))
        ratios = np.exp(np.linspace(-TOLERANCE, TOLERANCE, 81))
        score = np.zeros_like(ratios)
        for harmonic in HARMONICS:
            hz = ratios * (harmonic * bpm / 60.0)
            if hz[-1] > MAX_HARMONIC_HZ:
                break
            score += np.interp(hz * (FFT_SIZE / self._fps), np.arange(len(spectrum)), spectrum)
        inner = score[1:-1]
        peaks = 1 + np.flatnonzero((inner >= score[:-2]) & (inner > score[2:]))
        if not len(peaks):
            return bpm
        nearness = np.exp(-0.125 * (np.log(ratios[peaks]) / TOLERANCE) ** 2)
        best = int(peaks[np.argmax(score[peaks] * nearness)])
        below, peak, above = score[best - 1 : best + 2]
        shift = 0.5 * (below - above) / (below - 2.0 * peak + above)
        return bpm * float(np.exp(np.log(ratios[best]) + shift * (np.log(ratios[1]) - np.log(ratios[0]))))


def onset_strength(frames: F32) -> F32:
    """Return how much the bands rise from each frame to the next.

    Parameters
    ----------
    frames
        float32 [n, bands], natural-log mel power.

    Returns
    -------
    float32 array [n - 1]
        Mean over bands of the half-wave rectified difference, in nepers of power; what lies more than
        `DYNAMIC_RANGE` below the frame's loudest band counts as silent, so hiss and rounding add nothing.
    """
    floor = frames[1:].max(axis=1, keepdims=True) - np.float32(DYNAMIC_RANGE)
    rise = np.maximum(frames[1:], floor) - np.maximum(frames[:-1], floor)
    strength: F32 = np.maximum(rise, 0.0).mean(axis=1, dtype=np.float32)
    return strength


class TempoTracker:
    """From the model's logits and the frame stream to the shown `Tempo`.

    State: a posterior that forgets with the manifest's time constant, the onset history, and the shown tempo.
    """

    def __init__(self, manifest: ModelManifest) -> None:
        """Track with the bins, temperature and time constant of ``manifest``."""
        self._bpm = np.array(manifest.output.bpm)
        self._temperature = manifest.calibration.temperature
        self._time_constant_s = manifest.time_constant_s
        gap = np.abs(np.log(self._bpm[:, None] / self._bpm[None, :]))
        self._near = (gap <= TOLERANCE).astype(np.float64)
        self._onsets = OnsetHistory(manifest.feature.frames_per_second)
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._onsets.reset()
        self._weight = 0.0
        self._sum = np.zeros(len(self._bpm))
        self._tempo: Tempo | None = None
        self._time_s = 0.0
        self._supported_s = 0.0
        self._unlocked_s: float | None = None
        self._locked = False
        self._measured = 0
        self._rejected_bpm = 0.0

    @property
    def posterior(self) -> F64:
        """Probability of each BPM bin, float64 [bins], sums to 1; uniform before the first update."""
        if self._weight <= 0.0:
            return np.full(len(self._bpm), 1.0 / len(self._bpm))
        posterior: F64 = self._sum / self._weight
        return posterior

    @property
    def mean_bpm(self) -> float:
        """Mean of the posterior in BPM: what a regression would say."""
        return float(self.posterior @ self._bpm)

    def push(self, frames: F32) -> None:
        """Take log-mel frames float32 [n, bands] of the full-rate stream as they come."""
        self._onsets.push(frames)

    def update(self, logits: F32, *, time_s: float) -> Tempo:
        """Take the model's logits float32 [bins] for the window that ends at ``time_s``; return the tempo now."""
        now = _softmax(np.asarray(logits, np.float64) / self._temperature)
        keep = self._keep(now, elapsed_s=max(0.0, time_s - self._time_s))
        self._sum = keep * self._sum + now
        self._weight = keep * self._weight + 1.0
        self._time_s = time_s
        mass = self._near @ self.posterior
        chosen = self._choose(mass)
        bpm = self._steady(self._onsets.refine(self._centre(chosen)))
        if self._near[chosen] @ now >= SUPPORT_MASS or self._tempo is None:
            self._supported_s = time_s
        alternatives = self._alternatives(mass, chosen, bpm)
        self._tempo = Tempo(
            time_s=time_s,
            bpm=bpm,
            confidence=float(min(1.0, mass[chosen])),
            state=self._state(mass, bpm, time_s),
            age_s=time_s - self._supported_s,
            alternatives=alternatives,
        )
        return self._tempo

    def hold(self, *, time_s: float) -> Tempo | None:
        """Return the last tempo, older and less sure, while there is nothing to hear; None before the first."""
        if self._tempo is None:
            return None
        doubt = 0.5 ** (max(0.0, time_s - self._tempo.time_s) / HOLD_HALF_LIFE_S)
        return replace(
            self._tempo,
            time_s=time_s,
            confidence=self._tempo.confidence * doubt,
            state="holding",
            age_s=time_s - self._supported_s,
        )

    def _keep(self, now: F64, *, elapsed_s: float) -> float:
        """Return the share of the past that still counts: less when it disagrees with ``now``."""
        if self._weight <= 0.0:
            return 0.0
        mass, past = self._near @ now, self._near @ self.posterior
        agreement = float(mass @ past / np.sqrt((mass @ mass) * (past @ past)))
        haste = 1.0 + SURPRISE * (1.0 - agreement)
        return float(np.exp(-elapsed_s * haste / self._time_constant_s))

    def _choose(self, mass: F64) -> int:
        """Return the bin with most mass around it, staying with the shown tempo unless another is clearly stronger."""
        best = int(np.argmax(mass))
        if self._tempo is None:
            return best
        near = np.abs(np.log(self._bpm / self._tempo.bpm)) <= TOLERANCE
        if not near.any():
            return best
        current = int(np.argmax(np.where(near, mass, -1.0)))
        return best if mass[best] > SWITCH_RATIO * mass[current] else current

    def _centre(self, chosen: int) -> float:
        """Return the posterior's centre of gravity around a bin, in BPM."""
        weights = self._near[chosen] * self.posterior
        return float(np.exp(weights @ np.log(self._bpm) / max(float(weights.sum()), 1e-12)))

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

    def _state(self, mass: F64, bpm: float, time_s: float) -> TempoState:
        family = sum(self._mass_at(mass, bpm * factor) for factor in (0.5, 1.0, 2.0, 1.0 / 3.0, 3.0))
        self._locked = family >= (UNLOCK_MASS if self._locked else LOCK_MASS)
        if self._locked:
            self._unlocked_s = None
            return "locked"
        if self._unlocked_s is None:
            self._unlocked_s = time_s
        return "unsteady" if time_s - self._unlocked_s >= UNSTEADY_AFTER_S else "searching"

    def _mass_at(self, mass: F64, bpm: float) -> float:
        if not self._bpm[0] / (1.0 + TOLERANCE) <= bpm <= self._bpm[-1] * (1.0 + TOLERANCE):
            return 0.0
        return float(mass[np.argmin(np.abs(np.log(self._bpm / bpm)))])

    def _alternatives(self, mass: F64, chosen: int, bpm: float) -> tuple[Alternative, ...]:
        """Return the other peaks of the posterior, strongest first; simple ratios of the shown tempo made exact."""
        remaining = np.where(np.abs(np.log(self._bpm / self._bpm[chosen])) <= 2.0 * TOLERANCE, 0.0, mass)
        reference = max(float(mass[chosen]), 1e-12)
        found: list[Alternative] = []
        while len(found) < MAX_ALTERNATIVES:
            peak = int(np.argmax(remaining))
            salience = float(remaining[peak]) / reference
            if salience < MIN_SALIENCE:
                break
            found.append(Alternative(bpm=_snap(float(self._bpm[peak]), bpm), salience=min(1.0, salience)))
            remaining[np.abs(np.log(self._bpm / self._bpm[peak])) <= 2.0 * TOLERANCE] = 0.0
        return tuple(found)


def _snap(alternative: float, bpm: float) -> float:
    """Return the simple multiple of ``bpm`` that ``alternative`` is within 4 % of, or ``alternative``."""
    exact = min((bpm * ratio for ratio in OCTAVES), key=lambda candidate: abs(np.log(candidate / alternative)))
    return exact if abs(np.log(exact / alternative)) <= TOLERANCE else alternative


def _softmax(logits: F64) -> F64:
    exponentials = np.exp(logits - logits.max())
    probabilities: F64 = exponentials / exponentials.sum()
    return probabilities
