"""Log-mel frames of a stream, computed here alone for serving and for training; `SPEC` is what the page shows.

Samples in are mono float32 in [-1, 1] at ``FeatureSpec.sample_rate_hz``; frames out are float32 natural-log mel power.
Frames are left-aligned: frame k covers samples [k * hop, k * hop + n_fft). No centring, no padding.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.spans import spans

if TYPE_CHECKING:
    from stream_analyzer.types import F32, F64


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """What a log-mel frame is. Its digest binds a model to the features it was trained on."""

    sample_rate_hz: int = 22_050
    n_fft: int = 2048
    hop: int = 441
    n_mels: int = 128
    fmin_hz: float = 0.0
    fmax_hz: float = 11_025.0
    power_floor: float = 1e-10
    window: str = "hann"
    mel_scale: str = "slaney"
    mel_norm: str = "slaney"
    log: str = "natural"

    @property
    def frames_per_second(self) -> float:
        """Frames a second; exactly 50 for the default."""
        return self.sample_rate_hz / self.hop

    @property
    def log_floor(self) -> float:
        """The smallest value a frame can hold: ln(power_floor)."""
        return float(np.log(np.float32(self.power_floor)))

    @property
    def computable(self) -> bool:
        """Whether `StreamingLogMel` computes this: it knows one window, one mel scale and norm, and one logarithm."""
        words = ("window", "mel_scale", "mel_norm", "log")
        return all(getattr(self, word) == FeatureSpec.__dataclass_fields__[word].default for word in words)

    @property
    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the definition as canonical JSON."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


SPEC = FeatureSpec()

_CORNER_HZ, _CORNER_MEL = 1000.0, 15.0


def hz_to_mel(hz: F64) -> F64:
    """Map frequency in Hz to Slaney mels: linear below 1 kHz, logarithmic above (Slaney 1998, Auditory Toolbox)."""
    logarithmic = _CORNER_MEL + np.log(np.maximum(hz, 1e-9) / _CORNER_HZ) * 27.0 / np.log(6.4)
    return np.where(hz < _CORNER_HZ, hz * _CORNER_MEL / _CORNER_HZ, logarithmic)


def mel_to_hz(mel: F64) -> F64:
    """Inverse of `hz_to_mel`."""
    exponential = _CORNER_HZ * np.exp((mel - _CORNER_MEL) * np.log(6.4) / 27.0)
    return np.where(mel < _CORNER_MEL, mel * _CORNER_HZ / _CORNER_MEL, exponential)


def mel_frequencies(n: int, *, fmin_hz: float, fmax_hz: float) -> F64:
    """Return ``n`` frequencies in Hz, evenly spaced in mels from ``fmin_hz`` to ``fmax_hz``."""
    low, high = hz_to_mel(np.array([fmin_hz, fmax_hz]))
    return mel_to_hz(np.linspace(low, high, n))


def mel_filterbank(spec: FeatureSpec = SPEC) -> F32:
    """Build the mel filterbank.

    Parameters
    ----------
    spec
        The feature definition.

    Returns
    -------
    float32 array [n_mels, n_fft // 2 + 1]
        Triangles on the Slaney mel scale, each scaled to unit area (``2 / bandwidth_hz``), as
        ``librosa.filters.mel`` builds them by default.
    """
    bins_hz = np.fft.rfftfreq(spec.n_fft, 1.0 / spec.sample_rate_hz)
    edges_hz = mel_frequencies(spec.n_mels + 2, fmin_hz=spec.fmin_hz, fmax_hz=spec.fmax_hz)
    low, centre, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising = (bins_hz - low) / (centre - low)
    falling = (high - bins_hz) / (high - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * 2.0 / (high - low)).astype(np.float32)


class StreamingLogMel:
    """Log-mel frames of an endless signal; a block costs its new frames and nothing else.

    State: the samples that the next frame still needs, and how many frames there were. Frames are bit-identical however
    the signal is cut into blocks: the mel product sums each band's few bins by itself, in one order, without a BLAS.
    """

    def __init__(self, spec: FeatureSpec = SPEC) -> None:
        """Prepare window and filterbank of ``spec``."""
        self.spec = spec
        phase = 2.0 * np.pi * np.arange(spec.n_fft) / spec.n_fft
        self._window = (0.5 - 0.5 * np.cos(phase)).astype(np.float32)
        bank = mel_filterbank(spec)
        used = bank > 0.0
        bins_per_band = used.sum(axis=1)
        if not bins_per_band.all():
            band = int(np.flatnonzero(bins_per_band == 0)[0])
            msg = f"mel band {band} covers no FFT bin: take fewer than {spec.n_mels} bands or a longer n_fft"
            raise ValueError(msg)
        self._bins = np.nonzero(used)[1]
        self._weights = bank[used]
        self._band_starts = np.concatenate([[0], np.cumsum(bins_per_band)[:-1]])
        self.reset()

    def reset(self) -> None:
        """Forget all samples; equal to a new object."""
        self._pending = np.empty(0, np.float32)
        self._count = 0

    @property
    def next_s(self) -> float:
        """When the next frame begins, in seconds from the first sample."""
        return self._count * self.spec.hop / self.spec.sample_rate_hz

    def push(self, samples: F32) -> F32:
        """Take samples, return the frames they complete.

        Parameters
        ----------
        samples
            float32 [n], mono, at ``spec.sample_rate_hz``; n may be 0.

        Returns
        -------
        float32 array [frames, n_mels]
            Natural log of mel power, floored at ``spec.power_floor``; possibly no rows.
        """
        spec = self.spec
        signal = np.concatenate([self._pending, samples])
        frames = spans(signal, spec.n_fft, hop=spec.hop)
        count = len(frames)
        self._pending = signal[count * spec.hop :].copy()
        self._count += count
        if not count:
            return np.empty((0, spec.n_mels), np.float32)
        spectrum = np.fft.rfft(frames * self._window, axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        products = power.take(self._bins, axis=1) * self._weights
        mel = np.add.reduceat(products, self._band_starts, axis=1)
        log_mel: F32 = np.log(np.maximum(mel, np.float32(spec.power_floor)))
        return log_mel
