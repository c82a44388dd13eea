"""Make a model folder of a run of `training.genre.sound`: manifest, golden window and card beside the int8 file.

    python -m training.genre.sound_export runs/genre_sound --data ../shared/data --out models/genre

The heads that a source did not teach go to `training/genre/left_out/`, where the scorer finds them.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.analysis.features import StreamingLogMel
from stream_analyzer.analysis.genre.output import Calibration, GenreOutput
from stream_analyzer.analysis.genre.picture import PICTURE_FRAMES, PICTURE_SPEC, picture
from stream_analyzer.analysis.manifest import ModelInput, ModelManifest, sha256_of
from stream_analyzer.analysis.model import TfliteModel
from training.genre.collection import JUDGED
from training.genre.hearing import LEFT_OUT
from training.genre.sound import LEFT_OUT_FILE, MODEL_FILE
from training.genre.sound_calibration import calibrate, listen
from training.publish import commit, write_card

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream_analyzer.types import F32

log = logging.getLogger(__name__)

STRIDE = 63  # frames: about a second
TIME_CONSTANT_S = 4.0
# Splits of the sources that taught the genres; a clip of these never counts when the published head is scored.
HEARD = {
    "gtzan": ["train"],
    "fma_small": ["train"],
    "free_songs": ["valid"],
    "genrewave_songs": ["valid"],
    "radio2": ["valid"],
    "librosa_data": [""],
}
LICENCES = [
    "musicnn's weights (MSD_musicnn, Pons and Serra 2019; ISC), taught by the Million Song Dataset with Last.fm's tags",
    "GTZAN train list as sound (137 clips): no licence stated, research use",
    "FMA-small (36 tracks as sound, its train list as pictures): Creative Commons, per track",
    "free_songs (123 songs), genrewave_songs and radio2 (99 clips): Creative Commons, per song",
    "librosa's example recordings (Creative Commons, per recording)",
    "free game music of Debian's packages, without labels: the licence of each package",
    "ESC-10 (CC), speech and room noise (Apache-2.0), and sounds made by this project: what is no music",
]


def golden_window() -> F32:
    """Return the picture of a generated sound: a decaying chord at 120 BPM over hiss."""
    rate, rng = PICTURE_SPEC.sample_rate_hz, np.random.default_rng(0)
    samples = PICTURE_SPEC.n_fft + (PICTURE_FRAMES - 1) * PICTURE_SPEC.hop
    time = np.arange(samples) / rate
    chord = sum(np.sin(2.0 * np.pi * hz * time) for hz in (220.0, 277.18, 329.63))
    sound = 0.1 * chord * np.exp(-(time % 0.5) * 6.0) + rng.normal(0.0, 0.003, samples)
    return picture(StreamingLogMel(PICTURE_SPEC).push(sound.astype(np.float32)))


def export(run: Path, *, version: str, out: Path, data: Path) -> ModelManifest:
    """Write the four files of a model folder from the run's, calibrated on sounds in ``data``; return its manifest."""
    facts = json.loads((run / "facts.json").read_text(encoding="utf-8"))
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / MODEL_FILE, out / MODEL_FILE)
    manifest = ModelManifest(
        name="genre",
        version=version,
        task="genre",
        file=MODEL_FILE,
        sha256=sha256_of(out / MODEL_FILE),
        feature=PICTURE_SPEC,
        input=ModelInput(frames=PICTURE_FRAMES, every=1, stride=STRIDE, min_frames=PICTURE_FRAMES, values="picture"),
        output=GenreOutput(labels=tuple(facts["labels"])).to_dict(),
        calibration=asdict(Calibration(temperature=1.0, music_threshold=facts["music"]["threshold"])),
        time_constant_s=TIME_CONSTANT_S,
        metrics=_quantized(facts["int8"]),
        training={
            "commit": commit(),
            "seed": facts["config"]["seed"],
            "config": facts["config"],
            "heard": HEARD,
            "licences": LICENCES,
        },
    )
    (out / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    _export_left_out(run, manifest)
    manifest = _calibrated(manifest, out, data)
    (out / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")
    window = golden_window()
    np.savez_compressed(out / "golden.npz", window=window, logits=TfliteModel(out).run(window))
    write_card(out, task="genre")
    return manifest


def _calibrated(manifest: ModelManifest, out: Path, data: Path) -> ModelManifest:
    """Return the manifest with the temperature and the threshold that what is shown by left-out heads gives."""
    found = calibrate(listen(out, data), manifest)
    log.info("calibrated: %s", found)
    own = {name: found[name] for name in ("temperature", "confident")}
    return replace(manifest, calibration=manifest.calibration | own)


def _export_left_out(run: Path, manifest: ModelManifest) -> None:
    """Write the folder of the heads that a source did not teach; only `training.genre.hearing` reads it."""
    LEFT_OUT.mkdir(exist_ok=True)
    shutil.copyfile(run / LEFT_OUT_FILE, LEFT_OUT / MODEL_FILE)
    other = replace(
        manifest,
        name="genre, a source left out",
        sha256=sha256_of(LEFT_OUT / MODEL_FILE),
        output=manifest.output | {"left_out": list(JUDGED)},
        metrics=[],
        training={"of": manifest.sha256},
    )
    (LEFT_OUT / "manifest.json").write_text(other.to_json(), encoding="utf-8")


def _quantized(found: dict[str, float]) -> list[dict[str, Any]]:
    """Return the manifest's row of float beside int8: whole clips of GTZAN's valid list by their mean logits."""
    row = {"dataset": "gtzan (sound)", "split": "valid", "n": 65, "metric": "by song, mean of all windows"}
    return [row | {"float": found["float_by_song"], "int8": found["int8_by_song"]}]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m training.genre.sound_export", description=__doc__.split("\n\n")[0])
    parser.add_argument("run", type=Path, help="folder that training.genre.sound left")
    parser.add_argument("--out", type=Path, default=Path("models/genre"), help="model folder (%(default)s)")
    parser.add_argument("--version", default="2.2", help="version that the manifest states")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with sounds (%(default)s)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    manifest = export(options.run, version=options.version, out=options.out, data=options.data)
    size_kib = (options.out / MODEL_FILE).stat().st_size / 1024.0
    print(f"{options.out}: version {manifest.version}, {size_kib:.0f} KiB, {manifest.sha256[:16]}")


if __name__ == "__main__":
    main()
