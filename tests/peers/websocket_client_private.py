"""websocket-client and PyJWT in the shape of Upbit's own guide: one class, its public and its private use side by side.

Run by .peers/bin/python: websocket_client_private.py URL PRIVATE_URL ACCESS SECRET ALGORITHM. Without a secret (``-``)
the private connection is tried without a token, as the guide's class does. Says what happens, one JSON a line; at the
end of its input both connections are closed and their threads joined.
"""

from __future__ import annotations

import json
import sys
import threading
import uuid
from typing import Any

import jwt
import websocket


def say(what: str, **facts: object) -> None:
    sys.stdout.write(json.dumps({"what": what, **facts}) + "\n")  # at once: several threads tell
    sys.stdout.flush()


class GuideClient(threading.Thread):
    def __init__(
        self,
        name: str,
        url: str,
        kind: str,
        *,
        algorithm: str = "HS512",
        access_key: Any = None,
        secret_key: Any = None,
    ) -> None:
        super().__init__(daemon=True)
        self.label, self.wanted = name, {"type": kind, "codes": ["KRW-BTC"]}
        header = []
        if access_key and secret_key:
            payload = {"access_key": access_key, "nonce": str(uuid.uuid4())}
            token: Any = jwt.encode(payload, secret_key, algorithm=algorithm)
            token = token if isinstance(token, str) else token.decode("utf-8")  # older PyJWT gave bytes
            header = [f"Authorization: Bearer {token}"]
        self.app = websocket.WebSocketApp(
            url, header=header, on_open=self.opened, on_message=self.message, on_error=self.error, on_close=self.closed
        )

    def run(self) -> None:
        # its select sleeps for ping_timeout: after close() the thread lives so much longer
        self.app.run_forever(ping_interval=3, ping_timeout=1, suppress_origin=True)

    def opened(self, app: websocket.WebSocketApp) -> None:
        app.send(json.dumps([{"ticket": str(uuid.uuid4())}, self.wanted, {"format": "DEFAULT"}]))
        say("opened", client=self.label)

    def message(self, app: websocket.WebSocketApp, data: bytes) -> None:
        say("event", client=self.label, fields=json.loads(data.decode("utf-8")))

    def error(self, app: websocket.WebSocketApp, error: Exception) -> None:
        status = getattr(error, "status_code", None)
        body = getattr(error, "resp_body", None) or b"{}"
        say("error", client=self.label, status=status, body=json.loads(body))

    def closed(self, app: websocket.WebSocketApp, code: int | None, reason: str | None) -> None:
        say("closed", client=self.label, code=code)


def main(url: str, private_url: str, access_key: str, secret_key: str, algorithm: str) -> None:
    secret = None if secret_key == "-" else secret_key
    clients = [
        GuideClient("public", url, "ticker"),
        GuideClient("private", private_url, "myOrder", algorithm=algorithm, access_key=access_key, secret_key=secret),
    ]
    for client in clients:
        client.start()
    sys.stdin.read()
    for client in clients:
        client.app.close()
        client.join(timeout=3)
    say("left", alive=[client.is_alive() for client in clients])


main(*sys.argv[1:])
