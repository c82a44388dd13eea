"""The benchmark of cost runs every published model, whatever bands it sees, and hears the beats of a live run."""

import asyncio

import numpy as np
import pytest

from benchmarks.cost import inference, live, when_written
from stream_analyzer.analysis.heads import load_heads
from stream_analyzer.system.resources import resource_folder


def test_every_published_model_can_be_measured() -> None:
    milliseconds = {head.name: inference(head.model) for head in load_heads(resource_folder("models")) if head.model}
    assert set(milliseconds) >= {"tempo", "genre"}
    assert all(ms > 0.0 for ms in milliseconds.values())


def test_a_live_run_tells_how_late_beats_are() -> None:
    rng, rate_hz = np.random.default_rng(0), 22_050
    clicks = np.exp(-(np.arange(5 * rate_hz) % (rate_hz // 2)) / 900.0) * rng.normal(0.0, 0.3, 5 * rate_hz)
    pcm = (np.clip(clicks, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()
    found = asyncio.run(live(pcm, rate_hz=rate_hz, channels=1, seconds=5.0))
    assert found["beats"] > 0.0
    assert found["beat_latency_p50_ms"] > 0.0
    assert found["latency_p50_ms"] > 0.0


def test_a_sample_was_written_with_its_block() -> None:
    written = [(0.01, 5.0), (0.02, 6.0), (0.03, 7.0)]
    assert when_written(written, 0.015) == 6.0
    assert when_written(written, 0.02) == 6.0
    assert when_written(written, 0.05) == pytest.approx(7.02)
