"""What would other decoding gain? Temperatures of the posterior, and the true genre as a prior on the octave.

    python -m training.studies.tempo_ablation --data ../shared/data

The true genre is the most that a genre model could give. The tempi of each genre are those of GTZAN's train list,
smoothed; the clips are its validation list. A clip's posterior is multiplied by (p(tempo | genre) / p(tempo)) to the
power of a weight. Posteriors are means over a clip; the RMSE "of mean" is that of their means in BPM.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.model import TfliteModel
from training.data.sources import genre_files, read_genre_file
from training.task import served
from training.tempo.grid import BPM_BINS, FRAMES_PER_SECOND
from training.tempo.score import octave_errors, peak_bpm, scores
from training.tempo.task import GTZAN_FRAMES_PER_SECOND, clip_posteriors, valid_windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.types import F64

TEMPERATURES = (1.0, 1.5, 2.0, 3.0, 4.0)
WIDTHS_OCTAVES = (0.1, 0.2, 0.3)  # standard deviation of the smoothing
BACKGROUNDS = (0.1, 0.3)  # share of the tempi of all genres in that of each
WEIGHTS = (0.25, 0.5, 1.0)
SCALE = GTZAN_FRAMES_PER_SECOND / FRAMES_PER_SECOND


def tempi(bpm: F64, *, width: float) -> F64:
    """Return the smoothed distribution over bins of the tempi ``bpm``."""
    density = np.exp(-0.5 * (np.log2(SCALE * BPM_BINS / bpm[:, None]) / width) ** 2).sum(axis=0) + 1e-9
    distribution: F64 = density / density.sum()
    return distribution


def say(name: str, posteriors: F64, truth: F64) -> None:
    """Print the scores of posteriors [clips, bins]."""
    estimate = SCALE * np.array([peak_bpm(posterior) for posterior in posteriors])
    found = scores(estimate, truth, SCALE * (posteriors @ BPM_BINS))
    accuracy = f"Accuracy1 {found['accuracy1']:.3f}, Accuracy2 {found['accuracy2']:.3f}"
    errors = {kind: count for kind, count in octave_errors(estimate, truth).items() if count}
    print(f"{name:40} {accuracy}, RMSE {found['rmse_bpm']:.1f}, of mean {found['rmse_mean_bpm']:.1f}, {errors}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="python -m training.studies.tempo_ablation", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with the data files")
    parser.add_argument("--model", type=Path, default=Path("models/tempo"), help="model folder")
    options = parser.parse_args(arguments)
    model = TfliteModel(options.model)
    clips = read_genre_file(next(path for path in genre_files(options.data) if path.name == "gtzan_mel.npz"))
    known = np.isfinite(clips.bpm)
    train, valid = (np.flatnonzero(known & (clips.split == split)) for split in ("train", "valid"))
    bpm = clips.bpm.astype(np.float64)
    truth = bpm[valid]
    frames = [clips.clip(int(row)) for row in valid]
    print(f"{len(truth)} clips; their tempi have a standard deviation of {truth.std():.1f} BPM")
    logits = served(model)(np.concatenate([valid_windows(clip) for clip in frames]))
    for temperature in TEMPERATURES:
        say(f"temperature {temperature}", clip_posteriors(frames, lambda _: logits, temperature=temperature), truth)
    published = model.manifest.calibration["temperature"]
    heard = clip_posteriors(frames, lambda _: logits, temperature=published)
    say(f"temperature {published:.2f}, as published", heard, truth)
    for width in WIDTHS_OCTAVES:
        overall = tempi(bpm[train], width=width)
        by_genre = {
            genre: tempi(bpm[train][clips.label[train] == genre], width=width) for genre in set(clips.label[train])
        }
        for background in BACKGROUNDS:
            ratio = np.stack([by_genre[genre] for genre in clips.label[valid]]) / overall
            ratio = (1.0 - background) * ratio + background
            for weight in WEIGHTS:
                posterior = heard * ratio**weight
                posterior /= posterior.sum(axis=1, keepdims=True)
                say(f"width {width}, background {background}, weight {weight}", posterior, truth)


if __name__ == "__main__":
    main()
