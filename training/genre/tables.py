"""Which genres the model covers, and how well: the study's 23, and every sub-genre that FMA's tags name. Markdown.

A clip belongs to a genre if its label or one of its tags is that name, to a sub-genre by the tags that mean it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import average_precision_score

from stream_analyzer.analysis.genre.output import Calibration, GenreOutput
from stream_analyzer.analysis.probability import sigmoid, softmax
from training.data.fma import STUDY_GENRES
from training.data.genres import KNOWN, SUB_GENRES, label_index
from training.genre.scores import clip_posterior

if TYPE_CHECKING:
    import numpy.typing as npt

    from stream_analyzer.analysis.manifest import ModelManifest
    from stream_analyzer.types import F32
    from training.data.dataset import FrameSet
    from training.genre.scores import JudgedClips

# Tags with fewer tracks to learn from are not listed where the model does not know them.
LISTED_TRACKS = 40

# FMA's tags that mean a sub-genre of the model; its own name where nothing else is said.
MEANT_BY = {name: tags for name, (_, tags) in SUB_GENRES.items()}

INTRO = """# Which genres the model covers, and how well

Written by `python -m training.report genre`, from the exported int8 file (version {version}, SHA-256 `{sha256}...`)
through the code that serves it, on split `{split}`.

- *train* and *{split}*: clips that carry the name as genre or tag, or, for a sub-genre, a tag that means it.
- *AP*: average precision when all clips of a set are ranked by the probability of the name; in brackets, what chance
  gives.
- *recall*: the share of its clips for which the name wins among the labels that their set can know or, for a
  sub-genre, for which it is shown.
- *precision*: the share of the clips where a sub-genre is shown that carry the tag.

Few clips make these numbers coarse.
"""
SUB_INTRO = """
## Sub-genres

The model's, then those tags of FMA-small that it does not know and that {least} training clips or more carry.
"""


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well one name is told in one set of clips; None where nothing can be said."""

    train: int
    held: int
    chance: float
    average_precision: float | None
    recall: float | None
    precision: float | None


def tables(manifest: ModelManifest, sets: list[FrameSet], judged: list[JudgedClips], *, split: str) -> str:
    """Return the Markdown of both tables. ``judged`` are the clips of ``split`` of each of ``sets``."""
    judges = [Judge(manifest, frames, one) for frames, one in zip(sets, judged, strict=True)]
    gtzan, fma = judges
    rows = [_study_row(name, manifest, gtzan, fma) for name in STUDY_GENRES]
    covered = sum(row[1] != "no" for row in rows)
    parts = [
        INTRO.format(version=manifest.version, sha256=manifest.sha256[:16], split=split),
        f"## The study's {len(rows)} genres\n",
        f"{covered} of {len(rows)} are covered.\n",
        _markdown(
            ("genre", "in the model", "FMA train", f"FMA {split}", "FMA recall", "FMA AP",
             "GTZAN train", f"GTZAN {split}", "GTZAN recall", "GTZAN AP"),
            rows,
        ),
        SUB_INTRO.format(least=LISTED_TRACKS),
        _markdown(
            ("sub-genre", "below", "in the model", "train", split, "AP", "recall", "precision"),
            _sub_rows(manifest, fma),
        ),
    ]  # fmt: skip
    return "\n".join(parts) + "\n"


