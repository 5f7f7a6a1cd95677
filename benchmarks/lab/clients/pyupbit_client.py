"""pyupbit: ``WebSocketManager`` and its blocking ``get``; only the address that its ``connect`` is given is another."""

from importlib.metadata import version

import pyupbit
import pyupbit.websocket_api
import telling
import websockets


class Redirected:
    """The websockets library with every address replaced by the lab's."""

    ConnectionClosed = websockets.ConnectionClosed

    @staticmethod
    def connect(_uri, **options):
        return websockets.connect(f"ws://127.0.0.1:{telling.port()}/websocket/v1", **options)


pyupbit.websocket_api.websockets = Redirected


def hear(message):
    if isinstance(message, dict) and message.get("type") == "trade" and "sequential_id" in message:
        telling.data(message["sequential_id"])
    else:
        telling.foreign(repr(message) if isinstance(message, str) else message)


if __name__ == "__main__":
    telling.hello(f"pyupbit {version('pyupbit')}")
    manager = pyupbit.WebSocketManager("trade", ["KRW-BTC"])
    while True:
        hear(manager.get())
