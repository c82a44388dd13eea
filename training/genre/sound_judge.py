"""Judge the genre model of sound: leaving one source out, through rooms, music or not, calibration, int8."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from training.genre.collection import JUDGED, LABELS
from training.genre.embedded import join, windows_of
from training.genre.head import Windows, fit
from training.genre.pictured import label_of, pairs, translate
from training.genre.sound_model import Music, features_of
from training.genre.sound_pictures import pictures, read_sound
from training.genre.sound_scores import (
    Songs,
    average,
    intervals,
    score,
    songs_of,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from stream_analyzer.types import F64
    from training.genre.collection import Clip
    from training.genre.embedded import Embedded
    from training.genre.head import HeadConfig, Linear
    from training.genre.musicnn import Compact
    from training.genre.pictured import Track
    from training.genre.sound_model import Int8Model

    Flags = npt.NDArray[np.bool_]
    Indices = npt.NDArray[np.intp]

OFFICIAL = ("gtzan", "fma_small")  # sources whose own valid clips never teach what is published
PUBLISHED = "gtzan valid"  # what judges the published head
PICTURED = "fma_small"  # the source whose tracks are at hand as pictures too
MUSIC_HELD_BACK = 0.015
LEAST_DEVIATION = 0.02


@dataclass(frozen=True, slots=True)
class Heard:
    """All clips, what the network makes of their variants, and what it makes of sounds that are no music.

    ``tracks`` are those of FMA-small's file, ``pictures`` what it makes of them, ``blurred`` what of the clips as such.
    """

    clips: list[Clip]
    variants: dict[str, Embedded]
    made: Embedded
    tracks: list[Track]
    pictures: Embedded
    blurred: Embedded


def teaches(clip: Clip) -> bool:
    """Tell whether a clip teaches genres to the published model."""
    return bool(clip.label) and not (clip.split == "valid" and clip.source in OFFICIAL)


def of_source(clips: list[Clip], source: str) -> Flags:
    """Return which clips with a label are of ``source``."""
    return np.array([clip.source == source and bool(clip.label) for clip in clips])


def sounds(heard: Heard, taught: Flags, parts: Compact) -> Windows:
    """Return what the clips that are ``taught`` teach."""
    return windows_of(join(part.of(taught) for part in heard.variants.values()), heard.clips, parts)


def with_pictures(heard: Heard, taught: Flags, parts: Compact) -> Windows:
    """Return what the clips that are ``taught`` teach, and FMA's pictures with them, unless no clip of FMA is."""
    sound = sounds(heard, taught, parts)
    if not (taught & of_source(heard.clips, PICTURED)).any():
        return sound
    translation = translate(*pairs(heard.blurred.of(taught), heard.variants["clean"].of(taught)))
    labels = [label_of(track) if track.split == "train" else "" for track in heard.tracks]
    known = heard.pictures.of(np.array([bool(label) for label in labels]))
    return Windows(
        features=np.concatenate([sound.features, features_of(translation.embedding(known), parts)]),
        label=np.append(sound.label, [LABELS.index(labels[index]) for index in known.clip]),
        source=np.append(sound.source, np.full(len(known.clip), PICTURED)),
        song=np.append(sound.song, [f"picture {index}" for index in known.clip]),
    )


def fit_heads(heard: Heard, parts: Compact, config: HeadConfig, *, pictured: HeadConfig) -> dict[str, Linear]:
    """Return the head of the published model as `PUBLISHED`, and for each judged source one that it did not teach.

    Each is the mean of two: one that sounds teach by ``config``, and one that FMA's pictures teach too, by
    ``pictured``. The first is too sure of itself, the second too modest.
    """
    labelled = np.array([bool(clip.label) for clip in heard.clips])
    taught = {source: labelled & ~of_source(heard.clips, source) for source in JUDGED}
    taught[PUBLISHED] = np.array([teaches(clip) for clip in heard.clips])
    return {
        name: fit(sounds(heard, clips, parts), config).halfway(fit(with_pictures(heard, clips, parts), pictured))
        for name, clips in taught.items()
    }


def left_out(heads: dict[str, Linear], heard: Heard, parts: Compact) -> dict[str, dict[str, tuple[Indices, F64]]]:
    """Return for each source and variant the logits of its windows by a head that it did not teach.

    `PUBLISHED` is GTZAN's valid list by the published head, which no valid list taught.
    """
    found: dict[str, dict[str, tuple[Indices, F64]]] = {}
    for name, head in heads.items():
        judged = of_source(heard.clips, name.split()[0])
        if name == PUBLISHED:
            judged &= np.array([clip.split == "valid" for clip in heard.clips])
        parted = {variant: part.of(judged) for variant, part in heard.variants.items()}
        found[name] = {
            variant: (part.clip, head.logits(features_of(part.embedding, parts))) for variant, part in parted.items()
        }
    return found


def judge(heads: dict[str, Linear], heard: Heard, parts: Compact, *, music_shrink: float) -> dict[str, Any]:
    """Return scores of genres and of music."""
    facts: dict[str, Any] = {"genres": genre_scores(left_out(heads, heard, parts), heard.clips)}
    facts["music"] = music_scores(heard, shrink=music_shrink)
    return facts


