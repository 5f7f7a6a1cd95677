"""rstream's clients, mended: the last answer of a line is heard, a refused one closed, and no password logged.

rstream 1.1.1 throws away what it read together with the end of a line (a wrong password is then ten seconds of
silence), leaves the socket of a refused login open, and that of a lost line, which it forgets, and writes logins into
its log at DEBUG.
"""

from __future__ import annotations

import contextlib
from typing import Any

from rstream import schema
from rstream.client import Client, ClientPool
from rstream.connection import Connection, ConnectionClosed

_CHUNK = 64 * 1024


class Pool(ClientPool):
    """Takes the place of a producer's pool, with what that was made of."""

    _made: list[_Client]

    @classmethod
    def in_place_of(cls, pool: ClientPool) -> Pool:
        """The same, with mended clients."""
        mended = cls.__new__(cls)
        mended.__dict__.update(pool.__dict__, _made=[])
        return mended

    async def new(self, connection_name: Any, addr: Any, *given: Any, **more: Any) -> Client:
        """See ``ClientPool.new``."""
        if given:
            raise TypeError("rstream calls ClientPool.new otherwise than version 1.1 did")
        more["sasl_configuration_mechanism"] = (
            more.get("sasl_configuration_mechanism") or self._sasl_configuration_mechanism
        )
        client = _Client(
            host=addr[0], port=addr[1], ssl_context=self.ssl_context, frame_max=self._frame_max,
            heartbeat=self._heartbeat, connection_name=connection_name, **more,
        )  # fmt: skip
        self._made = [one for one in self._made if one.is_open()]
        self._made.append(client)
        try:
            await client.start()
            await client.authenticate(vhost=self.vhost, username=self.username, password=self.password)
        except BaseException:
            await client.hang_up()
            raise
        return client

    async def hang_up(self) -> None:
        """End every line, also those that are broken: ``close`` takes 0.2 s for each, and leaves such open."""
        made, self._made = self._made, []
        self._clients.clear()
        for client in made:
            await client.hang_up()


class _Client(Client):
    async def start(self) -> None:
        await super().start()
        assert self._conn is not None  # noqa: S101 - ``start`` made it
        self._conn.__class__ = _Connection  # whose reading task has not had its first turn yet

    async def send_frame(self, frame: schema.Frame, version: int = 1) -> None:
        if isinstance(frame, schema.SaslAuthenticate):
            assert self._conn is not None  # noqa: S101 - nothing is sent before ``start``
            await self._conn.write_frame(frame, version)
        else:
            await super().send_frame(frame, version)

    def is_open(self) -> bool:
        """Whether its socket is."""
        writer = None if self._conn is None else self._conn._writer  # noqa: SLF001 - there is no other way to it
        return writer is not None and not writer.is_closing()

    async def hang_up(self) -> None:
        """Without a word to the server. Its socket is closed at once: whoever waits for the rest may be cut off."""
        line, self._is_not_closed = self._conn, False
        if line is not None and self.is_open():
            line._writer.close()  # type: ignore[union-attr]  # noqa: SLF001 - as above
        with contextlib.suppress(Exception):  # it may be broken: that is why it is closed
            for name in tuple(self._tasks):
                await self.stop_task(name)
            if line is not None:
                await line.close()


class _Connection(Connection):
    async def _read(self, n: int) -> bytearray:
        assert self._reader is not None  # noqa: S101 - nothing is read before ``open``
        while len(self._buffer) < n:
            more = await self._reader.read(_CHUNK)
            if not more:
                raise ConnectionClosed
            self._buffer += more
        data = self._buffer[:n]
        del self._buffer[:n]
        return data
