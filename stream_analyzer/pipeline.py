"""How sound becomes a stream, on one screen: source -> queue -> analyzer -> hub -> page, sinks and standard output.

audio thread or file      event loop            a worker thread             event loop
source.deliver  ----->   BlockQueue  ----->   Analyzer.feed(block)  ---->   Hub.publish  ---> mailboxes
                         `--------------- Listening, one for each input -----------------'
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from stream_analyzer.errors import AudioError
from stream_analyzer.listening import Listening
from stream_analyzer.serving.hub import Complete
from stream_analyzer.serving.monitor import Monitor
from stream_analyzer.serving.web.changes import marked, reloaded
from stream_analyzer.serving.web.server import Answer, WebServer
from stream_analyzer.serving.web.sets import set_routes
from stream_analyzer.system.resources import resource_folder
from stream_analyzer.system.threads import daemon_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from concurrent.futures import Executor

    from stream_analyzer.listening import Input
    from stream_analyzer.reloading import Reloading
    from stream_analyzer.serving.web.server import Route, Serving
    from stream_analyzer.sets.log import SetLog
    from stream_analyzer.system.notify import Supervisor

logger = logging.getLogger(__name__)

_FAREWELL_S = 1.0


async def run(
    inputs: Sequence[Input],
    *,
    serving: Serving,
    announce: Callable[[str], None],
    write_line: Callable[[str], None] | None,
    log: SetLog | None = None,
    reloading: Reloading | None = None,
    supervisor: Supervisor | None = None,
    workers: int | None = None,
) -> None:
    """Analyse ``inputs`` and serve what comes of them until all have ended or the task is cancelled.

    ``announce`` is told the page's URL; ``write_line`` gets every JSON message, in order and complete,
    one a line; ``log`` keeps the sets; ``reloading`` may be asked for other models; ``supervisor`` is told how things
    stand. ``workers`` threads analyse, by default one for each input.
    """
    names = [one.name for one in inputs]
    all_ = [Listening(one, names=names, log=log) for one in inputs]
    monitor = Monitor([one.watch for one in all_], log=log)
    async with AsyncExitStack() as stack:
        if log:
            stack.enter_context(log)
        for one in all_:
            stack.enter_context(one.hub.subscribe(one.fanout))
            stack.enter_context(one.hub.subscribe(one.watch))
        server = WebServer(
            {one.name: one.fanout for one in all_},
            resource_folder("web"),
            serving=serving,
            answers=_answers(all_, monitor),
            routes=_routes(all_, reloading, log),
            types=list(dict.fromkeys(kind for one in all_ for kind in one.hello.types)),
            listen_to={one.name: one.listen_to for one in all_},
            hearing=next((one.hearing for one in all_ if one.hearing), None),
        )
        if reloading:
            reloading.begin(all_, monitor)
        announce(await stack.enter_async_context(server.listen()))
        if supervisor:
            await stack.enter_async_context(_supervised(supervisor, monitor))
        sinks = await stack.enter_async_context(asyncio.TaskGroup())
        if write_line:
            lines = _box_of_all(all_, stack)
            sinks.create_task(_write_lines(lines, write_line), name="write lines")
        following = [sinks.create_task(sink.follow(one.hub)) for one in all_ for sink in one.sinks]
        try:
            worker = stack.enter_context(ThreadPoolExecutor(workers or len(all_), thread_name_prefix="analysis"))
            errors = await _listen(all_, worker, monitor)
        finally:
            for one in all_:
                one.hub.close()
        if following:  # a broker that is there gets the rest and a farewell; for one that is not, nobody waits long
            await asyncio.wait(following, timeout=_FAREWELL_S)
        for task in following:
            task.cancel()
    if errors:  # now that all that came before has been sent
        raise errors[0]


@asynccontextmanager
async def _supervised(supervisor: Supervisor, monitor: Monitor) -> AsyncIterator[None]:
    """Tell a supervisor when it is served and when no more, and between while the analysis does not hang."""
    supervisor.tell("READY=1", "STATUS=listening and serving")
    watching = asyncio.create_task(supervisor.watch(lambda: monitor.health("").status is HTTPStatus.OK))
    try:
        yield
    finally:
        watching.cancel()
        supervisor.tell("STOPPING=1")


def _answers(all_: Sequence[Listening], monitor: Monitor) -> dict[str, Callable[[str], Answer]]:
    """Return what is answered at which path, to who asks for an input by name or for none."""

    def timeline(asked: str) -> Answer:
        one = next((one for one in all_ if one.name == asked), all_[0])
        return Answer(one.recorder.timeline(), "application/json")

    return {
        "/timeline": timeline,
        "/metrics": lambda _: monitor.metrics(),
        "/health": monitor.health,
        "/ready": monitor.ready,
    }


def _routes(all_: Sequence[Listening], reloading: Reloading | None, log: SetLog | None) -> dict[tuple[str, str], Route]:
    """Return what takes time or changes anything, by method and path."""
    routes: dict[tuple[str, str], Route] = {("POST", "/marks"): partial(marked, {one.name: one for one in all_})}
    if reloading:
        routes["POST", "/models/reload"] = partial(reloaded, reloading)
    return routes | (set_routes(log.path) if log else {})


def _box_of_all(all_: Sequence[Listening], stack: AsyncExitStack) -> Complete:
    """Return a box that all fill until the stack unwinds."""
    box = Complete()
    for one in all_:
        stack.enter_context(one.hub.subscribe(box))
    return box


async def _listen(all_: Sequence[Listening], worker: Executor, monitor: Monitor) -> list[AudioError]:
    """Listen to all until the last has ended; one that can't go on leaves the others alone. Return what went wrong."""
    errors: list[AudioError] = []
    left, over = {one.name for one in all_}, asyncio.Event()

    async def listen(one: Listening) -> None:
        try:
            await one.run(worker)
        except AudioError as error:
            errors.append(error)
            if len(all_) > 1:
                logger.warning("input %s ended: %s", one.name, error)
        left.discard(one.name)
        if not left:
            over.set()
        await one.stay_until(over)

    async with asyncio.TaskGroup() as tasks:
        for one in all_:
            monitor.time(one.name, one.heads)
            tasks.create_task(listen(one), name=f"listen to {one.name}")
    return errors


async def _write_lines(box: Complete, write_line: Callable[[str], None]) -> None:
    """Write every JSON message; a reader that stalls holds up a thread of its own alone."""
    with daemon_thread("write lines") as do:
        while messages := await box.take():
            lines = "\n".join(message.payload for message in messages if isinstance(message.payload, str))
            await do(partial(write_line, lines))
