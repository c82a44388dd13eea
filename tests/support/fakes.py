"""Models that need no file, and a drum loop of exactly known tempo."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.genre.head import GenreHead
from stream_analyzer.analysis.genre.output import Calibration, GenreOutput
from stream_analyzer.analysis.manifest import ModelInput, ModelManifest
from stream_analyzer.analysis.tempo.head import TempoHead
from stream_analyzer.analysis.tempo.output import TempoOutput

if TYPE_CHECKING:
    from stream_analyzer.analysis.head import Head
    from stream_analyzer.types import F32, TempoRange

SONG_RATE_HZ = 44_100
LABELS = ("Rock", "Jazz", "Techno")
BPM_BINS = tuple(float(bpm) for bpm in np.geomspace(30.0, 300.0, 120))


@dataclass
class FakeModel:
    """Stands for a `TfliteModel`: the logits are simple functions of the window, so they move with the sound."""

    manifest: ModelManifest
    outputs: int
    runs: int = 0

    def run(self, window: F32) -> F32:
        self.runs += 1
        assert window.shape == (self.manifest.input.frames, SPEC.n_mels)
        assert np.isfinite(window).all()
        loud = window.mean(axis=0)
        picks = np.linspace(0, SPEC.n_mels - 1, self.outputs).astype(int)
        logits: F32 = (loud[picks] - loud.mean()).astype(np.float32)
        return logits


def fake_model(task: str, *, frames: int = 125) -> FakeModel:
    output = GenreOutput(labels=LABELS) if task == "genre" else TempoOutput(bpm=BPM_BINS)
    manifest = ModelManifest(
        name=task,
        version="0",
        task=task,
        file="model.tflite",
        sha256="0" * 64,
        feature=SPEC,
        input=ModelInput(frames=frames, every=4, stride=50 if task == "genre" else 25, min_frames=38),
        output=output.to_dict(),
        calibration=asdict(Calibration(temperature=1.0)),
        time_constant_s=4.0,
        metrics=[],
        training={},
    )
    return FakeModel(manifest, output.size)


def make_fakes(*, tempo_range: TempoRange | None = None) -> list[Head]:
    """Return both heads, with fake models."""
    return [TempoHead(fake_model("tempo"), tempo_range=tempo_range), GenreHead(fake_model("genre"))]


def drum_loop(seconds: float, *, bpm: float = 120.0, rate_hz: int = 22_050, channels: int = 1, seed: int = 1) -> F32:
    """Return kick, snare and hat in four-four with a bass note, float32 [n, channels]."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    position = time * bpm / 60.0
    since_beat = (position % 1.0) * 60.0 / bpm
    since_eighth = (position * 2.0 % 1.0) * 30.0 / bpm
    noise = rng.standard_normal(time.size)
    kick = np.sin(2.0 * np.pi * 55.0 * since_beat) * np.exp(-since_beat * 18.0)
    snare = noise * np.exp(-since_beat * 25.0) * (position % 2.0 >= 1.0)
    hat = np.diff(noise, prepend=0.0) * np.exp(-since_eighth * 60.0)
    bass = np.sin(2.0 * np.pi * 110.0 * time)
    mono = 0.5 * kick + 0.2 * snare + 0.05 * hat + 0.1 * bass
    return np.repeat(mono.astype(np.float32)[:, None], channels, axis=1)
