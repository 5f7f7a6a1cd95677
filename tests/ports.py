"""Ports for the servers that tests start."""

from __future__ import annotations

import secrets
import socket
from contextlib import closing

#: Below those that the system gives to whoever dials (32,768 to 60,999): between the question and the server's start
#: one of the many lines of other tests might take it.
_FIRST, _COUNT = 20_000, 12_000


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    for _ in range(1_000):
        port = _FIRST + secrets.randbelow(_COUNT)
        with closing(socket.socket()) as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
