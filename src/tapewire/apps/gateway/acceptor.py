"""Takes in what connects to a port: one in each turn of the loop, so that who is served does not wait for a crowd."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)

#: Seconds until the next is tried when the system gives no more connections.
_PAUSE = 1.0


class Acceptor:
    """Takes in connections until it is closed.

    Args:
        listeners: that wait for them; closed with it.
        is_full: with so many that are being taken in, there are as many as may be: whoever comes is cut at once.
        connect: makes a connection of a socket, which is its own from then on; raises OSError if that is none.
    """

    def __init__(
        self,
        listeners: list[socket.socket],
        is_full: Callable[[int], bool],
        connect: Callable[[socket.socket], Awaitable[object]],
    ) -> None:
        self._listeners, self._is_full, self._connect = listeners, is_full, connect
        self._listening = [asyncio.create_task(self._accept(one)) for one in listeners]
        self._arriving: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Take in no more; who was being taken in is cut."""
        ending = [*self._listening, *self._arriving]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        for one in self._listeners:
            one.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop, well = asyncio.get_running_loop(), True
        while True:
            try:
                newcomer, _ = await loop.sock_accept(listener)
            except ConnectionError:
                pass  # it has gone already
            except OSError as error:  # no more files, no more memory
                if well:
                    _log.warning("gateway: no connection can be taken in: %s; next try in %g s", error.strerror, _PAUSE)
                well = False
                await asyncio.sleep(_PAUSE)
            else:
                well = True
                self._take(newcomer)
            await asyncio.sleep(0)

    def _take(self, newcomer: socket.socket) -> None:
        if self._is_full(len(self._arriving)):
            newcomer.close()
            return
        newcomer.setblocking(False)
        task = asyncio.create_task(self._connected(newcomer))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def _connected(self, newcomer: socket.socket) -> None:
        try:
            await self._connect(newcomer)
        except OSError as error:  # what it speaks is no TLS, or comes too slowly
            _log.debug("a connection was not made: %s", error)
