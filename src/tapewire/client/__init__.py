"""The front door: subscribe, iterate, stop; the one room that joins concrete parts."""

from tapewire.client.front import WebSocketClient, decode, markets
from tapewire.client.handle import Handle

__all__ = ["Handle", "WebSocketClient", "decode", "markets"]
