"""Work through shards or songs with a bar, on this machine's cores or on a Dask cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from tqdm import tqdm

from stream_analyzer.library.engine import crew, each

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Hashable, Sequence

T = TypeVar("T", bound="Hashable")


@dataclass(frozen=True, slots=True)
class Crew:
    """Who works: the Dask cluster at ``scheduler``, or so many ``workers`` here (0: as many as cores)."""

    scheduler: str = ""
    workers: int = 0

    @classmethod
    def of(cls, options: argparse.Namespace) -> Crew:
        """Return who was asked for."""
        return cls(options.scheduler, options.workers)

    def work_through(
        self, work: Callable[[T], object], tasks: Sequence[T], *, unit: str, sizes: Sequence[int] = (), done: int = 0
    ) -> None:
        """Do ``work`` on each of ``tasks``; the bar counts their ``sizes`` (one each) on from ``done``.

        Raises what the work raises, once Dask has given up; what is done stays done.
        """
        counts = dict(zip(tasks, sizes or [1] * len(tasks), strict=True))
        with tqdm(total=done + sum(counts.values()), initial=done, unit=unit, smoothing=0.05) as bar:
            if not tasks:
                return
            with crew(scheduler=self.scheduler, workers=self.workers) as client:
                for task, outcome in each(client, work, tasks):
                    if isinstance(outcome, Exception):
                        raise outcome
                    bar.update(counts[task])
