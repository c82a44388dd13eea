"""Decide where the music turns: rows of `Past` -> `Moment`. Rules, whose weights add up to a probability. Pure.

Breakdown: the bass is gone for some seconds after it had played. Build-up: brightness, onsets and level rise together
while it is gone. Drop: it comes back at once, as strong as it was in the groove. A cut to another song is a drop if it
looks like one: bass as strong as before it, after a stretch without.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.moment.past import BASS, GONE_DB, Past, gone, groove_db, high, rises
from stream_analyzer.analysis.steps import STEPS_PER_SECOND
from stream_analyzer.types import Moment

if TYPE_CHECKING:
    from stream_analyzer.types import F64, Turn

LEAST = 15 * STEPS_PER_SECOND  # before so much was heard, nothing can turn
HELD = 5  # steps that the bass must hold before a drop is told
JUMP_DB, UNDER_DB = 6.0, 6.0  # bass must rise by so much within 0.3 s, to no less than so much below the groove's
BREAK_S, PLAYED_S, PLAYED = 4.0, 20.0, 0.6  # the bass is gone, after it was there for a share of so many seconds
AWAY = 0.25  # share of ten seconds that the bass is missing in a build-up
BACK = 0.5  # share of the last seconds with bass that ends it
# Fitted (logistic) to two generated sets, GTZAN's train list and the FMA clips: weights, and what is sure enough.
DROP, DROP_SURE = np.array([-4.4, 0.81, 2.25, -2.11, 1.61, 1.13]), 0.5
BUILD, BUILD_SURE = np.array([-6.95, 1.06, 2.39, 1.16, 3.5]), 0.5
APART_S = {"drop": 4.0, "build_up": 15.0, "breakdown": 8.0}  # between two of a kind


class MomentTracker:
    """State: the last minute, when each kind was last told, and whether the present gap of the bass was told."""

    def __init__(self) -> None:
        """Begin."""
        self.reset()

    def reset(self) -> None:
        """Forget everything; equal to a new object."""
        self._past = Past()
        self._told_s: dict[Turn, float] = {}
        self._broken = False

    def push(self, row: tuple[float, float, float, float], *, time_s: float) -> list[Moment]:
        """Take the row of a step; return what has turned."""
        self._past.push(row)
        rows = self._past.rows()
        if len(rows) < LEAST:
            return []
        found = self._drop(time_s)
        if not found and round(time_s * STEPS_PER_SECOND) % HELD == 0:
            groove = groove_db(rows)
            found = self._break(rows, groove, time_s) or self._build(rows, groove, time_s)
        return [found] if found else []

    def _drop(self, time_s: float) -> Moment | None:
        """Look whether the bass came back `HELD` steps ago, and has stayed."""
        before, now = self._past.rows(but=HELD + 1), self._past.rows()[-HELD - 1 :, BASS]
        gap = before[-17:-2, BASS]
        if len(before) < LEAST or now[0] - high(gap) < JUMP_DB:
            return None
        groove = groove_db(before)
        if min(float(now[0]), float(now[1:].mean())) < groove - UNDER_DB:
            return None
        evidence = (
            min(float(now[0] - np.median(gap)), 24.0) / 10.0,
            gone(before, groove - GONE_DB, 16.0),
            min(abs(float(now.mean()) - groove), 8.0) / 4.0,
            *rises(before[:-2])[:2],
        )
        confidence = _sigmoid(DROP, evidence)
        return (
            self._tell("drop", time_s, confidence, ago_s=(HELD + 1) / STEPS_PER_SECOND)
            if confidence >= DROP_SURE
            else None
        )

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
        confidence = _sigmoid(BUILD, (*rises(rows), away))
        return self._tell("build_up", time_s, confidence, ago_s=BREAK_S) if confidence >= BUILD_SURE else None

    def _tell(self, turn: Turn, time_s: float, confidence: float, *, ago_s: float) -> Moment | None:
        if time_s - self._told_s.get(turn, -math.inf) < APART_S[turn]:
            return None
        self._told_s[turn] = time_s
        return Moment(time_s, turn, max(0.0, time_s - ago_s), confidence)


def _sigmoid(weights: F64, evidence: tuple[float, ...]) -> float:
    return float(1.0 / (1.0 + np.exp(-(weights[0] + weights[1:] @ np.array(evidence)))))