def genre_scores(logits: dict[str, dict[str, tuple[Indices, F64]]], clips: list[Clip]) -> dict[str, dict[str, Any]]:
    """Return the scores of each variant: of each source and averaged over the four, with intervals."""
    label = np.array([LABELS.index(clip.label) if clip.label else -1 for clip in clips])
    song = np.array([clip.song for clip in clips])
    report: dict[str, dict[str, Any]] = {}
    for variant in next(iter(logits.values())):
        songs = {
            name: songs_of(rows[variant][1], rows[variant][0], label=label, song=song) for name, rows in logits.items()
        }
        scores = {name: score(one) for name, one in songs.items()}
        report[variant] = {name: asdict(one) for name, one in scores.items()}
        report[variant]["left out"] = asdict(average([scores[name] for name in JUDGED]))
        report[variant]["left out, interval"] = intervals([songs[name] for name in JUDGED])
    return report


def fit_music(heard: Heard, *, shrink: float, clips: Flags | None = None, made: Flags | None = None) -> Music:
    """Fit the logit of music to all variants of ``clips`` and to the sounds ``made``; to all, where not given."""
    chosen = np.ones(len(heard.clips), bool) if clips is None else clips
    chosen = chosen & np.array([not clip.doubtful for clip in heard.clips])
    real = join(part.of(chosen) for part in heard.variants.values())
    false = heard.made if made is None else heard.made.of(made)
    values = np.concatenate([real.pooled, false.pooled])
    truth = np.concatenate(
        [np.array([heard.clips[index].music for index in real.clip]), np.zeros(len(false.clip), bool)]
    )
    mean, deviation = values.mean(axis=0), np.maximum(values.std(axis=0), LEAST_DEVIATION)
    model = LogisticRegression(C=1.0 / shrink, max_iter=400, class_weight="balanced")
    model.fit((values - mean) / deviation, truth)
    kernel = model.coef_[0] / deviation
    return Music(kernel, float(model.intercept_[0] - mean @ kernel))


def music_scores(heard: Heard, *, shrink: float) -> dict[str, float]:
    """Return how well music is told by models that half of the songs and sounds taught, scored on the other half.

    The threshold holds back `MUSIC_HELD_BACK` of the clean clips of music.
    """
    songs = sorted({clip.song for clip in heard.clips})
    half = {song: index % 2 for index, song in enumerate(songs)}
    side = np.array([half[clip.song] for clip in heard.clips])
    music, doubtful = (np.array([getattr(clip, name) for clip in heard.clips]) for name in ("music", "doubtful"))
    made_side = np.arange(int(heard.made.clip.max()) + 1) % 2
    means: dict[str, list[F64]] = {}
    for part in (0, 1):
        model = fit_music(heard, shrink=shrink, clips=side == part, made=made_side == part)
        for variant, embedded in heard.variants.items():
            for kind, wanted in (("music", music & ~doubtful), ("not music", ~music)):
                rows = embedded.of(wanted & (side != part))
                means.setdefault(f"{kind}, {variant}", []).append(_clip_means(rows, model))
        means.setdefault("made", []).append(_clip_means(heard.made.of(made_side != part), model))
    logits = {name: np.concatenate(values) for name, values in means.items()}
    threshold = float(np.quantile(logits["music, clean"], MUSIC_HELD_BACK))
    shares = {
        name: float((values < threshold).mean() if name.startswith("music") else (values >= threshold).mean())
        for name, values in logits.items()
    }
    return {"threshold": float(1.0 / (1.0 + np.exp(-threshold))), "threshold_logit": threshold, **shares}


def _clip_means(rows: Embedded, model: Music) -> F64:
    logits = rows.pooled @ model.kernel + model.bias
    return np.array([logits[rows.clip == index].mean() for index in np.unique(rows.clip)])


def compare(
    model: Int8Model, clips: list[Clip], heard: Heard, parts: Compact, *, head: Linear, music: Music
) -> dict[str, float]:
    """Return how far the int8 ``model`` is from the float one on GTZAN's valid clips, and both scores there."""
    chosen = np.array([clip.source == "gtzan" and clip.split == "valid" for clip in clips])
    rows = heard.variants["clean"].of(chosen)
    wanted = np.column_stack([head.logits(features_of(rows.embedding, parts)), rows.pooled @ music.kernel + music.bias])
    seen = np.concatenate([pictures(read_sound(clips[index].path)) for index in np.flatnonzero(chosen)])
    found = np.stack([model.run(picture) for picture in seen]).astype(np.float64)
    label = np.array([LABELS.index(clip.label) if clip.label else -1 for clip in clips])
    song = np.array([clip.song for clip in clips])
    scores = [score(_songs(values, rows, label, song)) for values in (wanted, found)]
    return {
        "windows": len(found),
        "same_label": float((wanted[:, :-1].argmax(axis=1) == found[:, :-1].argmax(axis=1)).mean()),
        "difference": float(np.abs(wanted - found).mean()),
        "float_by_song": scores[0].by_song,
        "int8_by_song": scores[1].by_song,
        "milliseconds": model.milliseconds,
    }


def _songs(logits: F64, rows: Embedded, label: Indices, song: npt.NDArray[np.str_]) -> Songs:
    return songs_of(logits[:, :-1], rows.clip, label=label, song=song)
