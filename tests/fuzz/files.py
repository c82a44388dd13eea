"""Harnesses of what is read from files and pipes: settings, manifests, models, sound, tables."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import tempfile
import wave
from contextlib import suppress
from dataclasses import fields
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_analyzer.analysis.beat.output import BeatOutput
from stream_analyzer.analysis.genre.output import Calibration as GenreCalibration
from stream_analyzer.analysis.genre.output import GenreOutput
from stream_analyzer.analysis.key.output import Calibration as KeyCalibration
from stream_analyzer.analysis.key.output import KeyOutput
from stream_analyzer.analysis.manifest import load_manifest, sha256_of
from stream_analyzer.analysis.tempo.output import Calibration as TempoCalibration
from stream_analyzer.analysis.tempo.output import TempoOutput
from stream_analyzer.errors import AudioError, ConfigError, FeatureMismatch, ManifestError
from stream_analyzer.library.places import Place
from stream_analyzer.settings.config import PCM_FORMATS, Settings, load_settings
from stream_analyzer.sound.files import read_blocks
from stream_analyzer.sound.pcm import PcmSource
from tests.fuzz.nasty import TOML_VALUES, disturbed
from tests.support.real_process import ROOT
from training.data.fma import read_genres, read_tempi, read_tracks

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_BLOCKS = 200


@cache
def _folder() -> Path:
    """A folder for files that are written again for each input: in memory where the system has such a place."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    return Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if os.access(memory, os.W_OK) else None))


def clean_up() -> None:
    """Remove what the harnesses wrote."""
    shutil.rmtree(_folder(), ignore_errors=True)
    _folder.cache_clear()


