"""The monitor scripts of 2019 in their own shape: websocket-client, a daemon thread, bound methods as callbacks.

Run by .peers/bin/python: okex_v3_subscription.py URL INSTRUMENT MARKET. Only the address differs from the article's.
Says what happens, one JSON a line; ends at the end of its input.
"""

from __future__ import annotations

import json
import sys
import threading
import zlib
from typing import Any

import websocket


def say(what: str, **facts: object) -> None:
    print(json.dumps({"what": what, **facts}), flush=True)  # noqa: T201 - how it answers


class WSSubscription:
    def __init__(self, url: str, instrument_id: str, market: str, on_message: Any = None) -> None:
        self._url, self._instrument, self._market, self._on_message = url, instrument_id, market, on_message
        self._depth: dict[str, Any] = {}
        self._said: set[str] = set()
        self.app: Any = None
        threading.Thread(target=self.sub, daemon=True).start()

    def sub(self) -> None:
        self.app = websocket.WebSocketApp(
            self._url, on_open=self.subscribe, on_message=self.incoming, on_error=self.error, on_close=self.closing
        )
        self.app.run_forever()
        say("ended")

    def subscribe(self, ws: Any) -> None:
        def run() -> None:
            topics = [f"{self._market}/depth5:{self._instrument}", f"{self._market}/trade:{self._instrument}"]
            ws.send(json.dumps({"op": "subscribe", "args": topics}))
            ws.send("ping")

        threading.Thread(target=run).start()

    def incoming(self, ws: Any, message: Any) -> None:
        message = zlib.decompress(message, -zlib.MAX_WBITS).decode("utf-8")
        if "asks" in message and "bids" in message:
            self._depth = json.loads(message)["data"][0]
        name = "pong" if message == "pong" else json.loads(message).get("table") or json.loads(message)["event"]
        if name not in self._said:
            self._said.add(name)
            say("heard", name=name, message=message)

    def error(self, ws: Any, error: Exception) -> None:
        say("error", text=str(error))

    def closing(self, ws: Any, *_: Any) -> None:  # code and reason come since 1.0
        say("closing")

    def get_depth(self) -> dict[str, Any]:
        return self._depth


def main(url: str, instrument: str, market: str) -> None:
    subscription = WSSubscription(url, instrument, market)
    for _ in sys.stdin:
        depth = subscription.get_depth()
        say("depth", bid=depth["bids"][0][0], ask=depth["asks"][0][0])


if __name__ == "__main__":
    main(*sys.argv[1:])
