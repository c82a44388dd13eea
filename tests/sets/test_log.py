"""The set log: written from a thread, whatever becomes of the disk; one set over restarts; what is too much goes."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from stream_analyzer.errors import LogError
from stream_analyzer.protocol.kinds import Mark
from stream_analyzer.sets import database, reading, writing
from stream_analyzer.sets.database import open_for_reading, open_for_writing, transaction
from stream_analyzer.sets.log import SetLog
from stream_analyzer.sets.parts import Part
from stream_analyzer.sets.recorder import Recorder
from stream_analyzer.types import Level, Status, Tempo
from tests.support.nights import opening, pieces, write_night

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIMIT_S = 20.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "sets.sqlite"


def log_at(path: Path) -> SetLog:
    return SetLog(path, days=400, megabytes=1000)


def play(recorder: Recorder, begin_s: int, end_s: int) -> None:
    for second in range(begin_s, end_s):
        recorder.add(Tempo(second + 0.5, 120.0, 0.9, "locked", 0.0, ()))
        recorder.add(Level(second + 0.9, -20.0, -3.0, clipping=False))


def until(true: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < LIMIT_S
        time.sleep(0.01)


def nights(path: Path) -> list[reading.Night]:
    with closing(open_for_reading(path)) as connection:
        return [reading.read_night(connection, str(one.id)) for one in reading.list_sets(connection)]


def listed(path: Path) -> list[int]:
    with closing(open_for_reading(path)) as connection:
        return [one.id for one in reading.list_sets(connection)]


def seconds(path: Path, set_id: int = 1) -> list[int]:
    with closing(open_for_reading(path)) as connection:
        return [second.time_s for second in reading.seconds_of(connection, set_id)]


def test_what_is_heard_can_be_read_again(path: Path) -> None:
    with log_at(path) as log:
        recorder = Recorder(log, opening())
        recorder.add(Status(0.1, "live", "", 0.0, 0.0, 0, 0))
        play(recorder, 0, 30)
        recorder.mark(Mark(12.3, "applause"))
        recorder.end()
    (night,) = nights(path)
    assert (night.about.duration_s, night.about.closed, night.about.source) == (30, True, "USB Audio")
    assert [(part.start_s, part.end_s, part.bpm) for part in night.parts] == [(0, 30, 120.0)]
    assert [(mark.second, mark.text) for mark in night.marks] == [(12, "applause")]
    assert [(event.second, event.kind) for event in night.events] == [(0, "live")]
    assert seconds(path) == list(range(30))


async def test_a_start_within_ten_minutes_goes_on_with_the_set(path: Path) -> None:
    begun = time.time() - 100.0
    with log_at(path) as log:
        play(Recorder(log, opening(at=begun)), 0, 30)
    with log_at(path) as log:
        written_at = nights(path)[0].about.started_at + 100.0
        recorder = Recorder(log, opening(at=written_at + 41.0))
        await recorder.recall()
        play(recorder, 0, 10)
        place = recorder.place
        timeline = recorder.timeline()
    (night,) = nights(path)
    (gap,) = night.gaps
    assert place
    assert (gap.second, gap.second + gap.span_s, night.about.duration_s) == (29, place.offset_s, place.offset_s + 9)
    assert 39 <= gap.span_s <= 42
    assert seconds(path) == [*range(29), *range(place.offset_s, place.offset_s + 9)]
    assert b'"time_s":[-' in timeline


async def test_a_set_whose_beginning_can_not_be_read_goes_on(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    begun = time.time() - 60.0
    with log_at(path) as log:
        play(Recorder(log, opening(at=begun)), 0, 30)
    with closing(open_for_writing(path)) as connection:
        connection.execute("DROP TABLE marks")
    with log_at(path) as log:
        recorder = Recorder(log, opening(at=begun + 40.0))
        await recorder.recall()
        play(recorder, 0, 10)
    assert "can't be read from the set log" in caplog.text
    assert max(seconds(path)) > 30


@pytest.mark.parametrize(
    ("more", "sets"),
    [
        ({"at": 100.0}, 1), ({"at": 660.0}, 2), ({"at": -50.0}, 1), ({"at": -5000.0}, 2), ({"name": "deck b"}, 2),
        ({"source": "another card"}, 1), ({"kind": "file"}, 2), ({"at": 100.0, "closed": True}, 2),
    ],
)  # fmt: skip
def test_which_start_goes_on(path: Path, more: dict[str, object], sets: int) -> None:
    begun = 1_700_000_000.0
    with closing(open_for_writing(path)) as connection, transaction(connection):
        place = writing.open_set(connection, opening(at=begun), alone=True)
        writing.write_second(connection, place, pieces()[0], begun + 1.0)
        if more.pop("closed", False):
            writing.close_set(connection, place)
        writing.open_set(connection, opening(**more | {"at": begun + more.get("at", 10.0)}), alone=True)  # type: ignore[arg-type, operator]
        assert connection.execute("SELECT count(*) FROM sets").fetchone() == (sets,)


def test_two_analyzers_of_one_input_write_two_sets(path: Path) -> None:
    with log_at(path) as one, log_at(path) as other:
        first = one.open(opening())
        assert first.known.wait(LIMIT_S)
        second = other.open(opening())
        assert second.known.wait(LIMIT_S)
        assert first.place != second.place
    with log_at(path) as log:
        third = log.open(opening())
        assert third.known.wait(LIMIT_S)
        assert third.place in (first.place, second.place), "when they have ended, one of them goes on"


def test_what_waits_while_the_file_is_locked_is_written_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_WAIT_S", 0.05)
    open_for_writing(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other, log_at(path) as log:
        other.execute("BEGIN IMMEDIATE")
        recorder = Recorder(log, opening())
        play(recorder, 0, 5)
        until(lambda: recorder.state == "stuck")
        assert "locked" in recorder.trouble
        play(recorder, 5, 10)
        other.execute("ROLLBACK")
        until(lambda: recorder.state == "kept")
        recorder.end()
    assert recorder.trouble == ""
    assert seconds(path) == list(range(10))


def test_a_folder_that_can_not_be_made_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    path = tmp_path / "state" / "sets.sqlite"
    with log_at(path) as log:
        recorder = Recorder(log, opening())
        play(recorder, 0, 5)
        until(lambda: recorder.state == "stuck")
        assert len([one for one in caplog.records if "can't be written" in one.message]) == 1
        (tmp_path / "state").unlink()
        until(lambda: recorder.state == "kept")
    assert seconds(path) == list(range(4))


def test_a_log_that_is_no_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"a diary" * 1000)
    with log_at(path) as log:
        recorder = Recorder(log, opening())
        until(lambda: recorder.state == "stuck")
        assert "not a database" in recorder.trouble
    assert path.read_bytes() == b"a diary" * 1000


def test_no_more_waits_than_there_is_room_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream_analyzer.sets.log._MOST_WAITING", 10)
    log = log_at(path)
    recorder = Recorder(log, opening())
    play(recorder, 0, 20)
    with log:
        until(lambda: not log._waiting)
    assert len(seconds(path)) == 5, "each second makes two writes"
    assert seconds(path)[-1] == 18


def test_a_set_that_is_deleted_while_it_runs_begins_anew(path: Path) -> None:
    with log_at(path) as log:
        recorder = Recorder(log, opening())
        play(recorder, 0, 10)
        until(lambda: recorder.place is not None and not log._waiting)
        assert len(seconds(path)) == 9
        with closing(open_for_writing(path)) as connection, transaction(connection):
            assert writing.delete_set(connection, 1)
        play(recorder, 10, 20)
    assert recorder.state == "kept"
    assert listed(path) == [2]
    assert seconds(path, 2) == list(range(9, 19))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_the_thread_is_shown_and_nothing_piles_up(path: Path) -> None:
    with log_at(path) as log:
        found = log.open(opening())
        log.put(found, lambda _connection, _place: 1 / 0)  # type: ignore[arg-type]
        until(lambda: log._ended)
        waiting = len(log._waiting)
        log.put(found, writing.close_set)
    assert (log.state, len(log._waiting)) == ("stuck", waiting)


def test_without_a_log_the_set_so_far_is_there_all_the_same() -> None:
    recorder = Recorder(None, opening())
    play(recorder, 0, 5)
    assert (recorder.state, recorder.trouble) == ("off", "")
    assert b'"time_s":[0,1,2,3]' in recorder.timeline()


def test_old_sets_go(path: Path) -> None:
    write_night(path, pieces(), at=time.time() - 401 * 86_400)
    kept = write_night(path, pieces(), at=time.time() - 399 * 86_400)
    with log_at(path) as log:
        assert log.open(opening()).known.wait(LIMIT_S)
        until(lambda: log._pruned_s > 0 and len(listed(path)) == 2)
    assert listed(path) == [3, kept]
    assert seconds(path, 1) == []


def test_the_oldest_go_when_there_is_too_much(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_MEGABYTE", 110_000)
    for day in range(10, 0, -1):
        write_night(path, pieces(120), at=time.time() - day * 86_400)
    size = path.stat().st_size
    with SetLog(path, days=400, megabytes=1) as log:
        assert log.open(opening()).known.wait(LIMIT_S)
    left = listed(path)
    assert left == list(range(11, 11 - len(left), -1)), "the newest are left"
    assert 2 < len(left) < 8
    assert path.stat().st_size <= 110_000 < size


def test_a_database_of_before_is_migrated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_night(path, pieces())
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS, "ALTER TABLE sets ADD COLUMN venue TEXT"))
    with pytest.raises(LogError, match="an older version"):
        open_for_reading(path)
    with closing(open_for_writing(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("SELECT venue, source FROM sets").fetchall() == [(None, "USB Audio")]


def test_a_database_of_a_newer_program_is_refused(path: Path) -> None:
    write_night(path, pieces())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    for opened in (open_for_reading, open_for_writing):
        with pytest.raises(LogError, match="newer version"):
            opened(path)


def test_a_half_migration_is_undone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_night(path, pieces())
    monkeypatch.setattr(
        database,
        "MIGRATIONS",
        (*database.MIGRATIONS, "ALTER TABLE sets ADD COLUMN venue TEXT; SELECT nothing FROM nowhere"),
    )
    with pytest.raises(sqlite3.OperationalError):
        open_for_writing(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert "venue" not in str(connection.execute("SELECT sql FROM sqlite_master").fetchall())


def test_a_name_stays_when_its_part_goes_on(path: Path) -> None:
    with closing(open_for_writing(path)) as connection, transaction(connection):
        place = writing.open_set(connection, opening(), alone=True)
        part = Part(0, 60, 124.0, "A minor", "Electronic", -12.0)
        writing.write_part(connection, place, part)
        assert writing.name_part(connection, place.set_id, 0, title="Song", artist="Someone")
        writing.write_part(connection, place, part)
        assert not writing.name_part(connection, place.set_id, 1, title="Song", artist="Someone")
    assert nights(path)[0].parts[0].name == "Someone - Song"
