"""Wait in the event loop for calls that may hang, in threads that don't hold up the end of the process."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
T = TypeVar("T")


class DaemonThreads(ThreadPoolExecutor):
    """Runs each call in a daemon thread of its own, so that none is waited for at the end of the process.

    As a loop's default executor it keeps name look-ups and connections that hang from holding up Ctrl-C.
    """

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``work`` in a thread; return its future."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                result = work(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - not swallowed: handed to whoever waits
                done.set_exception(error)
            else:
                done.set_result(result)

        done.set_running_or_notify_cancel()
        threading.Thread(target=run, name=self._thread_name_prefix, daemon=True).start()
        return done


async def in_daemon_thread(work: Callable[[], T], *, name: str = "helper") -> T:
    """Run ``work`` in a daemon thread of its own and return its result or raise its exception.

    An executor's thread would be joined at exit; a hanging read or a dead sound device must not do that to Ctrl-C.
    """
    return await asyncio.wrap_future(DaemonThreads(thread_name_prefix=name).submit(work))
