"""A cluster of processes whose workers die and join: every file once, and the same table however often it stopped."""

from __future__ import annotations

import os
import shutil
from functools import partial
from itertools import islice
from threading import Event
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from stream_analyzer.errors import AudioError, ConfigError
from stream_analyzer.library import engine
from stream_analyzer.library.engine import crew, each, results
from stream_analyzer.library.hearing import Request, hear
from stream_analyzer.library.places import find
from stream_analyzer.library.table import Table
from tests.support.cluster import Cluster, cluster
from tests.support.one_command import MODELS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream_analyzer.library.hearing import Heard
    from stream_analyzer.library.places import Found

FILES = 12


_PASSED = Event()


def turn(number: int) -> int:
    """Let the first be done after others."""
    if number:
        _PASSED.set()
    elif not _PASSED.wait(60.0):
        raise TimeoutError
    return -number


def hear_key(models: Path) -> Callable[[Found], Heard]:
    """Return what the workers do: as ever, but by one small model."""
    models.mkdir()
    shutil.copytree(MODELS / "key", models / "key")
    return partial(hear, request=Request(models))


def links(songs: Path, folder: Path) -> list[Found]:
    """Return many files, which are three in truth."""
    folder.mkdir()
    three = [songs / "132.flac", songs / "124.ogg", songs / "more" / "140.mp3"]
    for number in range(FILES):
        os.link(three[number % 3], folder / f"{number:02d}{three[number % 3].suffix}")
    return find([str(folder)])


def rows(out: Path) -> list[Any]:
    query = "SELECT * FROM '{}/{}/*.parquet' ORDER BY ALL"
    return [duckdb.execute(query.format(out, name)).fetchall() for name in ("files", "parts")]


def test_each_file_is_in_the_table_once_though_workers_die_and_join(songs: Path, tmp_path: Path) -> None:
    files, work = links(songs, tmp_path / "many"), hear_key(tmp_path / "models")
    out, again = tmp_path / "out", tmp_path / "again"
    with cluster(workers=3) as running, crew(scheduler=running.address) as client:
        client.wait_for_workers(3)
        table = Table(str(out), analyzed_by="test")
        for number, (_, heard) in enumerate(each(client, work, table.begin(files))):
            assert not isinstance(heard, Exception), heard
            table.add(heard)
            if number == 1:
                running.kill(0)
                running.add()
        table.flush()
        assert len(table) == FILES
        whole = rows(out)
        assert [row[0] for row in whole[0]] == [one.path for one in files]

        for part in (4, 3, 3, FILES):
            table = Table(str(again), analyzed_by="test")
            for _, heard in islice(each(client, work, table.begin(files)), part):
                assert not isinstance(heard, Exception), heard
                table.add(heard)
            table.flush()
        assert rows(again) == whole


def test_results_are_in_the_order_of_their_tasks(scheduler: str) -> None:
    def refuse(name: str) -> str:
        msg = f"{name} is wrong"
        raise AudioError(msg)

    with crew(scheduler=scheduler) as client:
        assert results(client, turn, range(40)) == [-number for number in range(40)]
        with pytest.raises(AudioError, match="a is wrong"):
            results(client, refuse, ["a"])


def test_a_scheduler_that_dies_is_told_of_in_one_line() -> None:
    def work_on(running: Cluster) -> None:
        with crew(scheduler=running.address) as client:
            for number, _ in each(client, str, range(10_000)):
                if number == 1:
                    running.scheduler.kill()

    with cluster(workers=1) as running, pytest.raises(ConfigError, match="has gone; start it again"):
        work_on(running)


def test_no_scheduler_is_told_of_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_PATIENCE_S", 0.5)
    with pytest.raises(ConfigError, match="no scheduler answers"), crew(scheduler="tcp://127.0.0.1:1"):
        pass
