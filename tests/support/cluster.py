"""A Dask cluster as its own tools start it: a scheduler and workers, each a process that can be killed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dask
from distributed import LocalCluster

from tests.support.real_process import ROOT, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = "300s"  # a starved machine is no lost one


@dataclass(slots=True)
class Cluster:
    """The processes that run. State: the scheduler and its address, the workers in the order they were added."""

    address: str
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add(self) -> None:
        """Start one more worker, of one thread."""
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
        self.workers.append(_start("dask_worker", self.address, *options))

    def kill(self, number: int) -> None:
        """End a worker at once."""
        self.workers[number].send_signal(signal.SIGKILL)
        self.workers[number].wait()


@contextmanager
def in_process() -> Iterator[str]:
    """Yield the address of a scheduler with one worker of two threads, in this process."""
    with LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address="127.0.0.1:0") as threads:
        yield threads.scheduler_address


@contextmanager
def cluster(*, workers: int) -> Iterator[Cluster]:
    """Run a scheduler and workers; all end with the block."""
    scheduler = _start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show")
    running = Cluster("", scheduler)
    assert scheduler.stderr
    lines = (line.decode() for line in scheduler.stderr)
    reader = threading.Thread(target=deque, args=(lines, 0), daemon=True)  # the pipe must not fill up
    try:
        running.address = next(line.split()[-1] for line in lines if "Scheduler at:" in line)
        for _ in range(workers):
            running.add()
        reader.start()
        with dask.config.set({"distributed.comm.timeouts.tcp": _PATIENCE}):
            yield running
    finally:
        for process in (*running.workers, scheduler):
            process.kill()
            process.wait()
        if reader.ident:
            reader.join(5.0)
        scheduler.stderr.close()


def _start(tool: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"distributed.cli.{tool}", *arguments]
    says = subprocess.PIPE if tool == "dask_scheduler" else subprocess.DEVNULL
    env = environment({"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": _PATIENCE})
    return subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=says)
