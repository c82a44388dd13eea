"""What a subscriber is told first: `Hello`, made of the source, the features, and what each head says of itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from stream_analyzer import __version__
from stream_analyzer.analysis.features import SPEC
from stream_analyzer.analysis.steps import STEPS_PER_SECOND
from stream_analyzer.protocol.kinds import Hello, Mark, Model, Source, SpectrumScale, Summary
from stream_analyzer.types import SPECTRUM_CEIL_DB, SPECTRUM_FLOOR_DB, Level, Spectrum, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.analysis.head import Head
    from stream_analyzer.sound.source import SourceInfo

_ALWAYS = (Level, Status, Spectrum, Summary, Mark)  # whatever heads there are


def greeting(
    source: SourceInfo, heads: Sequence[Head], *, started_at: str, name: str = "main", names: Sequence[str] = ("main",)
) -> Hello:
    """Return what subscribers are told of this session, of the input ``name`` among ``names``."""
    facts: dict[str, Any] = {}
    for head in heads:
        facts |= head.facts()
    kinds = [head.event.KIND.name for head in heads]
    return Hello(
        version=__version__,
        started_at=started_at,
        source=source_of(source),
        feature={"digest": SPEC.digest, **asdict(SPEC)},
        spectrum=SpectrumScale(SPEC.n_mels, SPECTRUM_FLOOR_DB, SPECTRUM_CEIL_DB, SPEC.frames_per_second),
        types=(*kinds, *(event.KIND.name for event in _ALWAYS)),
        models=tuple(_model(head) for head in heads if head.model),
        latency_s=_latency_s(heads),
        input=name,
        inputs=tuple(names),
        **facts,
    )


def source_of(info: SourceInfo) -> Source:
    """Return what subscribers are told of a source."""
    return Source(info.kind, info.name, info.rate_hz, info.channels)


def _model(head: Head) -> Model:
    manifest = head.model.manifest
    return Model(
        name=manifest.name,
        version=manifest.version,
        task=manifest.task,
        sha256=manifest.sha256,
        window_s=head.window_s,
        first_s=manifest.first_s,
        every_s=manifest.every_s,
    )


def _latency_s(heads: Sequence[Head]) -> dict[str, float]:
    """Return how long each kind may take to show a sample, by design: its step, and what its head needs."""
    step_s = 1.0 / STEPS_PER_SECOND
    latency_s = {"level": step_s, "spectrum": step_s + SPEC.n_fft / SPEC.sample_rate_hz}
    for head in heads:
        latency_s[head.event.KIND.name] = step_s + head.latency_s
    return latency_s
