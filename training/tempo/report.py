"""Pictures of the tempo model: estimated against true tempo, errors, octaves, examples, learning curve.

The estimates are those of `training.tempo.evaluate`: the int8 file through the code that serves it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import ScalarFormatter

from training.data.dataset import load_frame_set
from training.figures import Sources, learning_curve, spectrograms
from training.tempo.evaluate import Judged, judge_all
from training.tempo.score import FACTORS, octave_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from stream_analyzer.types import F64

SETS = {"gtzan_mel": "GTZAN, tapped by people", "exact_songs": "game songs, exact"}
TICKS_BPM = (40, 60, 80, 120, 160, 240)
EXAMPLES_BPM = (52.0, 75.0, 128.0, 191.0)  # the study showed the first and the last
EXAMPLE_S = 6.0

Estimates = dict[str, tuple["F64", "F64"]]


def draw(sources: Sources) -> Iterator[tuple[str, Figure]]:
    """Yield name and figure of each picture."""
    judged = judge_all(sources.model, data=sources.data, split=sources.split)
    found = {SETS.get(name, name): _pairs(rows) for name, rows in judged.items() if name != "gtzan_audio"}
    yield "scatter", scatter(found)
    yield "errors", errors(found)
    yield "octaves", octaves(found)
    yield "examples", examples(sources)
    curves = {f"{key} {metric}": f"{name} {title}" for key, name in (("gtzan", "GTZAN"), ("exact", "songs"))
              for metric, title in (("accuracy1", "Accuracy1"), ("accuracy2", "Accuracy2"))}  # fmt: skip
    yield "learning", learning_curve(sources.run, curves)


def scatter(found: Estimates) -> Figure:
    """Draw estimated against true tempo on logarithmic axes, with the lines of right, double and half."""
    figure, grid = plt.subplots(
        1, len(found), figsize=(4.2 * len(found), 4.2), squeeze=False, sharey=True, layout="constrained"
    )
    ends = np.array([35.0, 320.0])
    for axes, (name, (truth, estimate)) in zip(grid[0], found.items(), strict=True):
        for factor, style in ((1.0, "-"), (2.0, "--"), (0.5, "--")):
            axes.plot(ends, ends * factor, style, color="grey", linewidth=0.8)
        axes.scatter(truth, estimate, s=10, alpha=0.6, color="tab:blue")
        axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="true BPM", title=f"{name} ({len(truth)})")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(ScalarFormatter())
            axis.set_ticks(TICKS_BPM)
            axis.set_ticks([], minor=True)
    grid[0, 0].set_ylabel("estimated BPM")
    return figure


def errors(found: Estimates) -> Figure:
    """Draw how far off the estimates are, in octaves: nearly all errors are whole ones."""
    figure, axes = plt.subplots(figsize=(7.0, 3.0), layout="constrained")
    off = [np.log2(estimate / truth) for truth, estimate in found.values()]
    axes.hist(off, bins=list(np.linspace(-1.75, 1.75, 71)), label=list(found))
    axes.set(xlabel="log2 of estimated over true tempo", ylabel="clips", yscale="symlog")
    axes.legend(fontsize="small")
    return figure


def octaves(found: Estimates) -> Figure:
    """Draw the octave table: how many are right, off by each simple factor, or wrong altogether."""
    kinds = ("right", *FACTORS, "other")
    cells = []
    for truth, estimate in found.values():
        counts = octave_errors(estimate, truth)
        counts["right"] = len(truth) - sum(counts.values())
        cells.append([f"{counts[kind]} ({counts[kind] / max(1, len(truth)):.0%})" for kind in kinds])
    figure, axes = plt.subplots(figsize=(9.0, 0.4 + 0.3 * len(found)), layout="constrained")
    axes.set_axis_off()
    table = axes.table(cells, rowLabels=list(found), colLabels=kinds, loc="center", cellLoc="center")
    table.auto_set_font_size(False)  # noqa: FBT003 - matplotlib takes it by position only
    table.set_fontsize(9)
    return figure


def examples(sources: Sources) -> Figure:
    """Draw GTZAN clips near `EXAMPLES_BPM`: their beats are the vertical lines."""
    gtzan = load_frame_set(sources.prepared / "gtzan.npz")
    known = np.flatnonzero(np.isfinite(gtzan.bpm))
    windows = {}
    for bpm in EXAMPLES_BPM:
        row = int(known[np.argmin(np.abs(gtzan.bpm[known] - bpm))])
        frames = gtzan.clip(row)[: round(EXAMPLE_S * gtzan.frames_per_second)]
        windows[f"{gtzan.bpm[row]:.0f} BPM ({gtzan.name[row]})"] = frames
    return spectrograms(windows, frames_per_second=gtzan.frames_per_second)


def _pairs(rows: list[Judged | str]) -> tuple[F64, F64]:
    """Return true and estimated tempi [n] of what could be read and has an estimate."""
    kept = [row for row in rows if isinstance(row, Judged) and row.estimate > 0.0]
    return np.array([row.truth for row in kept]), np.array([row.estimate for row in kept])
