"""The front door for programs without asyncio: the same client on a daemon thread of its own."""

from tapewire.blocking.front import WebSocketClient
from tapewire.blocking.handle import Handle
from tapewire.blocking.iterator import EventIterator

__all__ = ["EventIterator", "Handle", "WebSocketClient"]
