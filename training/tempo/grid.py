"""The time and tempo grids of the tempo model: frames of a window, BPM bins 32 an octave."""

from __future__ import annotations

import numpy as np

FRAMES = 150
FRAMES_PER_SECOND = 12.5
BINS_PER_OCTAVE = 32
LOWEST_BPM = 30.0
MARGIN = 9  # bank tempi below the lowest and above the highest BPM bin
BPM_BINS = LOWEST_BPM * 2.0 ** (np.arange(108) / BINS_PER_OCTAVE)
BANK_BPM = LOWEST_BPM * 2.0 ** (np.arange(-MARGIN, len(BPM_BINS) + MARGIN) / BINS_PER_OCTAVE)
