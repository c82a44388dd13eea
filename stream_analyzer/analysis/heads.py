"""The heads that ship, and which of them run: those whose models and libraries are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_analyzer.analysis.beat.head import BeatHead
from stream_analyzer.analysis.energy.head import EnergyHead
from stream_analyzer.analysis.genre.head import GenreHead
from stream_analyzer.analysis.key.head import KeyHead
from stream_analyzer.analysis.loudness import head as loudness
from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.analysis.moment.head import MomentHead
from stream_analyzer.analysis.tempo.head import TempoHead
from stream_analyzer.errors import ManifestError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream_analyzer.analysis.head import Head
    from stream_analyzer.types import TempoRange


def load_heads(folder: Path, *, tempo_range: TempoRange | None = None) -> list[Head]:
    """Return the heads whose models lie in ``folder``, each in a folder of the head's name, and those without one.

    Raises
    ------
    ModelError
        There is no model at all, or one can't be trusted or run.
    """
    beat = BeatHead(_load(folder, task="beat")) if (folder / "beat").is_dir() else None
    makers: dict[str, Callable[[TfliteModel], Head]] = {
        "tempo": lambda model: TempoHead(model, tempo_range=tempo_range, ask=beat.tempo if beat else None),
        "genre": GenreHead,
        "key": KeyHead,
    }
    heads = [make(_load(folder, task=name)) for name, make in makers.items() if (folder / name).is_dir()]
    heads += [beat] if beat else []
    if not heads:
        msg = f"no model in {folder}: it has none of the folders {', '.join(makers)}, beat; restore it or set --models"
        raise ModelError(msg)
    heads += [loudness.LoudnessHead()] if loudness.available() else []
    return [*heads, EnergyHead(), MomentHead()]


def _load(folder: Path, *, task: str) -> TfliteModel:
    model = TfliteModel(folder / task)
    if model.manifest.task != task:
        msg = f"model {model.manifest.name} is for {model.manifest.task}, not {task}; restore the models folder"
        raise ManifestError(msg)
    return model
