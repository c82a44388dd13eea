"""Where in the bar the beats are: a filter over metres and places, advanced one beat at a time. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_analyzer.types import F64

METRES = (2, 3, 4, 5, 6, 7)
USUAL = (0.08, 0.17, 0.67, 0.03, 0.03, 0.02)  # how often each metre is met
SLIP = 0.05  # chance that a beat is any other place of any bar: a beat missed, an upbeat, another song
KNOWN = 0.4  # a metre less likely than this is not told
COMMON, TRUST = 0.3, 0.5  # how often a beat is a downbeat; what of a judgement that differs from it is believed


class BarFilter:
    """Probabilities of all places in all bars. State: these."""

    def __init__(self) -> None:
        """Lay out the states: the places of each metre side by side."""
        self._metre = np.repeat(METRES, METRES)
        self._place = np.concatenate([np.arange(1, metre + 1) for metre in METRES])
        self._start = start = np.cumsum([0, *METRES[:-1]])
        self._before = np.arange(len(self._place)) - 1
        self._before[start] = start + np.array(METRES) - 1
        self._usual = np.repeat(np.array(USUAL) / METRES, METRES)
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._chance: F64 = self._usual.copy()

    def hear(self, downbeat: float) -> None:
        """Take how likely the network finds the newest beat a downbeat, 0..1."""
        heard = COMMON + TRUST * (min(max(downbeat, 0.0), 1.0) - COMMON)
        chance = self._chance * np.where(self._place == 1, heard, 1.0 - heard)
        self._chance = chance / chance.sum()

    def advance(self) -> None:
        """Go on to the next beat."""
        self._chance = (1.0 - SLIP) * self._chance[self._before] + SLIP * self._usual

    @property
    def beats_in_bar(self) -> int | None:
        """The likeliest metre; None while none is likely enough."""
        metres = np.add.reduceat(self._chance, self._start)
        best = int(np.argmax(metres))
        return METRES[best] if metres[best] >= KNOWN else None

    @property
    def place(self) -> int | None:
        """The likeliest place of the beat in a bar of that metre, 1 is the downbeat; None while that is unknown."""
        metre = self.beats_in_bar
        if metre is None:
            return None
        return int(np.argmax(np.where(self._metre == metre, self._chance, 0.0)) - self._start[METRES.index(metre)]) + 1
