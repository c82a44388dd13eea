"""Models swapped while they listen: no step is lost or doubled, a bad folder is refused, subscribers are told."""

from __future__ import annotations

import asyncio
import gc
import json
import shutil
import signal
import weakref
from dataclasses import replace
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest

from stream_analyzer.analysis.analyzer import Analyzer
from stream_analyzer.analysis.heads import load_heads
from stream_analyzer.assembly import load_all_heads
from stream_analyzer.errors import ModelError
from stream_analyzer.listening import Input
from stream_analyzer.reloading import Reloading
from stream_analyzer.settings.config import load_settings
from stream_analyzer.system.resources import resource_folder
from stream_analyzer.types import AudioBlock, Level, Loudness, Spectrum
from tests.support.fakes import SONG_RATE_HZ, drum_loop, make_fakes
from tests.support.other_models import rename
from tests.support.real_process import Client, serve
from tests.support.running import Metronome, running_all

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.analysis.head import Head


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A copy of the models that ship."""
    folder = tmp_path / "models"
    shutil.copytree(resource_folder("models"), folder)
    return folder


def fakes_of_version(number: int) -> list[Head]:
    heads = make_fakes()
    for head in heads:
        head.model.manifest = replace(head.model.manifest, version=str(number))
    return heads


def fakes_and_loudness() -> list[Head]:
    heads = [head for head in load_heads(resource_folder("models")) if head.event is Loudness]
    return [*make_fakes(), *heads]


def test_the_analyzer_goes_on_between_two_steps_as_if_nothing_had_happened() -> None:
    song = drum_loop(12.0, rate_hz=SONG_RATE_HZ, channels=2)
    blocks = [AudioBlock(song[at : at + 3000], SONG_RATE_HZ) for at in range(0, len(song), 3000)]
    steady, swapped = Analyzer(fakes_and_loudness()), Analyzer(first := fakes_and_loudness())
    expected = [event for block in blocks for event in steady.feed(block)]
    events = []
    for i, block in enumerate(blocks):
        if i == len(blocks) // 2:
            swapped.switch([*make_fakes(), *[head for head in first if head.event is Loudness]])
        events += swapped.feed(block)
    for kind in (Level, Loudness):
        assert [event for event in events if isinstance(event, kind)] == [e for e in expected if isinstance(e, kind)]
    spectra = [[e.levels for e in some if isinstance(e, Spectrum)] for some in (events, expected)]
    np.testing.assert_array_equal(np.concatenate(spectra[0]), np.concatenate(spectra[1]))
    assert {type(event) for event in events} == {type(event) for event in expected}


async def test_no_step_is_lost_or_doubled_and_hello_comes_again() -> None:
    versions = count(1)
    reloading = Reloading(lambda: {"main": fakes_of_version(next(versions))})
    inputs = [Input("main", Metronome(), make_fakes())]
    async with running_all(inputs, reloading=reloading) as address, Client.at(address) as client:
        at = await client.until(lambda message: message["type"] == "level")
        for _ in range(2):
            await reloading.reload()
            at = await client.until(lambda message: message["type"] == "hello", start=at)
            at = await client.until(lambda message: message["type"] == "tempo", start=at)
        levels = [message for message in client.messages if message["type"] == "level"]
        assert set(np.diff([message["nth"] for message in levels])) == {1}
        np.testing.assert_allclose(np.diff([message["time_s"] for message in levels]), 0.1, atol=1e-6)
        hellos = [message["session"] for message in client.messages if message["type"] == "hello"]
        assert len(hellos) == 3
        assert len(set(hellos)) == 1


async def test_the_models_before_are_let_go() -> None:
    reloading = Reloading(lambda: {"main": fakes_of_version(2)})
    inputs = [Input("main", Metronome(), make_fakes())]
    before = [weakref.ref(head) for head in inputs[0].heads]
    async with running_all(inputs, reloading=reloading) as address, Client.at(address) as client:
        at = await client.until(lambda message: message["type"] == "tempo")
        await reloading.reload()
        at = await client.until(lambda message: message["type"] == "hello", start=at)
        await client.until(lambda message: message["type"] == "tempo", start=at)
        gc.collect()
        assert [head() for head in before] == [None] * len(before)


async def test_a_folder_that_is_no_good_is_refused_and_the_old_one_goes_on(models: Path) -> None:
    settings = load_settings({"models": str(models)}, environment={})
    heads = load_all_heads(settings)
    reloading = Reloading(lambda: load_all_heads(settings))
    inputs = [Input("main", Metronome(), heads["main"])]
    async with (
        running_all(inputs, reloading=reloading) as address,
        Client.at(address, "?types=level,status") as client,
    ):
        at = await client.until(lambda message: message["type"] == "level")
        good = (models / "genre" / "model.tflite").read_bytes()
        (models / "genre" / "model.tflite").write_bytes(good[:-9] + bytes(9))
        with pytest.raises(ModelError, match="SHA-256"):
            await reloading.reload()
        (models / "genre" / "model.tflite").write_bytes(good)
        golden = dict(np.load(models / "genre" / "golden.npz"))
        np.savez(models / "genre" / "golden.npz", window=golden["window"], logits=golden["logits"] + 9.0)
        with pytest.raises(ModelError, match="golden output missed"):
            await reloading.reload()
        shutil.rmtree(models / "genre")
        with pytest.raises(ModelError, match="genre is missing"):
            await reloading.reload()
        await client.until(lambda message: message["type"] == "level", start=at)
        assert [message["type"] for message in client.messages].count("hello") == 1


async def test_a_post_reads_them_again_and_says_what_is_wrong(models: Path) -> None:
    settings = load_settings({"models": str(models)}, environment={})
    reloading = Reloading(lambda: load_all_heads(settings))
    inputs = [Input("main", Metronome(), load_all_heads(settings)["main"])]
    async with running_all(inputs, reloading=reloading) as address, Client.at(address) as client:
        rename(models, "9.9.9")
        status, said = await post(f"http://{address}/models/reload")
        assert status == HTTPStatus.OK
        assert any(model.endswith(" 9.9.9") for model in json.loads(said)["models"])
        await client.until(lambda m: m["type"] == "hello" and "9.9.9" in json.dumps(m["data"]["models"]))
        status, again = await post(f"http://{address}/models/reload")
        assert (status, again) == (HTTPStatus.OK, said), "what has not changed is not switched"
        at = await client.until(lambda m: m["type"] == "level", start=len(client.messages))
        assert [m["type"] for m in client.messages[:at]].count("hello") == 2
        status, said = await post(f"http://{address}/models/reload?folder=/etc")
        assert (status, "folder of the settings" in said) == (HTTPStatus.BAD_REQUEST, True)
        (models / "genre" / "golden.npz").write_bytes(b"no")
        status, said = await post(f"http://{address}/models/reload")
        assert (status, "golden.npz" in said) == (HTTPStatus.BAD_REQUEST, True)
        assert len(said.strip().splitlines()) == 1
        status, said = await post(f"http://{address}/models/reload", Origin="https://elsewhere.example")
        assert (status, "may look, not touch" in said) == (HTTPStatus.FORBIDDEN, True)


async def post(url: str, **headers: str) -> tuple[int, str]:
    def ask() -> tuple[int, str]:
        try:
            with urlopen(Request(url, method="POST", headers=headers), timeout=20) as answer:  # noqa: S310 - our own
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(ask)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows knows no SIGHUP")
async def test_sighup_reads_the_folder_again_where_there_is_no_terminal(models: Path) -> None:
    arguments = ("--input", "demo", "--models", str(models))
    with serve(*arguments, start_new_session=True) as service:
        async with service.listen() as client:
            at = await client.until(lambda message: message["type"] == "level")
            rename(models, "9.9.9")
            service.process.send_signal(signal.SIGHUP)
            at = await client.until(lambda message: message["type"] == "hello", start=at)
            versions = {model["task"]: model["version"] for model in client.messages[at - 1]["data"]["models"]}
            assert versions["genre"] == "9.9.9"
            (models / "genre" / "golden.npz").unlink()
            service.process.send_signal(signal.SIGHUP)
            while not any("the models before go on" in line for line in service.said):
                at = await client.until(lambda message: message["type"] == "level", start=at)
        assert (await asyncio.to_thread(service.end))[0] == 0
        assert any("golden.npz" in line for line in service.said)
