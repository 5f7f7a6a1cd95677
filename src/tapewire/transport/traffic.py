"""How many bytes a connection has carried: asked of the kernel when somebody wants to know, at no cost for messages."""

from __future__ import annotations

import socket
import struct
from typing import Protocol

from msgspec import Struct

_TCP_INFO = getattr(socket, "TCP_INFO", None)
#: Where struct tcp_info (linux/tcp.h) has its state (u8) and bytes_received, bytes_sent, bytes_retrans (u64 each).
_STATE, _RECEIVED, _SENT, _RETRANS, _SIZE = 0, 128, 200, 208, 216
#: States in which the far end's FIN was counted as one byte received: TIME_WAIT, CLOSE_WAIT, LAST_ACK, CLOSING.
_FIN_COUNTED = frozenset({6, 8, 9, 11})


class Traffic(Struct, frozen=True):
    """Bytes of one TCP connection so far: handshake, frames with their headers; over TLS what went over the wire."""

    received: int = 0
    sent: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(self.received + other.received, self.sent + other.sent)


class Socket(Protocol):
    """What is asked of a socket."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...


def traffic_of(sock: Socket | None) -> Traffic | None:
    """Exact counts of the kernel (Linux 4.19 or later); None: it does not say, or there is no TCP socket."""
    if sock is None or _TCP_INFO is None:
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _SIZE)
    except OSError:  # closed, or no TCP
        return None
    if len(info) < _SIZE:
        return None
    received, sent, again = (struct.unpack_from("=Q", info, offset)[0] for offset in (_RECEIVED, _SENT, _RETRANS))
    return Traffic(received - (info[_STATE] in _FIN_COUNTED), sent - again)
