"""Subscribe to an analyzer: typed events for asyncio and blocking programs, and their clock. Needs websockets alone."""

from stream_analyzer.client.following import Gap, Lost, Received
from stream_analyzer.client.subscriber import Patience, subscribe, subscribe_blocking
from stream_analyzer.protocol.clock import SampleClock

__all__ = ["Gap", "Lost", "Patience", "Received", "SampleClock", "subscribe", "subscribe_blocking"]
