"""The heads that ship, and which of them run: those whose models and libraries are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_analyzer.analysis.beat.head import BeatHead
from stream_analyzer.analysis.energy.head import EnergyHead
from stream_analyzer.analysis.genre.head import GenreHead
from stream_analyzer.analysis.key.head import KeyHead
from stream_analyzer.analysis.loudness import head as loudness
from stream_analyzer.analysis.manifest import load_manifest
from stream_analyzer.analysis.model import TfliteModel
from stream_analyzer.analysis.moment.head import MomentHead
from stream_analyzer.analysis.tempo.head import TempoHead
from stream_analyzer.errors import ManifestError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream_analyzer.analysis.head import Head
    from stream_analyzer.analysis.manifest import ModelManifest
    from stream_analyzer.types import TempoRange

_TASKS = ("tempo", "genre", "key", "beat")


def load_heads(folder: Path, *, tempo_range: TempoRange | None = None) -> list[Head]:
    """Return the heads whose models lie in ``folder``, each in a folder of the head's name, and those without one.

    Raises
    ------
    ModelError
        There is no model at all, or one can't be trusted or run.
    """
    # All are checked before the first takes memory: a folder that is refused leaves nothing behind in the service.
    manifests = {name: _manifest(folder, task=name) for name in _TASKS if (folder / name).is_dir()}
    if not manifests:
        msg = f"no model in {folder}: it has none of the folders {', '.join(_TASKS)}; restore it or set --models"
        raise ModelError(msg)
    models = {name: TfliteModel(folder / name, manifest=manifest) for name, manifest in manifests.items()}
    beat = BeatHead(models["beat"]) if "beat" in models else None
    makers: dict[str, Callable[[TfliteModel], Head]] = {
        "tempo": lambda model: TempoHead(model, tempo_range=tempo_range, ask=beat.tempo if beat else None),
        "genre": GenreHead,
        "key": KeyHead,
    }
    heads = [make(models[name]) for name, make in makers.items() if name in models]
    heads += [beat] if beat else []
    heads += [loudness.LoudnessHead()] if loudness.available() else []
    return [*heads, EnergyHead(), MomentHead()]


def _manifest(folder: Path, *, task: str) -> ModelManifest:
    manifest = load_manifest(folder / task)
    if manifest.task != task:
        msg = f"model {manifest.name} is for {manifest.task}, not {task}; restore the models folder"
        raise ManifestError(msg)
    return manifest
