"""Other models for all inputs while they listen: loaded and verified off the audio path, switched between two steps."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from stream_analyzer.errors import ModelError
from stream_analyzer.system.memory import give_back
from stream_analyzer.system.threads import DaemonThreads, in_daemon_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stream_analyzer.analysis.head import Head
    from stream_analyzer.analysis.manifest import ModelManifest
    from stream_analyzer.listening import Listening
    from stream_analyzer.serving.monitor import Monitor

logger = logging.getLogger(__name__)

_TIDIES_AFTER_S = 5.0  # by then nobody holds the models before, nor an error that holds those that were refused


class Reloading:
    """Reads the models folder again when it is asked to. State: who listens, and the reload that is under way."""

    def __init__(self, load: Callable[[], Mapping[str, Sequence[Head]]]) -> None:
        """Get new heads of each input from ``load``, which may take its time, and raises `ModelError`."""
        self._load = load
        self._all: Sequence[Listening] = ()
        self._monitor: Monitor | None = None
        self._under_way = False
        self._asked: set[asyncio.Task[None]] = set()

    def begin(self, all_: Sequence[Listening], monitor: Monitor) -> None:
        """Serve these from now on."""
        self._all, self._monitor = all_, monitor

    def ask(self) -> None:
        """Have the models read again; the log tells how that went."""
        task = asyncio.get_running_loop().create_task(self._try(), name="reload models")
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)

    async def reload(self) -> list[str]:
        """Switch all inputs to the models that the folder holds now, or none of them; return what they are.

        Where it holds what it held, nothing is switched: whoever may ask can't make them begin anew again and again.

        Raises
        ------
        ModelError
            The folder is no good, and the models before go on; or another reload is under way.
        """
        if self._under_way:
            msg = "the models are being read already; ask again when that is done"
            raise ModelError(msg)
        self._under_way = True
        try:
            found = await in_daemon_thread(self._load, name="load models")
        finally:
            self._under_way = False
            asyncio.get_running_loop().call_later(_TIDIES_AFTER_S, _tidy)
        for one in self._all:
            _hold_kinds(one.heads, found[one.name])
        told = [f"{model.name} {model.version}" for model in _manifests(next(iter(found.values())))]
        if any(_manifests(one.heads) != _manifests(found[one.name]) for one in self._all):
            for one in self._all:
                self._switch(one, _with_those_that_stay(one.heads, found[one.name]))
            logger.warning("models were read again: %s", ", ".join(told))
        return told

    def _switch(self, one: Listening, heads: Sequence[Head]) -> None:
        if self._monitor:
            self._monitor.time(one.name, [head for head in heads if head not in one.heads])
        one.switch(heads)

    async def _try(self) -> None:
        try:
            await self.reload()
        except ModelError as error:
            logger.warning("the models before go on: %s", error)


def _hold_kinds(before: Sequence[Head], after: Sequence[Head]) -> None:
    """Raise `ModelError` where other kinds of messages would come: brokers and subscribers know those of the start."""
    were, are = ({head.name for head in heads} for heads in (before, after))
    if were != are:
        change = ", ".join([*(f"{name} is missing" for name in were - are), *(f"{name} is new" for name in are - were)])
        msg = f"the models folder leads to other kinds of messages than at the start ({change}); start again for that"
        raise ModelError(msg)


def _tidy() -> None:
    DaemonThreads(thread_name_prefix="give memory back").submit(give_back)


def _manifests(heads: Sequence[Head]) -> list[ModelManifest]:
    return [head.model.manifest for head in heads if head.model]


def _with_those_that_stay(before: Sequence[Head], after: Sequence[Head]) -> list[Head]:
    """Return the new heads, but of those without a model the old: they measure the whole set."""
    old = {head.name: head for head in before}
    return [head if head.model else old[head.name] for head in after]