def _written(name: str, data: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


def settings(data: bytes) -> None:
    """The settings file; after a first byte of 255 each two bytes set one setting to something nasty."""
    if data[:1] == b"\xff" and data[1:2] != b"\xfe":
        names = [field.name for field in fields(Settings)]
        chosen = {names[name % len(names)]: what for name, what in zip(data[1::2], data[2::2], strict=False)}
        lines = [f"{name} = {TOML_VALUES[what % len(TOML_VALUES)]}\n" for name, what in chosen.items()]
        data = "".join(lines).encode()
    with suppress(ConfigError):
        load_settings({}, file=_written("settings.toml", data), environment={})


def settings_seeds() -> list[bytes]:
    """Return settings files."""
    return [
        b'input = "device"\ndevice = 2\nchannel = "mix"\ntempo_range = "90-180"\nspeed = 1.5\nrate = 44100\n',
        b'host = "0.0.0.0"\nport = 8765\norigins = ["https://a.example"]\ntrusted_proxies = "10.0.0.0/8,::1"\n',
        b'mqtt = "mqtts://broker:8883"\nmqtt_discovery = "off"\nmqtt_also = ["beat"]\nnode = "booth"\n',
        b'osc = ["10.0.0.5:9000", "desk:7000/tempo?bpm=60-180&to=0-1"]\nallowed_hosts = "a.example,b:80"\n',
        b'token = "0123456789abcdef"\nmax_clients = 10\njson = true\nlog_level = "info"\nmodels = "."\n',
        'log_level = "debug"\r\n'.encode("utf-16"),
        b"\xff\0\0\1\1",
    ]


_TASKS = ("tempo", "genre", "key", "beat")


@cache
def _model(task: str) -> tuple[Path, str]:
    """A folder with the model of a task, and the digest of its file."""
    folder = _folder() / task
    folder.mkdir()
    shutil.copy(ROOT / "models" / task / "model.tflite", folder)
    return folder, sha256_of(folder / "model.tflite")


def manifest(data: bytes) -> None:
    """A manifest, and what each head reads in it; the digest is put right, or nothing would come further.

    The first byte says of which task, and from 128 on that a good manifest is changed.
    """
    task = _TASKS[data[0] % len(_TASKS)] if data else "tempo"
    folder, digest = _model(task)
    text = data[1:]
    if data and data[0] >= 128:
        text = disturbed(_manifest_of(task), text).encode()
    with suppress(ValueError, RecursionError):
        if isinstance(parsed := json.loads(text), dict):
            text = json.dumps(parsed | {"sha256": digest}).encode(errors="surrogatepass")
    (folder / "manifest.json").write_bytes(text)
    with suppress(ManifestError, FeatureMismatch):
        read = load_manifest(folder)
        assert read.window_s > 0.0
        assert read.every_s > 0.0
        for part in _PARTS[task]:
            part(read)


_PARTS: dict[str, tuple[Callable[..., object], ...]] = {
    "tempo": (TempoOutput.of, TempoCalibration.of),
    "genre": (GenreOutput.of, GenreCalibration.of),
    "key": (KeyOutput.of, KeyCalibration.of),
    "beat": (BeatOutput.of_manifest,),
}


def _manifest_of(task: str) -> dict[str, Any]:
    data = json.loads((ROOT / "models" / task / "manifest.json").read_bytes())
    data |= {"metrics": [], "training": {}}
    return dict(data)


def manifest_seeds() -> list[bytes]:
    """Return the manifests of the models that ship, and changes of them."""
    texts = [bytes([number]) + json.dumps(_manifest_of(task)).encode() for number, task in enumerate(_TASKS)]
    return texts + [bytes([128 + number, 3, 5]) for number in range(len(_TASKS))]


def model_file(data: bytes) -> None:
    """A model's file beside a manifest that was made for another: its digest keeps it away from the interpreter."""
    folder, digest = _model("beat")
    shutil.copy(ROOT / "models" / "beat" / "manifest.json", folder)
    whole = (ROOT / "models" / "beat" / "model.tflite").read_bytes()
    at = int.from_bytes(data[:4], "little") % len(whole)
    (folder / "model.tflite").write_bytes(whole[:at] + data[4:] + whole[at + len(data[4:]) :])
    try:
        load_manifest(folder)
    except ManifestError:
        return
    assert sha256_of(folder / "model.tflite") == digest


def model_seeds() -> list[bytes]:
    """Return where a model is changed, and what is put there."""
    return [bytes(4), b"\0\1\0\0TFL3", b"\xff\xff\1\0" + bytes(64)]


def sound_file(data: bytes) -> None:
    """A sound file, through libsndfile and FFmpeg."""
    with suppress(AudioError):
        for block in islice(read_blocks(_written("sound", data)), _MOST_BLOCKS):
            assert block.samples.ndim == 2
            assert len(block.samples)


def sound_seeds() -> list[bytes]:
    """Return a short tone in each container that libsndfile writes."""
    import numpy as np
    import soundfile

    seeds = []
    tone = (0.3 * np.sin(np.arange(1600) / 5.0)).astype(np.float32)
    forms = ("WAV PCM_16", "WAV FLOAT", "RF64 PCM_24", "AIFF PCM_16", "AU ULAW", "CAF ALAC_16", "FLAC PCM_16", "OGG VORBIS", "OGG OPUS", "MP3 MPEG_LAYER_III", "W64 PCM_16")  # fmt: skip  # noqa: E501
    for container, subtype in (form.split() for form in forms):
        made = io.BytesIO()
        soundfile.write(made, tone, 8000, format=container, subtype=subtype)
        seeds.append(made.getvalue())
    return seeds


class _Pipe(io.BytesIO):
    """Standard input that is no terminal."""


def standard_input(data: bytes) -> None:
    """Sound on standard input: the first byte chooses format and channels; containers are found by their beginning."""
    sample_format = PCM_FORMATS[data[0] % 2] if data else "s16le"
    channels = 1 + (data[0] >> 1) % 8 if data else 1
    source = PcmSource(rate_hz=8000, channels=channels, sample_format=sample_format, stream=_Pipe(data[1:]))
    with suppress(AudioError):
        for samples in islice(source._blocks(), _MOST_BLOCKS):
            assert samples.shape[1] == channels


def standard_input_seeds() -> list[bytes]:
    """Return silence, noise and containers."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(3200))
    return [
        b"\0" + bytes(3200),
        b"\3" + bytes(range(256)) * 8,
        *(b"\2" + seed for seed in (made.getvalue(), *sound_seeds())),
    ]


def fma_tables(data: bytes) -> None:
    """The tables of the Free Music Archive: the first byte says which."""
    which = data[0] % 3 if data else 0
    name = ("tracks.csv", "genres.csv", "echonest.csv")[which]
    folder = _folder() / "fma"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data[1:])
    with suppress(ConfigError):
        if which == 0:
            read_tracks(Place(folder), "large")
        elif which == 1:
            tree = read_genres(Place(folder))
            assert all(tree.upwards(genre) for genre in tree.title)
        else:
            read_tempi(Place(folder))


def _table(*rows: tuple[object, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def fma_seeds() -> list[bytes]:
    """Return a small table of each kind."""
    tracks = _table(
        ("", "set", "set", "track", "track", "artist", "album"),
        ("", "split", "subset", "genres", "duration", "id", "id"),
        ("track_id", "", "", "", "", "", ""),
        (2, "training", "small", "[21, 10]", 168, 1, 4),
        (5, "test", "medium", "[]", "", "", -1),
    )
    genres = _table(
        ("genre_id", "#tracks", "parent", "title", "top_level"), (1, 9, 38, "Avant", 38), (38, 9, 0, "X", 38)
    )
    tempi = _table(("", "echonest"), ("", "audio_features"), ("", "tempo"), ("track_id", ""), (2, 165.9), (3, ""))
    return [b"\0" + tracks, b"\1" + genres, b"\2" + tempi]
