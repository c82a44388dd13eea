"""The tasks by name: which data, network, loss and scores a configuration asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stream_analyzer.library.places import near
from training.genre import task as genre
from training.key import task as key
from training.tempo import task as tempo

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from training.task import Task

TASKS: dict[str, Callable[[dict[str, Any], Path], Task]] = {
    "genre": genre.make_task,
    "key": key.make_task,
    "tempo": tempo.make_task,
}


def make_task(config: dict[str, Any], prepared: str | Path) -> Task:
    """Build the task that ``config`` names, on the data sets that `training.prepare` left in ``prepared``."""
    return TASKS[config["task"]](config, near(prepared))
