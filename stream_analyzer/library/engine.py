"""The same work on many things, on this machine's cores or on a cluster. The only user of Dask.

    tasks -> each -> (task, result or error), as they are done; few tasks wait at a time, however many there are

A worker that dies costs nothing but time: Dask gives its tasks to others, and one that joins gets some.
"""

from __future__ import annotations

import logging
import signal
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import dask
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster, WorkerPlugin, as_completed
from distributed.comm.core import CommClosedError

from stream_analyzer.errors import ConfigError, StreamAnalyzerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from distributed import Worker

T = TypeVar("T")
R = TypeVar("R")

_PATIENCE_S = 5
_AHEAD = 2  # tasks a thread of a worker
_LEAST = 8
_ANY = "127.0.0.1:0"
_NO_PROFILES = {"distributed.worker.profile.enabled": False}  # they grow by .2 MB a second, and nobody looks at them
_QUIET = logging.CRITICAL  # who comes and goes is no news, and errors come back with the tasks


@contextmanager
def crew(*, scheduler: str = "", workers: int = 0) -> Iterator[Client]:
    """Yield a client of the cluster at ``scheduler``, or else of ``workers`` processes here, as many as cores if 0."""
    if workers < 0 or (scheduler and workers):
        msg = f"--workers {workers}: is the number of processes here, 1 or more, and goes without --scheduler"
        raise ConfigError(msg)
    for name in ("distributed", "distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(_QUIET)
    if scheduler:
        try:
            client = Client(scheduler, timeout=_PATIENCE_S, set_as_default=False)
        except (OSError, ValueError) as error:
            msg = f"no scheduler answers at {scheduler} ({error}); start one with: dask scheduler, and dask workers"
            raise ConfigError(msg) from error
        with client:
            try:
                yield client
            except CommClosedError as error:
                msg = f"the scheduler at {scheduler} has gone; start it again, and the same command goes on from here"
                raise ConfigError(msg) from error
        return
    count = workers or CPU_COUNT
    with (
        dask.config.set(_NO_PROFILES),
        LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=_ANY, silence_logs=_QUIET) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        client.register_plugin(_LeavesCtrlC())
        yield client


class _LeavesCtrlC(WorkerPlugin):
    """A terminal tells Ctrl-C to the workers too; what becomes of them is for the command to say."""

    def setup(self, worker: Worker) -> None:
        """Begin in a new worker."""
        del worker
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def each(client: Client, work: Callable[[T], R], tasks: Iterable[T]) -> Iterator[tuple[T, R | Exception]]:
    """Let the workers do ``work`` on each of ``tasks``; yield task and result, or error, as it is done.

    ``work`` and what it returns must pickle. Tasks are taken as workers come free.
    """
    waiting, running = iter(tasks), dict[object, T]()
    done = as_completed(loop=client.loop)

    def submit() -> None:
        wanted = max(_LEAST, _AHEAD * sum(client.nthreads().values())) - len(running)
        for task in islice(waiting, wanted):
            future = client.submit(_outcome, work, task, pure=False)
            running[future.key] = task
            done.add(future)

    submit()
    for future in done:
        if future.status in ("pending", "lost"):  # its worker has died with the result: another does the task again
            done.add(future)
            continue
        if future.status == "cancelled":
            raise CommClosedError
        task = running.pop(future.key)
        yield task, future.exception() or future.result()
        submit()


def results(client: Client, work: Callable[[T], R], tasks: Iterable[T]) -> list[R]:
    """Let the workers do ``work`` on each of ``tasks``; return what comes of them, in order. Raises what it raises."""
    found: dict[int, R] = {}
    for (number, _), outcome in each(client, partial(_of_numbered, work), enumerate(tasks)):
        if isinstance(outcome, Exception):
            raise outcome
        found[number] = outcome
    return [found[number] for number in range(len(found))]


def _of_numbered(work: Callable[[T], R], task: tuple[int, T]) -> R:
    return work(task[1])


def _outcome(work: Callable[[T], R], task: T) -> R | StreamAnalyzerError:
    """Return what is wrong with a task as its result: for Dask, only bugs and lost workers are errors."""
    try:
        return work(task)
    except StreamAnalyzerError as error:
        return error
