"""Whether the music has changed to another tempo, heard in the newest seconds alone. Pure."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_analyzer.analysis.tempo.bins import TempoBins
    from stream_analyzer.types import F64

SURE_MASS = 0.75  # only a tempo that was as sure as this can be seen to change; before, it is being searched for anyway
SURE_UPDATES = 12  # ... at one of so many judgements
DOUBT_MASS = 0.6  # a window that gives the shown tempo and its octaves less than this makes it doubtful
CHANCE = 0.05  # probability that any tempo has by chance: keeps ratios sane
NEW_MASS = 0.5  # a change needs a new tempo that has this much itself; without one there is only doubt
ENOUGH = 3.0  # log of the likelihood ratio, summed over judgements, that makes a change


class ChangeDetector:
    """A cumulative-sum test (Page 1954) of "another tempo" against "the shown one or its octaves".

    State: the evidence so far, and how sure the shown tempo was at the last judgements.
    """

    def __init__(self, bins: TempoBins) -> None:
        """Test posteriors over ``bins``."""
        self._bins = bins
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._evidence = 0.0
        self._sure: deque[float] = deque(maxlen=SURE_UPDATES)

    def doubts(self, window: F64, *, past: F64, shown_bpm: float) -> bool:
        """Tell whether the newest seconds should be looked at, given the posteriors [bins] of window and past."""
        self._sure.append(self._bins.family_mass(self._bins.mass(past), shown_bpm))
        if max(self._sure) >= SURE_MASS and self._bins.family_mass(self._bins.mass(window), shown_bpm) < DOUBT_MASS:
            return True
        self._evidence = 0.0
        return False

    def changed(self, newest: F64, *, shown_bpm: float) -> bool:
        """Weigh the posterior [bins] of the newest seconds; return whether the tempo has changed."""
        mass = self._bins.mass(newest)
        other = int(np.argmax(np.where(self._bins.outside_family(shown_bpm), mass, -1.0)))
        new_mass = self._bins.family_mass(mass, float(self._bins.bpm[other]))
        shown_mass = self._bins.family_mass(mass, shown_bpm)
        self._evidence = max(0.0, self._evidence + math.log((new_mass + CHANCE) / (shown_mass + CHANCE)))
        return self._evidence > ENOUGH and new_mass >= NEW_MASS
