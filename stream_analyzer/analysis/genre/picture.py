"""What the genre model sees of a log-mel window: compressed power at one loudness, whatever the gain. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.features import FeatureSpec, mel_frequencies

if TYPE_CHECKING:
    from stream_analyzer.types import F32

# librosa's mel bands as musicnn learnt from them (Pons and Serra 2019): 62.5 frames a second.
PICTURE_SPEC = FeatureSpec(sample_rate_hz=16_000, n_fft=512, hop=256, n_mels=96, fmax_hz=8_000.0)
PICTURE_FRAMES = 187
COMPRESSION = 1e4
LOUDNESS = 0.1  # root mean square of full scale 1
HANN_POWER = 0.375  # mean of the squared window
LEAST_RMS = 1e-5  # a window more quiet than this stays that much quieter


def band_weights(spec: FeatureSpec = PICTURE_SPEC) -> F32:
    """Return float32 [n_mels]: how much each band's mel power counts in the mean square of the samples.

    A band is the sum over FFT bins of power times a triangle that is 1 high, divided by half the triangle's width in
    Hz; the triangles of all bands add up to 1. Parseval's theorem relates the spectrum's power to the samples'.
    """
    edges_hz = mel_frequencies(spec.n_mels + 2, fmin_hz=spec.fmin_hz, fmax_hz=spec.fmax_hz)
    half_widths_hz = 0.5 * (edges_hz[2:] - edges_hz[:-2])
    return np.asarray(half_widths_hz * 2.0 / (HANN_POWER * spec.n_fft**2), np.float32)


_WEIGHTS = band_weights()


def picture(window: F32) -> F32:
    """Return what the genre model sees of a window.

    Parameters
    ----------
    window
        float32 [frames, 96], natural-log mel power by `PICTURE_SPEC`.

    Returns
    -------
    float32 array [frames, 96]
        ``log10(1 + 1e4 * gain * power)``, where ``gain`` brings the window to a root mean square of `LOUDNESS`.
    """
    power = np.exp(window)
    mean_square = float((power @ _WEIGHTS).mean())
    gain = LOUDNESS**2 / max(mean_square, LEAST_RMS**2)
    return np.asarray(np.log10(1.0 + np.float32(COMPRESSION * gain) * power), np.float32)