class Judge:
    """What the model says of each clip of one set: per label, per sub-genre, and which is shown."""

    def __init__(self, manifest: ModelManifest, frames: FrameSet, judged: JudgedClips) -> None:
        """Take all clips of a set and those that were judged."""
        self._frames, self._heard = frames, judged
        output, calibration = GenreOutput.of(manifest), Calibration.of(manifest)
        count = len(output.labels)
        within = clip_posterior(judged.posteriors())
        self._winner = [output.labels[index] for index in within.argmax(axis=1)]
        temperature = calibration.temperature
        posterior = clip_posterior([softmax(rows[:, :count], temperature=temperature) for rows in judged.outputs])
        subs = np.stack([rows[:, count:-1].mean(axis=0) for rows in judged.outputs])
        names = [*output.labels, *(sub.label for sub in output.sub_genres)]
        self._score = dict(zip(names, np.concatenate([posterior, subs], axis=1).T, strict=True))
        self._shown = [
            shown_sub_genre(row, output.labels[index], manifest)
            for row, index in zip(subs, posterior.argmax(axis=1), strict=True)
        ]

    def rank(self, name: str, tags: tuple[str, ...] = ()) -> Ranking:
        """Judge how well ``name`` is told; clips belong to it that carry one of ``tags`` (default: the name)."""
        judged, train = self._heard.clips, self._frames.split == "train"
        tags = tags or (name,)
        inside = belongs(judged, name, tags)
        some = bool(inside.any() and name in self._score)
        own, shown = (np.array([one == name for one in names]) for names in (self._winner, self._shown))
        is_label = name in KNOWN[self._heard.dataset]
        won = own if is_label else shown
        return Ranking(
            train=int((belongs(self._frames, name, tags) & train).sum()),
            held=int(inside.sum()),
            chance=float(inside.mean()),
            average_precision=float(average_precision_score(inside, self._score[name])) if some else None,
            recall=float(won[inside].mean()) if some and (is_label or label_index(name) < 0) else None,
            precision=float(inside[shown].mean()) if shown.any() else None,
        )

    def tags(self) -> Counter[str]:
        """Count the tags of the training split."""
        rows = self._frames.tags[self._frames.split == "train"]
        return Counter(tag for text in rows for tag in set(str(text).split("|")) if tag)


def belongs(frames: FrameSet, name: str, tags: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Tell which clips have the genre ``name`` or carry one of ``tags``."""
    index = label_index(name)
    return np.array(
        [
            not set(tags).isdisjoint(str(own).split("|")) or (index >= 0 and label_index(str(label)) == index)
            for label, own in zip(frames.label, frames.tags, strict=True)
        ],
        np.bool_,
    )


def shown_sub_genre(logits: F32, label: str, manifest: ModelManifest) -> str | None:
    """Return the sub-genre that is shown beside ``label``, as `GenreTracker` decides it; None if none is."""
    calibration = Calibration.of(manifest)
    shares = [
        (sigmoid(float(logit) / calibration.sub_temperature), sub.label)
        for logit, sub in zip(logits, GenreOutput.of(manifest).sub_genres, strict=True)
        if sub.parent == label and sigmoid(float(logit) / calibration.sub_temperature) >= sub.threshold
    ]
    return max(shares, key=lambda share: share[0])[1] if shares else None


def _place(name: str, manifest: ModelManifest) -> str:
    output = GenreOutput.of(manifest)
    parents = {sub.label: sub.parent for sub in output.sub_genres}
    if name in output.labels:
        return "genre"
    return f"below {parents[name]}" if name in parents else "no"


def _study_row(name: str, manifest: ModelManifest, gtzan: Judge, fma: Judge) -> tuple[str, ...]:
    cells = []
    for found in (fma.rank(name), gtzan.rank(name)):
        cells += [str(found.train), str(found.held), _share(found.recall), _ap(found)]
    return (name, _place(name, manifest), *cells)


def _sub_rows(manifest: ModelManifest, fma: Judge) -> list[tuple[str, ...]]:
    output = GenreOutput.of(manifest)
    own = [(sub.label, sub.parent, f"from {sub.threshold:.2f}") for sub in output.sub_genres]
    meant = {tag for name, _, _ in own for tag in MEANT_BY.get(name, (name,))}
    known = meant | set(output.labels)
    others = [(tag, "", "no") for tag, n in fma.tags().most_common() if n >= LISTED_TRACKS and tag not in known]
    rows: list[tuple[str, ...]] = []
    for name, parent, place in (*own, *others):
        found = fma.rank(name, MEANT_BY.get(name, ()))
        cells = (str(found.train), str(found.held), _ap(found), _share(found.recall), _share(found.precision))
        rows.append((name, parent, place, *(cells if place != "no" else (*cells[:2], "-", "-", "-"))))
    return rows


def _ap(found: Ranking) -> str:
    return "-" if found.average_precision is None else f"{found.average_precision:.2f} ({found.chance:.2f})"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _markdown(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, ("---",) * len(header), *rows))
