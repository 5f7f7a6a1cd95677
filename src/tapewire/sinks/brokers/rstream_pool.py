"""rstream's clients, mended: the last answer of a line is heard, a refused one closed, and no password logged.

rstream 1.1.1 throws away what it read together with the end of a line (a wrong password is then ten seconds of
silence), leaves the socket of a refused login open, and writes logins into its log at DEBUG.
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

    @classmethod
    def in_place_of(cls, pool: ClientPool) -> Pool:
        """The same, with mended clients."""
        mended = cls.__new__(cls)
        mended.__dict__.update(pool.__dict__)
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
        try:
            await client.start()
            await client.authenticate(vhost=self.vhost, username=self.username, password=self.password)
        except BaseException:
            await client.give_up()
            raise
        return client


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

    async def give_up(self) -> None:
        """Close what was refused."""
        line = self._conn
        with contextlib.suppress(Exception):  # it is broken: that is why it is closed
            await self.close()
        if line is not None:
            with contextlib.suppress(Exception):
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
