"""The front door: subscribe, iterate, stop; the one room that joins concrete parts."""

from tapewire.client import alerts, metrics
from tapewire.client.front import WebSocketClient, decode, markets
from tapewire.client.handle import Handle
from tapewire.client.probe import Sign, probe
from tapewire.runtime.observe import Statistics

__all__ = ["Handle", "Sign", "Statistics", "WebSocketClient", "alerts", "decode", "markets", "metrics", "probe"]
