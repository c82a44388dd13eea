"""What a subscriber makes of what it reads: what waits is bounded, gaps are told. No sockets."""

from __future__ import annotations

from stream_analyzer.client.following import Follower, Inbox, Lost
from stream_analyzer.protocol.decode import Envelope
from stream_analyzer.types import Level, Tempo
from tests.support.played import events


async def test_what_waits_too_long_gives_way_to_the_newest() -> None:
    now_s = [0.0]
    inbox = Inbox(clock=lambda: now_s[0])
    for now_s[0], item in zip((0.0, 0.5, 1.0, 2.0), levels(1, 2, 3, 4), strict=True):
        inbox.put(item)
    for taken in levels(1, 2):
        assert await inbox.take() == (taken, "")
    now_s[0] = 3.1
    tempo = Envelope("tempo", "aaaaaa", 5, 1, Tempo(0.0, 120.0, 0.5, "locked", 0.0, ()))
    inbox.put(tempo)
    inbox.put(lost := Lost("gone", 1.0))
    inbox.close()
    assert [await inbox.take() for _ in range(4)] == [(levels(4)[0], ""), (tempo, ""), (lost, ""), None]


async def test_what_waits_is_bounded_in_number_too() -> None:
    inbox = Inbox(clock=lambda: 0.0)
    for item in levels(*range(5000)):
        inbox.put(item)
    inbox.close()
    left = 0
    while await inbox.take():
        left += 1
    assert 0 < left < 1000


def levels(*places: int) -> list[Envelope]:
    return [Envelope("level", "aaaaaa", seq, seq, Level(0.0, 0.0, 0.0, clipping=False)) for seq in places]


def test_gaps_on_a_standing_line_are_not_told_to_who_asked_for_a_rate() -> None:
    def follow(*, tells_gaps: bool) -> list[str]:
        follower = Follower(tells_gaps=tells_gaps)
        event = Level(0.0, 0.0, 0.0, clipping=False)
        places = [Envelope("level", "aaaaaa", 10 * nth, nth, event) for nth in (7, 8, 12, 12, 11, 13)]
        return events([received for item in places for received in follower.follow(item, "")])

    assert follow(tells_gaps=True) == ["Level", "Level", "Gap level 3", "Level", "Level"]
    assert follow(tells_gaps=False) == ["Level"] * 4


def test_spectrum_counts_that_went_round_are_no_gap() -> None:
    follower = Follower(tells_gaps=True)
    event = Level(0.0, 0.0, 0.0, clipping=False)
    places = [
        Envelope("spectrum", "aaaaaa", seq, nth, event) for seq, nth in ((1, 65_534), (2, 65_535), (3, 0), (5, 2))
    ]
    came = [received for item in places for received in follower.follow(item, b"")]
    assert events(came) == ["Level", "Level", "Level", "Gap spectrum 1", "Level"]
