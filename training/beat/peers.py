"""Beats of other systems, on the clips and by the scorer that judge ours: ``python -m training.beat.peers``.

Each system says whether it is online: tells a beat when it falls, having heard nothing later. What is not installed is
named and left out. BeatNet's first network, which never met GTZAN, comes from the wheel (`beat/teacher.py`), which is
read, not installed; it drives three decoders: BeatNet's own particles, madmom's bar pointer run forward, and the same
over the whole clip.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import zipfile
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.library.engine import crew, results
from training.beat.evaluate import Truth, clips, follow, mean, score, score_times
from training.beat.teacher import BeatNet, listen
from training.data.listening import Sound, read_mono

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stream_analyzer.types import F32, F64

RATE_HZ, AUBIO_HZ = 22_050, 44_100
FPS = 50
LEAST_BPM, MOST_BPM = 55.0, 215.0  # BeatNet's own
PARTICLES = "BeatNet/particle_filtering_cascade.py"
SHOWN = ("beat", "downbeat", "cmlt", "amlt", "beat_whole", "downbeat_whole")


@dataclass(frozen=True, slots=True)
class Peer:
    """A system: whether it hears nothing of what comes later, and what tells beats and downbeats of a sound."""

    online: bool
    beats: Callable[[Path], tuple[F64, F64]]


def librosa_beats(path: Path) -> tuple[F64, F64]:
    """Return the beats of librosa's dynamic programming over the whole clip; it tells no bars."""
    import librosa  # noqa: PLC0415 - costs seconds

    _, beats_s = librosa.beat.beat_track(y=read_mono(path, RATE_HZ), sr=RATE_HZ, units="time")
    return np.asarray(beats_s, np.float64), np.empty(0)


def aubio_beats(path: Path) -> tuple[F64, F64]:
    """Return the beats of aubio's tempo object as LedFx uses it (1024, 512 at 44.1 kHz); it tells no bars."""
    import aubio  # noqa: PLC0415 - a peer that need not be here

    hop, sound = 512, read_mono(path, AUBIO_HZ)
    tracker = aubio.tempo("default", 1024, hop, AUBIO_HZ)
    ends = range(hop, len(sound) + 1, hop)
    found = [float(tracker.get_last_s()) for end in ends if tracker(sound[end - hop : end])[0]]
    return np.array(found), np.empty(0)


def particles(heard: F32, wheel: Path) -> tuple[F64, F64]:
    """Return what BeatNet's own filter of particles makes of its network, online."""
    np.random.seed(1)  # noqa: NPY002 - it draws from numpy's global numbers
    tracker = _particle_filter(wheel)(fps=FPS, plot=[], mode="online")
    beats: Any = tracker.process(np.stack([heard[:, 0] - heard[:, 1], heard[:, 1]], axis=1))
    return beats[:, 0], beats[beats[:, 1] == 1, 0]


def pointer_forward(heard: F32) -> tuple[F64, F64]:
    """Return what madmom's bar pointer makes of it online: a beat where the likeliest state enters one."""
    from madmom_infer.features import beats_hmm  # noqa: PLC0415
    from madmom_infer.ml.hmm import HiddenMarkovModel  # noqa: PLC0415

    space = beats_hmm.BarStateSpace(4, 60.0 * FPS / MOST_BPM, 60.0 * FPS / LEAST_BPM, 60)
    observed = beats_hmm.RNNDownBeatTrackingObservationModel(space, 16)
    model = HiddenMarkovModel(beats_hmm.BarTransitionModel(space, 100), _Likely(observed))
    states = model.forward(_parts(heard)).argmax(axis=1)
    found, last_s = [], -np.inf
    for frame in np.flatnonzero(observed.pointers[states] > 0):
        if frame / FPS >= last_s + 60.0 / MOST_BPM:
            last_s = frame / FPS
            found.append((last_s, observed.pointers[states[frame]] == 2))
    beats = np.array(found).reshape(-1, 2)
    return beats[:, 0], beats[beats[:, 1] == 1, 0]


def pointer_whole(heard: F32) -> tuple[F64, F64]:
    """Return what madmom's bar pointer makes of it, looking at the whole clip."""
    from madmom_infer.features.downbeats import DBNDownBeatTrackingProcessor  # noqa: PLC0415

    tracker = DBNDownBeatTrackingProcessor([3, 4], min_bpm=LEAST_BPM, max_bpm=MOST_BPM, fps=FPS)
    beats: Any = tracker(_parts(heard))
    return beats[:, 0], beats[beats[:, 1] == 1, 0]


