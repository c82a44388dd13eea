"""FMA-small's pictures, as its file holds them, of sound: what a model that learnt from those pictures has to be shown.

The exact recipe is in data/README.md; `tests/training/test_fma_picture.py` holds it against three originals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.features import FeatureSpec, StreamingLogMel
from training.data.sources import FMA_BANDS, FMA_RANGE_DB, NEPER_PER_DB

if TYPE_CHECKING:
    from stream_analyzer.types import F32, U8

FMA_SPEC = FeatureSpec(sample_rate_hz=44_100, n_fft=2048, hop=512, n_mels=128, fmax_hz=22_050.0)
FMA_COLUMNS = 128
IMAGE_LEVELS = 255
LEVEL_STEP = 3  # the file holds a third of an image's level


def fma_picture(samples: F32) -> U8:
    """Return what FMA-small's file would hold of a clip.

    Parameters
    ----------
    samples
        float32 [n], mono, at 44 100 Hz, from the clip's start to its end.

    Returns
    -------
    uint8 array [109, 128]
        Mel bands, low to high, by columns: each column is one frame of 46 ms, in steps of 0.94 dB, 85 for the loudest
        cell of all 128 bands of the clip, 0 from 80 dB below it.
    """
    around = np.zeros(FMA_SPEC.n_fft // 2, np.float32)  # librosa centres its frames
    frames = StreamingLogMel(FMA_SPEC).push(np.concatenate([around, samples, around]))
    below_db = np.maximum((frames - frames.max()) / NEPER_PER_DB, -FMA_RANGE_DB)
    picked = below_db[(2 * np.arange(FMA_COLUMNS) + 1) * len(frames) // (2 * FMA_COLUMNS), :FMA_BANDS]
    image = np.floor(IMAGE_LEVELS * (picked / FMA_RANGE_DB + 1.0)).astype(np.uint8)
    return np.asarray(image.T // LEVEL_STEP, np.uint8)
