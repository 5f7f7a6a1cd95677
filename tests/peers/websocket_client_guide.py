"""websocket-client in the shape of Upbit's own guide: a WebSocketApp in a thread, callbacks, files.

Run by .peers/bin/python: websocket_client_guide.py URL MODE FOLDER PING_INTERVAL PING_TIMEOUT.
MODE idle only connects; stream subscribes order books, then order books and trades, and writes one file per market
and type. Says what happens, one JSON a line; ends at the end of its input or when the connection is lost.
"""

from __future__ import annotations

import json
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import websocket

CODES = ["KRW-BTC", "KRW-ETH"]


def say(what: str, **facts: object) -> None:
    sys.stdout.write(json.dumps({"what": what, **facts}) + "\n")  # at once: several threads tell
    sys.stdout.flush()


class GuideClient(threading.Thread):
    def __init__(self, url: str, folder: str, ping_interval: float, ping_timeout: float) -> None:
        super().__init__(daemon=True)
        self.folder = Path(folder)
        self.pings: dict[str, Any] = {}
        if ping_interval:
            self.pings = {"ping_interval": ping_interval, "ping_timeout": ping_timeout}
        self.written: set[str] = set()
        self.app = websocket.WebSocketApp(
            url, on_open=self.opened, on_message=self.message, on_error=self.error, on_close=self.closed
        )

    def run(self) -> None:
        self.app.run_forever(**self.pings)
        say("ended")

    def opened(self, app: websocket.WebSocketApp) -> None:
        say("opened")

    def closed(self, app: websocket.WebSocketApp, code: int | None, reason: str | None) -> None:
        say("closed", code=code, reason=reason)

    def error(self, app: websocket.WebSocketApp, error: Exception) -> None:
        say("error", kind=type(error).__name__, text=str(error))

    def message(self, app: websocket.WebSocketApp, data: bytes | str) -> None:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        event = json.loads(text)
        name = f"{event['code']}_{event['type']}.jsonl" if "code" in event and "type" in event else "misc.jsonl"
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(event, ensure_ascii=False) + "\n")
        if name not in self.written:
            self.written.add(name)
            say("file", name=name, binary=isinstance(data, bytes))

    def subscribe(self, *types: str) -> None:
        wanted = [{"type": type_, "codes": CODES} for type_ in types]
        self.app.send(json.dumps([{"ticket": str(uuid.uuid4())}, *wanted]))


def main(url: str, mode: str, folder: str, ping_interval: str, ping_timeout: str) -> None:
    client = GuideClient(url, folder, float(ping_interval), float(ping_timeout))
    client.start()
    for line in sys.stdin:
        if line.strip() == "subscribe" and mode == "stream":
            client.subscribe("orderbook")
        elif line.strip() == "more":
            client.subscribe("orderbook", "trade")
        elif line.strip() == "end":
            break
    client.app.close()
    client.join(timeout=3)
    say("left", alive=client.is_alive())


main(*sys.argv[1:])
