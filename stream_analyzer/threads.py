"""Wait in the event loop for calls that may hang, in threads that don't hold up the end of the process."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def in_daemon_thread(work: Callable[[], T], *, name: str = "helper") -> T:
    """Run ``work`` in a daemon thread of its own and return its result or raise its exception.

    An executor's thread would be joined at exit; a hanging read or a dead sound device must not do that to Ctrl-C.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - not swallowed: handed to whoever waits
            done.set_exception(error)
        else:
            done.set_result(result)

    done.set_running_or_notify_cancel()
    threading.Thread(target=run, name=name, daemon=True).start()
    return await asyncio.wrap_future(done)
