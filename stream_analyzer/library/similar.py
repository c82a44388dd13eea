"""Which files of a result sound most like another: by the angle between embeddings. The only user of DuckDB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb

from stream_analyzer.errors import ConfigError
from stream_analyzer.library.places import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEAREST = """
    SELECT path, array_cosine_similarity(embedding::FLOAT[{size}], $wanted::FLOAT[{size}]) AS similarity,
        genre, bpm, key
    FROM read_parquet($files) WHERE len(embedding) = {size} AND path != $path ORDER BY similarity DESC, path LIMIT $most
"""


@dataclass(frozen=True, slots=True)
class Similar:
    """A file of the result: 1 would be the same, 0 nothing in common."""

    path: str
    similarity: float
    genre: str | None
    bpm: float | None
    key: str | None


class Result:
    """A result that was written before, to ask things of."""

    def __init__(self, name: str) -> None:
        """Open the result ``name``. Raises `ConfigError` if there is none."""
        place = Place(name)
        self._files = place.inside("files", "*.parquet")
        if not place.fs.glob(self._files):
            msg = f"{name}: holds no result; make one with: stream-analyzer analyze FOLDER --out {name}"
            raise ConfigError(msg)
        self._database = duckdb.connect()
        if place.elsewhere:
            self._database.register_filesystem(place.fs)
            self._files = place.fs.unstrip_protocol(self._files)

    def embedding(self, path: str) -> list[float] | None:
        """Return the embedding of a file of the result, None if it is not there or has none."""
        query = "SELECT embedding FROM read_parquet($files) WHERE path = $path"
        row = self._database.execute(query, {"files": self._files, "path": path}).fetchone()
        return row[0] if row else None

    def nearest(self, embedding: Sequence[float], *, most: int, path: str = "") -> list[Similar]:
        """Return the ``most`` similar files, the nearest first, without the one at ``path``."""
        values = {"wanted": list(embedding), "files": self._files, "path": path, "most": most}
        found = self._database.execute(_NEAREST.format(size=len(embedding)), values).fetchall()
        return [Similar(*row) for row in found]
