"""Where in the bar the beats are: a filter over metres and places, advanced one beat at a time. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_analyzer.types import F64

METRES = (2, 3, 4, 5, 6, 7)
USUAL = (0.08, 0.2, 0.66, 0.04, 0.01, 0.01)  # how often each metre is met
SLIP = 0.05  # chance that a beat is any other place of any bar: a beat missed, an upbeat, another song
STAY = 1.1  # the count goes on unless another is so many times likelier
KNOWN = 0.4  # a metre less likely than this is not told
COMMON, TRUST = 0.3, 0.85  # how often a beat is a downbeat; what of a judgement that differs from it is believed


class BarFilter:
    """Probabilities of all places in all bars. State: these, and what was told last."""

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
        self._metre_told: int | None = None
        self._place_told: int | None = None

    def hear(self, downbeat: float) -> None:
        """Take how likely the network finds the newest beat a downbeat, 0..1."""
        heard = COMMON + TRUST * (min(max(downbeat, 0.0), 1.0) - COMMON)
        chance = self._chance * np.where(self._place == 1, heard, 1.0 - heard)
        self._chance = chance / chance.sum()

    def advance(self) -> None:
        """Go on to the next beat."""
        self._chance = (1.0 - SLIP) * self._chance[self._before] + SLIP * self._usual
        metres = np.add.reduceat(self._chance, self._start)
        likeliest = int(np.argmax(metres))
        told = METRES.index(self._metre_told) if self._metre_told else likeliest
        best = likeliest if metres[likeliest] > STAY * metres[told] else told
        self._place_told = self._next_place(best) if metres[best] >= KNOWN else None
        self._metre_told = METRES[best] if metres[best] >= KNOWN else None

    @property
    def beats_in_bar(self) -> int | None:
        """The likeliest metre, or the last one while no other is clearly likelier; None while none is likely enough."""
        return self._metre_told

    @property
    def place(self) -> int | None:
        """The place of the beat in a bar of that metre, 1 is the downbeat; None while the metre is unknown."""
        return self._place_told

    def _next_place(self, metre: int) -> int:
        """Return the likeliest place in the ``metre``-th metre, or that after the last while it is about as likely."""
        places = self._chance[self._start[metre] : self._start[metre] + METRES[metre]]
        best = int(np.argmax(places))
        following = (self._place_told or 0) % METRES[metre]
        goes_on = self._place_told is not None and self._metre_told == METRES[metre]
        return (following if goes_on and places[best] <= STAY * places[following] else best) + 1
