"""The baseline: the profiles of Krumhansl and Kessler, correlated with the mean of all octaves; nothing is learnt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.key import profile
from stream_analyzer.analysis.pitches import SEMITONES

if TYPE_CHECKING:
    from stream_analyzer.types import F32

# How well each semitone above the tonic fits, as listeners rated it (Krumhansl and Kessler 1982).
FIT = (
    (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
)


def match(salient: F32) -> int:
    """Return the key (0-11 major, 12-23 minor) whose template fits the mean salience [frames, bins] best."""
    cents = profile.cents_of(profile.tuning_of(salient))
    seen = profile.turned(profile.semitones(salient.mean(axis=0), cents=cents))
    chroma = seen.reshape(SEMITONES, -1, SEMITONES).mean(axis=1)
    fits = [[float(np.corrcoef(row, one)[0, 1]) for row in chroma] for one in FIT]
    return int(np.argmax(np.array(fits)))
