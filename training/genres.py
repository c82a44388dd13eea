"""The genre labels, and which of them each data set can know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from stream_analyzer.types import F32

LABELS = (
    "Blues", "Classical", "Country", "Disco", "Electronic", "Experimental", "Folk", "Hip-Hop",
    "Instrumental", "International", "Jazz", "Metal", "Pop", "Reggae", "Rock",
)  # fmt: skip

KNOWN = {
    "gtzan": ("Blues", "Classical", "Country", "Disco", "Hip-Hop", "Jazz", "Metal", "Pop", "Reggae", "Rock"),
    "fma-small": (
        "Electronic", "Experimental", "Folk", "Hip-Hop", "Instrumental", "International", "Pop", "Rock",
    ),
}  # fmt: skip

# FMA-small's finer tags that mean a label of GTZAN. Every track is tagged, so one without them is known not to be it.
TAGS = {
    "Reggae - Dub": "Reggae", "Reggae - Dancehall": "Reggae",
    "Metal": "Metal", "Death-Metal": "Metal", "Black-Metal": "Metal", "Thrash": "Metal", "Grindcore": "Metal",
}  # fmt: skip

_BY_KEY = {label.replace("-", "").lower(): index for index, label in enumerate(LABELS)}


def label_index(name: str) -> int:
    """Return the index in LABELS of a data set's own spelling ("hiphop", "Hip-Hop"); -1 if it is none of them."""
    return _BY_KEY.get(name.replace("-", "").lower(), -1)


def known_mask(dataset: str) -> F32:
    """Return float32 [labels]: 1 where ``dataset``'s own classes can tell the label, else 0. Scores use this."""
    known = KNOWN.get(dataset, ())
    return np.array([label in known for label in LABELS], np.float32)


def taught_mask(dataset: str) -> F32:
    """Return float32 [labels]: 1 where ``dataset``'s classes or tags can tell the label. Training uses this."""
    mask = known_mask(dataset)
    if dataset == "fma-small":
        mask[[LABELS.index(label) for label in TAGS.values()]] = 1.0
    return mask


def tagged_index(tags: str) -> int:
    """Return the index in LABELS that one of ``tags`` ("Rock|Metal") means beyond the clip's own label; -1 if none."""
    found = [TAGS[tag] for tag in tags.split("|") if tag in TAGS]
    return LABELS.index(found[0]) if found else -1
