"""docs/scaling.md as pasted: the venue's bridge passes on all but the levels, the access list holds analyzers apart."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.support.mosquitto import PASSWORD, Mosquitto, says, why_not
from tests.support.publishing import EVENTS, following, is_up, seen, state

DOCS = (Path(__file__).parents[2] / "docs" / "scaling.md").read_text()
MUST_RUN = os.environ.get("CI") == "true"
pytestmark = pytest.mark.skipif(bool(why_not()) and not MUST_RUN, reason=why_not() or "a broker can be run")


def snippet(title: str) -> list[str]:
    """Return the lines of the block that begins with this comment."""
    found = re.search(rf"```\n# {re.escape(title)}\n(.*?)```", DOCS, flags=re.DOTALL)
    assert found
    return found[1].splitlines()


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    folders = (tmp_path / "middle", tmp_path / "venue")
    for folder in folders:
        folder.mkdir()
    return folders


async def test_the_bridge_passes_on_all_but_the_levels(folders: tuple[Path, Path]) -> None:
    with Mosquitto(folders[0]) as middle:
        lines = snippet("mosquitto.conf of the venue")
        bridge = [line.replace("broker.example:1883", f"127.0.0.1:{middle.port}") for line in lines]
        with Mosquitto(folders[1], *bridge) as venue:
            async with middle.subscriber() as far, venue.subscriber() as near, following(venue.port) as (analyzer, _):
                await is_up(far)
                said = {kind: analyzer.publish(event) for kind, event in EVENTS.items()}
                await near.until(says("v1/level", said["level"]))
                for kind in ("tempo", "genre", "status"):
                    await far.until(says(f"v1/{kind}", said[kind]))
                assert not seen(far, "level")
                middle.kill()
                middle.start()
                async with middle.subscriber() as again:
                    for kind in ("availability", "tempo", "genre", "status"):
                        await again.until(says(f"v1/{kind}"))


async def test_the_access_list_holds_analyzers_apart(tmp_path: Path) -> None:
    passwords, access = tmp_path / "passwords", tmp_path / "access"
    passwords.touch()
    for user in ("hall", "bar"):
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), user, PASSWORD], check=True)  # noqa: ASYNC221 - short
    access.write_text("\n".join([*snippet("acl_file of the broker"), "user all", "topic read #"]))
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "all", PASSWORD], check=True)  # noqa: ASYNC221
    lines = ("allow_anonymous false", f"password_file {passwords}", f"acl_file {access}")
    with Mosquitto(tmp_path, *lines) as broker:
        entry = {"password": PASSWORD, "discovery_prefix": "homeassistant"}
        async with (
            broker.subscriber(user="all") as everyone,
            following(broker.port, node="hall", user="hall", session="aaaaaa", **entry) as (hall, one),
            following(broker.port, node="hall", user="bar", session="bbbbbb", **entry) as (stranger, _),
        ):
            await is_up(everyone)
            stranger.publish(EVENTS["status"])
            status = hall.publish(EVENTS["status"])
            await everyone.until(says("hall/v1/status", status))
            await everyone.until(says("stream_analyzer_hall/config"))
            await state(one, "up")
            assert seen(everyone, "status") == [status], "nobody speaks for another room"
        # A namesake with the right to the room is seen.
        async with (
            following(broker.port, node="hall", user="hall", session="aaaaaa", **entry) as (first, one),
            following(broker.port, node="hall", user="hall", session="bbbbbb", **entry) as (second, other),
        ):
            await state(one, "up")
            await state(other, "up")
            first.publish(EVENTS["status"])
            second.publish(EVENTS["status"])
            await state(one, "clash")
            await state(other, "clash")
