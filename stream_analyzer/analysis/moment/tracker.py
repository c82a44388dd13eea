"""Decide where the music turns: rows of `Past` -> `Moment`. Rules, whose weights add up to a probability. Pure.

Breakdown: the bass is gone for some seconds after it had played. Build-up: brightness, onsets and level rise together
while it is gone. Drop: the lowest band jumps, and lowest band, hiss and all of it lie to the seconds before and to the
groove as they do in drops. A cut to another song is a drop if it looks like one.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.moment.past import BASS, GONE_DB, HELD, Past, gone, groove_db, jump_db, returned, rises
from stream_analyzer.analysis.steps import STEPS_PER_SECOND
from stream_analyzer.types import Moment

if TYPE_CHECKING:
    from stream_analyzer.types import F64, Turn

LEAST = 15 * STEPS_PER_SECOND  # before so much was heard, nothing can turn
JUMP_DB = 3.0  # the lowest band must rise by so much, and more than it did in the steps around
UNDER_DB = 8.0  # the bass must hold no more than so much below that of the groove
BREAK_S, PLAYED_S, PLAYED = 4.0, 20.0, 0.6  # the bass is gone, after it was there for a share of so many seconds
AWAY = 0.25  # share of ten seconds that the bass is missing in a build-up
BACK = 0.5  # share of the last seconds with bass that ends it
# Fitted (logistic) to six generated sets, clean and spoilt, and to music without known drops (GTZAN's train list and
# FMA-small, counted twice): weights in the order of `returned`, and what is sure enough.
DROP = np.array(
    [
        *(-8.22,),
        *(1.44, -1.58, 0.92),  # above the second before: lowest band, hiss, all
        *(1.09, 0.86, -0.47),  # above four seconds
        *(-0.79, 1.02, -0.16),  # above the groove
        *(-0.68, 1.8, 0.58),  # had risen before
        *(0.49, -1.59, -2.19),  # had been away
        *(-0.55, 2.64),  # brightness and onsets had risen
    ]
)
DROP_SURE = 0.7
BUILD, BUILD_SURE = np.array([-6.95, 1.06, 2.39, 1.16, 3.5]), 0.5
APART_S = {"drop": 4.0, "build_up": 15.0, "breakdown": 8.0}  # between two of a kind


class MomentTracker:
    """State: the last minute, the last jumps of the bass, when each kind was told, and whether the present gap was."""

    def __init__(self) -> None:
        """Begin."""
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._past = Past()
        self._jumps: deque[float] = deque([0.0] * 6, maxlen=6)
        self._told_s: dict[Turn, float] = {}
        self._broken = False

    def push(self, row: tuple[float, ...], *, time_s: float) -> list[Moment]:
        """Take the row of a step; return what has turned."""
        self._past.push(row)
        rows = self._past.rows()
        if len(rows) < LEAST:
            return []
        found = self._drop(rows, time_s)
        if not found and round(time_s * STEPS_PER_SECOND) % HELD == 0:
            groove = groove_db(rows)
            found = self._break(rows, groove, time_s) or self._build(rows, groove, time_s)
        return [found] if found else []

    def _drop(self, rows: F64, time_s: float) -> Moment | None:
        """Look whether the bass came back a step more than `HELD` ago, and has stayed."""
        self._jumps.append(jump_db(rows))
        *earlier, jump, later = self._jumps
        if jump < max(JUMP_DB, later, *earlier) or rows[-1, BASS] < groove_db(rows) - UNDER_DB:
            return None
        confidence = _sigmoid(DROP, returned(self._past.rows(but=1)))
        if confidence < DROP_SURE:
            return None
        return self._tell("drop", time_s, confidence, ago_s=(HELD + 2) / STEPS_PER_SECOND)

    def _break(self, rows: F64, groove: float, time_s: float) -> Moment | None:
        """Look whether the bass has gone."""
        below = groove - GONE_DB
        missing = gone(rows, below, BREAK_S)
        if missing <= 1.0 - BACK:
            self._broken = False
        played = 1.0 - gone(rows[: -round(BREAK_S * STEPS_PER_SECOND)], below, PLAYED_S)
        if self._broken or missing < 1.0 or played < PLAYED:
            return None
        self._broken = True
        depth_db = groove - float(np.median(rows[-round(BREAK_S * STEPS_PER_SECOND) :, BASS]))
        return self._tell("breakdown", time_s, played * min(1.0, depth_db / 20.0), ago_s=BREAK_S)

    def _build(self, rows: F64, groove: float, time_s: float) -> Moment | None:
        """Look whether something is building up while the bass is away."""
        away = gone(rows, groove - GONE_DB, 10.0)
        if away < AWAY:
            return None
        confidence = _sigmoid(BUILD, np.array([*rises(rows), away]))
        return self._tell("build_up", time_s, confidence, ago_s=BREAK_S) if confidence >= BUILD_SURE else None

    def _tell(self, turn: Turn, time_s: float, confidence: float, *, ago_s: float) -> Moment | None:
        if time_s - self._told_s.get(turn, -math.inf) < APART_S[turn]:
            return None
        self._told_s[turn] = time_s
        return Moment(time_s, turn, max(0.0, time_s - ago_s), confidence)


def _sigmoid(weights: F64, evidence: F64) -> float:
    return float(1.0 / (1.0 + np.exp(-(weights[0] + weights[1:] @ evidence))))
