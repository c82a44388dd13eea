"""The benchmark of cost runs every published model, whatever bands it sees."""

from benchmarks.cost import inference
from stream_analyzer.analysis.heads import load_heads
from stream_analyzer.system.resources import resource_folder


def test_every_published_model_can_be_measured() -> None:
    milliseconds = {head.name: inference(head.model) for head in load_heads(resource_folder("models")) if head.model}
    assert set(milliseconds) >= {"tempo", "genre"}
    assert all(ms > 0.0 for ms in milliseconds.values())
