"""Pictures and tables of the genre model: confusion, reliability, examples, learning curve, coverage of genres.

What the model says is that of the int8 file through the code that serves it, on clips it was not trained on; scores are
those of `training.genre.scores`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import pyplot as plt

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.model import TfliteModel
from training.data.dataset import load_frame_set
from training.data.genres import KNOWN, LABELS, label_index
from training.figures import Sources, learning_curve, logged, spectrograms
from training.genre import report_sound
from training.genre.scores import (
    CLIP_STEP,
    ECE_BINS,
    JudgedClips,
    calibration_error,
    clip_posterior,
    judge,
    reliability,
    truth_of,
)
from training.genre.tables import tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from stream_analyzer.types import F32
    from training.data.dataset import FrameSet

TITLES = {"gtzan": "GTZAN", "fma-small": "FMA-small"}
EXAMPLE_S = 5.0


def draw(sources: Sources) -> Iterator[tuple[str, Figure | str]]:
    """Yield name and content of each picture, and of the tables."""
    model = TfliteModel(sources.model)
    if model.manifest.feature != SPEC:  # the prepared sets hold no other frames
        yield from report_sound.draw(sources)
        return
    sets = [load_frame_set(sources.prepared / f"{name}.npz") for name in TITLES]
    judged = [judge(frames, model, split=sources.split) for frames in sets]
    yield "confusion", confusion(judged)
    yield "reliability", reliability_diagram(judged, stride=-(-model.manifest.input.frames // CLIP_STEP))
    yield "examples", examples([one.clips for one in judged])
    yield "genres", tables(model.manifest, sets, judged, split=sources.split)
    yield "learning", learning_curve(sources.run, _curves(sources))


def confusion(judged: list[JudgedClips]) -> Figure:
    """Draw which genre each genre's clips are taken for, in per cent, among the labels that their set can know."""
    figure, row = plt.subplots(1, len(judged), figsize=(11.0, 5.2), squeeze=False, layout="constrained")
    for axes, one in zip(row[0], judged, strict=True):
        dataset, truth = truth_of(one.clips)
        guess = clip_posterior(one.posteriors()).argmax(axis=1)
        known = [LABELS.index(label) for label in KNOWN[dataset]]
        counts = np.array([[np.sum((truth == true) & (guess == said)) for said in known] for true in known])
        shares = 100.0 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=100.0)
        for (true, said), share in np.ndenumerate(shares):
            if counts[true, said]:
                dark = share > 55.0
                axes.text(said, true, f"{share:.0f}", ha="center", va="center", color="white" if dark else "black")
        names = [LABELS[index] for index in known]
        axes.set_xticks(range(len(known)), names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(known)), [f"{name} ({n})" for name, n in zip(names, counts.sum(axis=1), strict=True)])
        right = np.trace(counts) / max(1, counts.sum())
        axes.set(xlabel="judged as, % of its clips", title=f"{TITLES[dataset]}: {right:.1%} of {counts.sum()} clips")
    row[0, 0].set_ylabel("is (clips)")
    return figure


def reliability_diagram(judged: list[JudgedClips], *, stride: int) -> Figure:
    """Draw how often the winning genre is right at each confidence; on the diagonal, confidence is probability.

    Every ``stride``-th window is taken, so that none overlap, as for the calibration error in the card.
    """
    figure, row = plt.subplots(1, len(judged), figsize=(9.0, 4.2), squeeze=False, sharey=True, layout="constrained")
    centres = (np.arange(ECE_BINS) + 0.5) / ECE_BINS
    for axes, one in zip(row[0], judged, strict=True):
        dataset, truth = truth_of(one.clips)
        kept = [posterior[::stride] for posterior in one.posteriors()]
        windows, window_truth = np.concatenate(kept), np.repeat(truth, [len(rows) for rows in kept])
        found, error = reliability(windows, window_truth), calibration_error(windows, window_truth)
        axes.bar(centres, found.right, width=0.9 / ECE_BINS, color="tab:blue")
        axes.plot([0.0, 1.0], [0.0, 1.0], "--", color="grey", linewidth=0.8)
        some = found.count > 0
        axes.plot(found.confidence[some], found.right[some], ".", color="black")
        for centre, count, right in zip(centres[some], found.count[some], found.right[some], strict=True):
            axes.annotate(
                f"{count:.0f}",
                (centre, 0.01),
                ha="center",
                fontsize="x-small",
                color="white" if right > 0.05 else "black",
            )
        title = f"{TITLES[dataset]}: {len(windows)} windows, ECE {error:.3f}"
        axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.0), xlabel="confidence in the winning genre", title=title)
    row[0, 0].set_ylabel("share that is right (below: windows)")
    return figure


def examples(sets: list[FrameSet]) -> Figure:
    """Draw the middle of the first clip of each label, from the first set that has one."""
    windows: dict[str, F32] = {}
    for label in LABELS:
        for frames in sets:
            rows = np.flatnonzero([label_index(str(name)) == LABELS.index(label) for name in frames.label])
            if len(rows):
                windows[f"{label}, {TITLES[str(frames.dataset[0])]}"] = _middle(frames, rows[0])
                break
    return spectrograms(windows, frames_per_second=sets[0].frames_per_second, columns=5, panel=(2.1, 1.7))


def _middle(frames: FrameSet, row: int) -> F32:
    clip, length = frames.clip(row), round(EXAMPLE_S * frames.frames_per_second)
    first = max(0, (len(clip) - length) // 2)
    return clip[first : first + length]


def _curves(sources: Sources) -> dict[str, str]:
    """Return the accuracies of clips that the run logged, by key, and their names."""
    keys = dict.fromkeys(key for row in logged(sources.run) for key in row if key.endswith("clip_accuracy"))
    return {key: key.replace("clip_accuracy", "clips right") for key in keys}
