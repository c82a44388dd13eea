"""Subscribe to an analyzer: typed events for asyncio and blocking programs. Needs websockets alone."""

from stream_analyzer.client.following import Gap, Lost, Received
from stream_analyzer.client.subscriber import Patience, subscribe, subscribe_blocking

__all__ = ["Gap", "Lost", "Patience", "Received", "subscribe", "subscribe_blocking"]
