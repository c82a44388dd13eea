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

# Sub-genres a DJ asks for, their genre, and FMA-small's tags that mean them; each has 50 tracks or more to learn from.
SUB_GENRES = {
    "House": ("Electronic", ("House",)),
    "Techno": ("Electronic", ("Techno",)),
    "Drum & Bass": ("Electronic", ("Drum & Bass", "Jungle")),
    "Dubstep": ("Electronic", ("Dubstep",)),
    "Dance": ("Electronic", ("Dance",)),
    "Ambient Electronic": ("Electronic", ("Ambient Electronic",)),
    "Chill-out": ("Electronic", ("Chill-out", "Downtempo")),
    "Trip-Hop": ("Electronic", ("Trip-Hop",)),
    "Chiptune": ("Electronic", ("Chiptune", "Chip Music")),
    "Synth Pop": ("Pop", ("Synth Pop",)),
    "Experimental Pop": ("Pop", ("Experimental Pop",)),
    "Rap": ("Hip-Hop", ("Rap",)),
    "Hip-Hop Beats": ("Hip-Hop", ("Hip-Hop Beats",)),
    "Alternative Hip-Hop": ("Hip-Hop", ("Alternative Hip-Hop",)),
    "Dub": ("Reggae", ("Reggae - Dub",)),
    "Punk": ("Rock", ("Punk", "Hardcore")),
    "Indie-Rock": ("Rock", ("Indie-Rock",)),
    "Garage": ("Rock", ("Garage",)),
    "Post-Rock": ("Rock", ("Post-Rock",)),
    "Post-Punk": ("Rock", ("Post-Punk", "New Wave")),
    "Psych-Rock": ("Rock", ("Psych-Rock", "Space-Rock")),
    "Surf": ("Rock", ("Surf",)),
    "Singer-Songwriter": ("Folk", ("Singer-Songwriter",)),
    "Psych-Folk": ("Folk", ("Psych-Folk", "Freak-Folk")),
    "Ambient": ("Instrumental", ("Ambient",)),
    "Soundtrack": ("Instrumental", ("Soundtrack",)),
    "Noise": ("Experimental", ("Noise",)),
    "Drone": ("Experimental", ("Drone",)),
    "Balkan": ("International", ("Balkan",)),
    "Latin America": ("International", ("Latin America", "Cumbia", "Latin")),
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


def sub_genre_flags(tags: str) -> F32:
    """Return float32 [sub-genres]: 1 for those that one of ``tags`` ("Rock|Punk") means."""
    found = {tag.strip() for tag in tags.split("|")}
    return np.array([not found.isdisjoint(means) for _, means in SUB_GENRES.values()], np.float32)
