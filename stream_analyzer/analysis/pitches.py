"""Pitch frames of a stream: power at every third of a semitone from A1 up, a long window for the bass. Pure.

Samples in are mono float32 at ``PitchSpec.sample_rate_hz``; frames out are float32 natural-log power, 5 a second. The
lower bins come of sound at a lower rate and a window of 1.5 s, the others of the last 0.37 s of the same stretch.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.resample import Resampler

if TYPE_CHECKING:
    from stream_analyzer.types import F32, F64

A4_HZ, A4_NOTE = 440.0, 69
SEMITONES = 12


@dataclass(frozen=True, slots=True)
class PitchSpec:
    """What a pitch frame is. Its digest binds a model to the features it was trained on."""

    sample_rate_hz: int = 22_050
    bass_rate_hz: int = 2_450
    hop: int = 4_410
    treble_n_fft: int = 8_192
    bass_n_fft: int = 3_600
    bass_below_hz: float = 200.0
    lowest_note: int = 33
    semitones: int = 72
    per_semitone: int = 3
    power_floor: float = 1e-10

    @property
    def bins(self) -> int:
        """Values of a frame."""
        return self.semitones * self.per_semitone

    @property
    def n_fft(self) -> int:
        """Samples at ``sample_rate_hz`` that a frame covers."""
        return self.bass_n_fft * self.sample_rate_hz // self.bass_rate_hz

    @property
    def frames_per_second(self) -> float:
        """Frames a second."""
        return self.sample_rate_hz / self.hop

    @property
    def log_floor(self) -> float:
        """The smallest value a frame can hold."""
        return float(np.log(np.float32(self.power_floor)))

    @property
    def centres_hz(self) -> F64:
        """Frequency of each bin; a semitone's own pitch is the middle one of its bins."""
        notes = self.lowest_note + (np.arange(self.bins) - self.per_semitone // 2) / self.per_semitone
        return A4_HZ * 2.0 ** ((notes - A4_NOTE) / SEMITONES)

    @property
    def computable(self) -> bool:
        """Whether `StreamingPitches` computes this for a model: there is one definition."""
        return self == PITCHES

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the definition as canonical JSON."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


PITCHES = PitchSpec()


class _Bank:
    """Triangles over the bins of one FFT, each of unit sum, at least one bin wide and 0.4 semitones to each side."""

    def __init__(self, centres_hz: F64, *, n_fft: int, rate_hz: int) -> None:
        bins_hz = np.fft.rfftfreq(n_fft, 1.0 / rate_hz)
        reach_hz = np.maximum(centres_hz * (2.0 ** (0.4 / SEMITONES) - 1.0), rate_hz / n_fft)
        weights = np.maximum(0.0, 1.0 - np.abs(bins_hz - centres_hz[:, None]) / reach_hz[:, None])
        weights /= weights.sum(axis=1, keepdims=True)
        used = weights > 0.0
        self._bins, self._weights = np.nonzero(used)[1], weights[used].astype(np.float32)
        self._starts = np.concatenate([[0], np.cumsum(used.sum(axis=1))[:-1]])
        phase = 2.0 * np.pi * np.arange(n_fft) / n_fft
        self._window = ((1.0 - np.cos(phase)) / n_fft).astype(np.float32)  # a full-scale sine has power 1/4

    def power(self, samples: F32) -> F32:
        """Return the power in each triangle of samples [n_fft]."""
        spectrum = np.fft.rfft(samples * self._window)
        power = spectrum.real**2 + spectrum.imag**2
        found: F32 = np.add.reduceat(power[self._bins] * self._weights, self._starts)
        return found


class StreamingPitches:
    """Pitch frames of an endless signal, the same however it is cut into blocks.

    State: the samples that the next frame still needs, at both rates, how many none needs, and the resampler.
    """

    def __init__(self, spec: PitchSpec = PITCHES) -> None:
        """Prepare windows and triangles of ``spec``."""
        self.spec = spec
        low = spec.centres_hz < spec.bass_below_hz
        self._bass = _Bank(spec.centres_hz[low], n_fft=spec.bass_n_fft, rate_hz=spec.bass_rate_hz)
        self._rest = _Bank(spec.centres_hz[~low], n_fft=spec.treble_n_fft, rate_hz=spec.sample_rate_hz)
        self._resampler = Resampler(spec.sample_rate_hz, spec.bass_rate_hz)
        self.reset()

    def reset(self) -> None:
        """Forget all samples; equal to a new object."""
        self._resampler.reset()
        self._low = np.empty(0, np.float32)
        self._high = np.empty(0, np.float32)
        self._unneeded = self.spec.n_fft - self.spec.treble_n_fft  # the short window lies at the end of the long one

    def push(self, samples: F32) -> F32:
        """Take float32 samples [n]; return the frames [frames, bins] that they complete, possibly none."""
        spec = self.spec
        self._low = np.concatenate([self._low, self._resampler.push(samples)])
        self._high = np.concatenate([self._high, samples[self._unneeded :]])
        self._unneeded = max(0, self._unneeded - len(samples))
        step = spec.hop * spec.bass_rate_hz // spec.sample_rate_hz
        frames = []
        while len(self._low) >= spec.bass_n_fft and len(self._high) >= spec.treble_n_fft:
            low, high = self._low[: spec.bass_n_fft], self._high[: spec.treble_n_fft]
            power = np.concatenate([self._bass.power(low), self._rest.power(high)])
            frames.append(np.log(np.maximum(power, np.float32(spec.power_floor))))
            self._low, self._high = self._low[step:], self._high[spec.hop :]
        return np.array(frames, np.float32).reshape(len(frames), spec.bins)
