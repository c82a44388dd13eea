"""Stored frames too many for memory: one file of bytes a shard, mapped when a clip is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from stream_analyzer.analysis.features import SPEC
from stream_analyzer.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from stream_analyzer.types import U8


def shard_name(number: int) -> str:
    """Return the name of the file of one shard: bytes [frames, 128], nothing else."""
    return f"{number:05d}.u8"


class Shards:
    """Frames [n, 128] of numbered files, one after another; a slice within one file is read from disk when touched."""

    def __init__(self, folder: Path, frames: npt.NDArray[np.int64]) -> None:
        """Join the files of ``folder``; the k-th holds ``frames[k]``. Nothing is opened yet."""
        self.folder, self.frames = folder, frames
        self._ends = np.cumsum(frames)

    def __getitem__(self, rows: slice) -> U8:
        """Map ``rows``, which lie in one file. The file is closed with the last reference to them."""
        number = int(np.searchsorted(self._ends, rows.start, side="right"))
        before = int(self._ends[number] - self.frames[number])
        offset, shape = (rows.start - before) * SPEC.n_mels, (rows.stop - rows.start, SPEC.n_mels)
        path = self.folder / shard_name(number)
        try:
            return np.memmap(path, np.uint8, "r", offset=offset, shape=shape)
        except (OSError, ValueError) as error:
            msg = f"can't read {path} ({error}); run training.prepare fma again"
            raise ConfigError(msg) from error

    def __array__(self, dtype: Any = None, *, copy: bool | None = None) -> U8:  # noqa: ANN401 - numpy's signature
        """Read everything into memory."""
        if copy is False:
            msg = "shards can't become one array without a copy"
            raise ValueError(msg)
        files = [np.fromfile(self.folder / shard_name(number), np.uint8) for number in range(len(self.frames))]
        return np.concatenate(files).reshape(-1, SPEC.n_mels).astype(dtype or np.uint8, copy=False)
