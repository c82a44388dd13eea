"""What the feature files tell of genres when the network of sound hears them: FMA-small's and GTZAN's valid lists.

    python -m training.studies.genre_features --wheel runs/musicnn-0.1.0-py3-none-any.whl --run runs/genre_sound

The published model reads sound alone. FMA's eight top genres are learnt by logistic regression from means and spreads
over a track; GTZAN's ten by the model's own kind of head, from the windows as the map of `training.genre.pictured`
puts them right. Each learns from its train list; ``--run`` is a folder that `training.genre.sound` left.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression

from training.data.songs import find_label
from training.genre.collection import LABELS, read_collection
from training.genre.head import KNOWN, HeadConfig, Windows, fit
from training.genre.musicnn import build, compact, read_weights
from training.genre.pictured import hear_songs, pairs, read_gtzan, translate
from training.genre.sound import CONFIG, hear, read_config
from training.genre.sound_judge import of_source
from training.genre.sound_model import features_of
from training.genre.sound_scores import log_softmax

if TYPE_CHECKING:
    import numpy.typing as npt

    from stream_analyzer.types import F32, F64
    from training.genre.musicnn import Compact
    from training.genre.pictured import Track
    from training.genre.sound_judge import Heard

FMA_SHRINK = 0.03
GTZAN_HEAD = HeadConfig(shrink=0.3, smooth=0.1, steps=80)
MOST_DEVIATIONS = 4.0
LEAST_DEVIATION = 1e-3


def score_fma(heard: Heard, parts: Compact) -> dict[str, float]:
    """Return the scores of FMA's valid list among its eight top genres."""
    tracks = heard.tracks
    windows = np.concatenate([heard.pictures.pooled, features_of(heard.pictures.embedding, parts)], axis=1)
    values = np.stack([_summary(windows[rows]) for rows in _rows_of(heard.pictures.clip)])
    genre, train = np.array([track.genre for track in tracks]), _split(tracks, "train")
    mean, deviation = values[train].mean(axis=0), values[train].std(axis=0) + LEAST_DEVIATION
    standard = np.clip((values - mean) / deviation, -MOST_DEVIATIONS, MOST_DEVIATIONS)
    model = LogisticRegression(C=1.0 / (FMA_SHRINK * train.sum()), max_iter=150)
    model.fit(standard[train], genre[train])
    valid = _split(tracks, "valid")
    return _score(model.predict_log_proba(standard[valid]), np.searchsorted(model.classes_, genre[valid]))


def score_gtzan(tracks: list[Track], windows: F32) -> dict[str, float]:
    """Return the scores of GTZAN's valid list among its ten genres, of features [tracks, windows, n] put right."""
    label = np.array([LABELS.index(find_label(track.genre, LABELS)) for track in tracks])
    rows, each = np.flatnonzero(_split(tracks, "train")), windows.shape[1]
    taught = Windows(
        features=windows[rows].reshape(len(rows) * each, -1),
        label=np.repeat(label[rows], each),
        source=np.repeat("gtzan", len(rows) * each),
        song=np.repeat([tracks[row].group for row in rows], each),
    )
    head = fit(taught, GTZAN_HEAD)
    valid, ten = _split(tracks, "valid"), [LABELS.index(name) for name in KNOWN["gtzan"]]
    logits = head.logits(windows[valid].reshape(valid.sum() * each, -1)).reshape(valid.sum(), each, -1)
    return _score(log_softmax(logits.mean(axis=1)[:, ten]), np.array([ten.index(one) for one in label[valid]]))


def _rows_of(clip: npt.NDArray[np.intp]) -> list[npt.NDArray[np.intp]]:
    return [np.flatnonzero(clip == index) for index in np.unique(clip)]


def _summary(windows: F32) -> F32:
    return np.concatenate([windows.mean(axis=0), windows.std(axis=0)])


def _split(tracks: list[Track], split: str) -> npt.NDArray[np.bool_]:
    return np.array([track.split == split for track in tracks])


def _score(posterior: F64, truth: npt.NDArray[np.intp]) -> dict[str, float]:
    right = posterior.argmax(axis=1) == truth
    recall = [float(right[truth == genre].mean()) for genre in np.unique(truth)]
    loss = -float(posterior[np.arange(len(truth)), truth].mean())
    return {"n": len(truth), "accuracy": float(right.mean()), "over_genres": float(np.mean(recall)), "log_loss": loss}


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--wheel", type=Path, required=True, help="musicnn's wheel, which holds its weights")
    parser.add_argument("--run", type=Path, default=Path("runs/genre_sound"))
    chosen = parser.parse_args()
    parts = compact(read_weights(chosen.wheel))
    network = build(parts)
    network.load_weights(chosen.run / "network.h5")
    clips = read_collection(chosen.data)
    heard = hear(network, clips, chosen.data, chosen.run, read_config(CONFIG, []))
    others = np.array([bool(clip.label) for clip in clips]) & ~of_source(clips, "gtzan")
    translation = translate(*pairs(heard.blurred.of(others), heard.variants["clean"].of(others)))
    tracks, songs = read_gtzan(chosen.data)
    features = features_of(translation.embedding(hear_songs(network, songs)), parts)
    found = {
        "fma_small": score_fma(heard, parts),
        "gtzan": score_gtzan(tracks, features.reshape(len(tracks), -1, features.shape[1])),
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
