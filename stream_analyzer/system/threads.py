"""Wait in the event loop for calls that may hang, in threads that don't hold up the end of the process."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")
T = TypeVar("T")


class DaemonThreads(ThreadPoolExecutor):
    """Runs each call in a daemon thread of its own, so that none is waited for at the end of the process.

    As a loop's default executor it keeps name look-ups and connections that hang from holding up Ctrl-C.
    """

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``work`` in a thread; return its future."""
        done: Future[T] = Future()
        call = partial(_do, done, partial(work, *args, **kwargs))
        threading.Thread(target=call, name=self._thread_name_prefix, daemon=True).start()
        return done


@contextmanager
def daemon_thread(name: str) -> Iterator[Callable[[Callable[[], T]], asyncio.Future[T]]]:
    """Give what runs calls one after another in one daemon thread: for calls that come many times a second.

    The thread ends after the call that it is in when the context does; nobody waits for that.
    """
    calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def run() -> None:
        while call := calls.get():
            call()

    def do(work: Callable[[], T]) -> asyncio.Future[T]:
        done: Future[T] = Future()
        calls.put(partial(_do, done, work))
        return asyncio.wrap_future(done)

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        yield do
    finally:
        calls.put(None)


def _do(done: Future[T], work: Callable[[], T]) -> None:
    """Do the work unless nobody waits for it any longer; hand over its result or its error."""
    if not done.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - not swallowed: handed to whoever waits
        done.set_exception(error)
    else:
        done.set_result(result)


async def in_daemon_thread(work: Callable[[], T], *, name: str = "helper") -> T:
    """Run ``work`` in a daemon thread of its own and return its result or raise its exception.

    An executor's thread would be joined at exit; a hanging read or a dead sound device must not do that to Ctrl-C.
    """
    return await asyncio.wrap_future(DaemonThreads(thread_name_prefix=name).submit(work))
