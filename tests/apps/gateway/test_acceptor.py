"""Taking in connections: one a turn, none beyond what there is room for, and no files left (real sockets)."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tapewire.apps.gateway.acceptor import Acceptor
from tests.apps.gateway.stage import PATIENCE, served
from tests.open_files import files_allowed, first_unused_file


@contextmanager
def waiting(count: int) -> Iterator[tuple[socket.socket, list[socket.socket]]]:
    """A listener, and so many that have connected and were not taken in yet."""
    with socket.create_server(("127.0.0.1", 0), backlog=count) as listener:
        listener.setblocking(False)
        peers = [socket.create_connection(listener.getsockname()) for _ in range(count)]
        try:
            yield listener, peers
        finally:
            for one in peers:
                one.close()


class Reception:
    """Keeps what was taken in."""

    def __init__(self, expected: int) -> None:
        self.sockets: list[socket.socket] = []
        self.complete = asyncio.Event()
        self._expected = expected

    async def connect(self, newcomer: socket.socket) -> None:
        self.sockets.append(newcomer)
        if len(self.sockets) == self._expected:
            self.complete.set()

    def is_full(self, arriving: int) -> bool:
        return self.complete.is_set()


async def test_a_crowd_is_taken_in_one_a_turn() -> None:
    with waiting(50) as (listener, _):
        reception = Reception(50)
        acceptor = Acceptor([listener], reception.is_full, reception.connect)
        seen = []
        async with asyncio.timeout(PATIENCE):
            while not reception.complete.is_set():
                await asyncio.sleep(0)
                seen.append(len(reception.sockets))
        await acceptor.close()
    assert seen[-1] == 50
    assert max(later - sooner for sooner, later in zip([0, *seen], seen, strict=False)) == 1
    for one in reception.sockets:
        one.close()


async def test_whoever_comes_when_it_is_full_is_cut_at_once() -> None:
    with waiting(3) as (listener, peers):
        reception = Reception(2)
        acceptor = Acceptor([listener], reception.is_full, reception.connect)
        peers[2].setblocking(False)
        async with asyncio.timeout(PATIENCE):
            assert await asyncio.get_running_loop().sock_recv(peers[2], 1) == b""
        await acceptor.close()
    assert len(reception.sockets) == 2
    for one in reception.sockets:
        one.close()


async def test_without_files_it_waits_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """Each accept fails then: to try again at once would take a whole core, and a line of the log each time."""
    with waiting(2) as (listener, _), caplog.at_level(logging.WARNING, "tapewire"):
        reception = Reception(2)
        acceptor = Acceptor([listener], reception.is_full, reception.connect)
        with files_allowed(first_unused_file()):
            for _ in range(100):
                await asyncio.sleep(0)
            assert reception.sockets == []
        async with asyncio.timeout(PATIENCE):
            await reception.complete.wait()
        await acceptor.close()
    said = "gateway: no connection can be taken in: Too many open files; next try in 1 s"
    assert [one.getMessage() for one in caplog.records] == [said]
    for one in reception.sockets:
        one.close()


async def test_a_closed_one_listens_no_more() -> None:
    with waiting(0) as (listener, _):
        place = listener.getsockname()
        reception = Reception(1)
        acceptor = Acceptor([listener], reception.is_full, reception.connect)
        await asyncio.sleep(0)
        await acceptor.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(place)


async def test_connections_that_are_no_clients_have_their_bound() -> None:
    """Five for each client: the newest is cut, and finds room when another has gone."""
    async with served({"most_clients": 1}) as stage:
        host, _, port = stage.gateway.url.removeprefix("http://").rpartition(":")
        crowd = [await asyncio.open_connection(host, int(port)) for _ in range(6)]
        async with asyncio.timeout(PATIENCE):
            assert await crowd[5][0].read() == b""
            assert stage.gateway.figures["refused"] == 1
            crowd[0][1].close()
            status = 0
            while status != 200:
                try:
                    status, _ = await stage.get("/v1/venues")
                except OSError:
                    continue
        for _, writer in crowd:
            writer.close()


async def test_files_for_fewer_connections_than_clients_are_told(caplog: pytest.LogCaptureFixture) -> None:
    with files_allowed(400), caplog.at_level(logging.WARNING, "tapewire"):
        async with served({"most_clients": 500}):
            pass
    said = "gateway: 400 open files allow 300 connections, not 500 clients: raise them (ulimit -n 1064)"
    assert [one.getMessage() for one in caplog.records] == [said]