class _Likely:
    """An observation model of madmom's that gives densities, of one that gives their logarithms."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - of a library without types
        self.pointers, self._model = model.pointers, model

    def densities(self, observations: F32) -> F64:
        return np.asarray(np.exp(self._model.log_densities(observations)), np.float64)


def _parts(heard: F32) -> F32:
    """Return a beat that is no downbeat, and a downbeat, [frames, 2], neither of them certain."""
    return np.clip(np.stack([heard[:, 0] - heard[:, 1], heard[:, 1]], axis=1), 1e-6, 1.0 - 1e-6)


@cache
def _particle_filter(wheel: Path) -> Any:  # noqa: ANN401 - a class of the wheel
    """Return the class from the wheel; its imports of madmom are answered by madmom-infer."""
    from madmom_infer.features import beats_hmm  # noqa: PLC0415
    from madmom_infer.ml import hmm  # noqa: PLC0415

    answers = {"madmom.features.beats_hmm": beats_hmm, "madmom.ml.hmm": hmm}
    sys.modules |= {name: ModuleType(name) for name in ("madmom", "madmom.features", "madmom.ml")} | answers
    with zipfile.ZipFile(wheel) as file:
        source = file.read(PARTICLES).decode().replace("np.in1d", "np.isin")  # numpy 2.4 has the newer name alone
    module = ModuleType("particles")
    exec(compile(source, PARTICLES, "exec"), module.__dict__)  # noqa: S102 - as installing it would
    return module.particle_filter_cascade


@cache
def _network(wheel: Path) -> BeatNet:
    return BeatNet(wheel, 1)


def available(wheel: Path | None) -> tuple[dict[str, Peer], list[str]]:
    """Return the systems that can be asked here, and why others can't."""
    found = {"librosa beat_track": Peer(online=False, beats=librosa_beats)}
    absent = ["madmom's own networks: their weights are for non-commercial use and in no package"]
    if importlib.util.find_spec("aubio"):
        found["aubio-ledfx"] = Peer(online=True, beats=aubio_beats)
    else:
        absent.append("aubio-ledfx: not installed (extra `bench`)")
    if wheel is None:
        return found, [*absent, "BeatNet: no --wheel"]

    def by(decode: Callable[[F32], tuple[F64, F64]]) -> Callable[[Path], tuple[F64, F64]]:
        return lambda path: decode(listen([read_mono(path, RATE_HZ)], [_network(wheel)])[0])

    found["BeatNet 1, its particles"] = Peer(online=True, beats=by(lambda heard: particles(heard, wheel)))
    found["BeatNet 1, madmom-infer's bar pointer forward"] = Peer(online=True, beats=by(pointer_forward))
    found["BeatNet 1, madmom-infer's bar pointer"] = Peer(online=False, beats=by(pointer_whole))
    return found, absent


def judge(clip: tuple[Path, Truth], models: Path, wheel: Path | None) -> dict[str, dict[str, float]]:
    """Return the scores of every system on one clip."""
    path, truth = clip
    found = {"stream-analyzer": score(truth, follow(models, Sound(path)))}
    for name, peer in available(wheel)[0].items():
        beats_s, downbeats_s = peer.beats(path)
        found[name] = score_times(truth, beats_s, downbeats_s)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line a system."""
    parser = argparse.ArgumentParser(prog="python -m training.beat.peers", description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--split", default="valid")
    parser.add_argument("--models", type=Path, default=Path("models"))
    parser.add_argument("--wheel", type=Path, help="BeatNet's, e.g. runs/BeatNet-1.1.3-py3-none-any.whl")
    options = parser.parse_args(arguments)
    peers, absent = available(options.wheel)
    work = partial(judge, models=options.models, wheel=options.wheel)
    with crew() as client:
        judged = results(client, work, clips(options.data, options.split))
    print(f"| n = {len(judged)} | online | " + " | ".join(SHOWN) + " |\n" + "|---" * (2 + len(SHOWN)) + "|")
    for name in judged[0]:
        means = mean([one[name] for one in judged])
        online = "yes" if name not in peers or peers[name].online else "no, the whole clip"
        cells = [f"{means[what]:.3f}" if means[what] > 0.0 else "-" for what in SHOWN]
        print(f"| {name} | {online} | " + " | ".join(cells) + " |")
    print("\n".join(f"absent: {one}" for one in absent))


if __name__ == "__main__":
    main()
