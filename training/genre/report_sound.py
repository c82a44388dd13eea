"""Pictures of the genre model of sound: confusion and reliability of what is shown, each source left out.

What is shown is what the service shows of the clips as a stream; see `training.genre.shown`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import pyplot as plt

from stream_analyzer.analysis.genre.output import GenreOutput
from stream_analyzer.analysis.manifest import load_manifest
from training.genre.hearing import hearing
from training.genre.scores import ECE_BINS, calibration_error, reliability
from training.genre.shown import LEFT_OUT, listen, posteriors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.figure import Figure

    from training.figures import Sources
    from training.genre.shown import Shown


def draw(sources: Sources) -> Iterator[tuple[str, Figure]]:
    """Yield name and content of each picture: of left-out sources where there are heads for that, else of ``split``."""
    with hearing(sources.model) as hear:
        heard = listen(sources.model, hear, data=sources.data, split=sources.split)
    left_out = any(name.endswith(LEFT_OUT) for name in heard)
    clips = [clip for name, (own, _) in heard.items() if name.endswith(LEFT_OUT) or not left_out for clip in own]
    labels = GenreOutput.of(load_manifest(sources.model)).labels
    yield "confusion", confusion(clips, labels)
    yield "reliability", reliability_diagram(clips)


def confusion(clips: Sequence[Shown], labels: Sequence[str]) -> Figure:
    """Draw what each genre's clips are shown as at their end, in per cent; clips of one song share a vote."""
    names = [label for label in labels if any(clip.truth == label for clip in clips)]
    votes = np.zeros((len(names), len(labels)))
    for clip in clips:
        of_song = sum(other.song == clip.song for other in clips)
        if clip.end in labels:
            votes[names.index(clip.truth), labels.index(clip.end)] += 1.0 / of_song
    shares = 100.0 * votes / np.maximum(votes.sum(axis=1, keepdims=True), 1e-9)
    figure, axes = plt.subplots(figsize=(8.0, 6.4), layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=100.0)
    for (true, said), share in np.ndenumerate(shares):
        if share >= 0.5:
            axes.text(said, true, f"{share:.0f}", ha="center", va="center", color="white" if share > 55.0 else "black")
    songs = [len({clip.song for clip in clips if clip.truth == name}) for name in names]
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), [f"{name} ({n} songs)" for name, n in zip(names, songs, strict=True)])
    axes.set_xlabel("shown")
    axes.set_ylabel("true")
    return figure


def reliability_diagram(clips: Sequence[Shown]) -> Figure:
    """Draw how often the likeliest label is right at each confidence, and how many clips have it."""
    table, truth = posteriors(clips)
    found = reliability(table, truth)
    middle = (np.arange(ECE_BINS) + 0.5) / ECE_BINS
    figure, axes = plt.subplots(figsize=(6.0, 4.2), layout="constrained")
    axes.bar(middle, found.right, width=0.9 / ECE_BINS, color="#4878a8")
    axes.plot([0.0, 1.0], [0.0, 1.0], color="black", linewidth=0.8)
    for x, right, count in zip(middle, found.right, found.count, strict=True):
        axes.text(x, right + 0.02, f"{count:.0f}", ha="center", fontsize=8)
    axes.set_title(f"{len(clips)} clips, expected calibration error {calibration_error(table, truth):.3f}")
    axes.set_xlabel("probability of the likeliest label")
    axes.set_ylabel("share that is right")
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(0.0, 1.08)
    return figure
