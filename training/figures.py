"""Figures that the reports of both models draw: learning curves and mel spectrograms; matplotlib without a display."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from stream_analyzer.analysis.features import SPEC, mel_frequencies
from stream_analyzer.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from stream_analyzer.types import F32

DEPTH = 12.0  # nepers of power below the loudest point that a spectrogram shows (52 dB)
TICKS_HZ = (100, 400, 1000, 2000, 4000, 8000)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a report finds things: the exported model, the run it came from, prepared sets, the data themselves."""

    model: Path
    run: Path
    prepared: Path
    data: Path
    split: str


def logged(run: Path) -> list[dict[str, Any]]:
    """Return the rows of a run's ``log.jsonl``.

    Raises
    ------
    ConfigError
        The run has no log.
    """
    path = run / "log.jsonl"
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except OSError as error:
        msg = f"can't read {path}: {error.strerror}; name the folder of a training run with --run"
        raise ConfigError(msg) from error
    except ValueError as error:
        msg = f"{path} is no log of a training run ({error}); name another with --run"
        raise ConfigError(msg) from error


def learning_curve(run: Path, scores: dict[str, str]) -> Figure:
    """Draw the loss and ``scores`` (key in the run's log -> name) over its float phase and then its int8 phase."""
    rows = logged(run)
    last = max((row["step"] for row in rows if row["phase"] == "float"), default=0)
    steps = [row["step"] + (last if row["phase"] == "int8" else 0) for row in rows]
    figure, (above, below) = plt.subplots(2, 1, figsize=(7.0, 5.0), sharex=True, layout="constrained")
    above.plot(steps, [row["loss"] for row in rows], marker=".", color="black")
    above.set_ylabel("training loss")
    for key, name in scores.items():
        below.plot(steps, [row[key] for row in rows], marker=".", label=name)
    for axes in (above, below):
        axes.axvline(last, color="grey", linestyle=":")
        axes.grid(alpha=0.3)
    above.annotate("quantization-aware", (last, 1.0), xycoords=("data", "axes fraction"), va="top", rotation=90)
    below.set_xlabel("step")
    below.set_ylabel("validation")
    below.legend(fontsize="small")
    return figure


def spectrograms(
    windows: dict[str, F32], *, frames_per_second: float, columns: int = 2, panel: tuple[float, float] = (4.0, 2.0)
) -> Figure:
    """Draw log-mel windows [frames, 128] (title -> window), loudest point black; ``panel`` is in inch."""
    count = -(-len(windows) // columns)
    size = (panel[0] * columns, panel[1] * count)
    figure, grid = plt.subplots(count, columns, figsize=size, squeeze=False, sharey=True, layout="constrained")
    bands_hz = mel_frequencies(SPEC.n_mels + 2, fmin_hz=SPEC.fmin_hz, fmax_hz=SPEC.fmax_hz)[1:-1]
    ticks = [int(abs(bands_hz - hz).argmin()) for hz in TICKS_HZ]
    for axes in grid.flat[len(windows) :]:
        axes.set_axis_off()
    for axes, (title, window) in zip(grid.flat, windows.items(), strict=False):
        top, extent = float(window.max()), (0.0, len(window) / frames_per_second, -0.5, SPEC.n_mels - 0.5)
        axes.imshow(window.T, origin="lower", aspect="auto", cmap="magma_r", vmin=top - DEPTH, vmax=top, extent=extent)
        axes.set_title(title, fontsize="small")
        axes.set_yticks(ticks, [f"{hz / 1000:g}" for hz in TICKS_HZ])
    for axes in grid[:, 0]:
        axes.set_ylabel("kHz")
    for axes in grid[-1]:
        axes.set_xlabel("s")
    return figure
