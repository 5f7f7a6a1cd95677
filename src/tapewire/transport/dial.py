"""Opens the TCP connection of a line: name, addresses of both families, and what was being done when it failed."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from aiohappyeyeballs import start_connection

_NEXT_ADDRESS_AFTER = 0.25  # seconds until the next address is tried beside this one (RFC 8305)


class Dial:
    """One attempt's TCP connection, kept so that a given-up attempt can be ended whoever owns the socket by then.

    ``local_address``: of this host, from which to connect; None: the system chooses.
    """

    __slots__ = ("_local_address", "_socket", "stage")

    def __init__(self, local_address: str | None = None) -> None:
        self._local_address = local_address
        self._socket: socket.socket | None = None
        self.stage = "dialling"  # what is being done, for people

    async def connect(self, host: str, port: int) -> socket.socket:
        """A connected, non-blocking socket. Raises ``OSError`` (``socket.gaierror`` when there is no such name)."""
        loop = asyncio.get_running_loop()
        self.stage = f"looking up {host}"
        addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        own = None
        self.stage = f"connecting to {host}:{port}"
        if self._local_address is not None:
            self.stage += f" from {self._local_address}"
            own = await loop.getaddrinfo(self._local_address, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        self._socket = await start_connection(addresses, local_addr_infos=own, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER)
        self.stage = f"the handshake with {host}:{port}"
        return self._socket

    def hang_up(self) -> None:
        """End the connection: whoever reads it sees its end and closes it. Does nothing when there is none."""
        if self._socket is not None:
            with contextlib.suppress(OSError):  # closed by its transport, which is what is wanted
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket = None
