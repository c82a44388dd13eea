"""The analyzer's name in MQTT topics: the one that is set, or the host's when it first started, kept from then on.

A container is another host each time it is made anew; without a name that is kept, Home Assistant would see another
device each time, and the one before stay offline for ever.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from stream_analyzer.errors import ConfigError
from stream_analyzer.serving.mqtt.sink import host_node
from stream_analyzer.settings import readers
from stream_analyzer.settings.config import state_folder

if TYPE_CHECKING:
    from pathlib import Path

    from stream_analyzer.settings.config import Settings

logger = logging.getLogger(__name__)


def node(settings: Settings) -> str:
    """Return the name; where none can be kept, that of the host."""
    try:
        return settings.node or kept_node(state_folder() / "node")
    except (ConfigError, OSError, ValueError) as error:
        logger.info("the node's name is not kept (%s); set --node where hosts come and go", error)
        return host_node()


def kept_node(path: Path) -> str:
    """Read the name in a file, or write that of the host into it; raise `OSError` or `ValueError` if neither works."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with path.open("x") as file:
            file.write(host_node())
    except FileExistsError:
        pass  # from the start before
    return readers.node(path.read_text().strip())
