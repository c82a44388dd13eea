"""How long to wait before trying again: jittered, so that many don't come back at one instant, and capped. Pure."""

from __future__ import annotations

import random

_SHORTEST_S = 0.5
_LONGEST_S = 10.0
_DOUBLINGS = 10  # far beyond the cap; keeps the power small


def backoff_s(attempt: int) -> float:
    """Return the seconds to wait before attempt ``attempt`` (0 for the first after a loss).

    Drawn evenly between half a second and a bound that doubles up to ten.
    """
    bound_s = min(_LONGEST_S, _SHORTEST_S * 2.0 ** min(attempt + 1, _DOUBLINGS))
    return random.uniform(_SHORTEST_S, bound_s)
