"""A line that reads NATS is closed whatever it does at that moment; other members of a group have what comes then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tapewire.sinks.brokers import nats_source
from tapewire.sinks.brokers.nats_source import NatsSource
from tapewire.sinks.brokers.source import Begin, Received
from tests.sinks.brokers.servers import NatsServer, nats_client

pytestmark = pytest.mark.skipif(not NatsServer.is_there(), reason="make servers")
SUBJECT = "md.upbit.kr.trade.KRW-BTC"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as running:
        asyncio.run(made(running))
        yield running


async def made(server: NatsServer) -> None:
    async with nats_client(server.address) as client:
        await client.jetstream().add_stream(name="md", subjects=["md.>"])


async def opened(server: NatsServer) -> NatsSource:
    source = NatsSource(server.address, "md")
    await source.connect()
    return source


async def test_it_ends_while_answers_come(server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """``asyncio.wait_for`` of 3.11 forgets a cancellation that comes together with an answer: one in three here."""
    monkeypatch.setattr(nats_source, "_CHECK", 0.0)
    for number in range(40):
        source = await opened(server)
        client = source._client
        for _ in range(number):
            await turn()
        async with asyncio.timeout(20):
            await source.close()
        assert client is not None
        assert client.is_closed


async def test_who_closes_may_be_cancelled(server: NatsServer) -> None:
    asked = True
    for number in range(2_000):
        source = await opened(server)
        await source.share({SUBJECT: Begin()}, "workers")
        client = source._client
        closing = asyncio.create_task(source.close())
        for _ in range(number):
            await turn()
        asked = closing.cancel()
        await asyncio.wait({closing})
        assert closing.cancelled() == asked, "nobody forgets it"
        assert client is not None
        assert client.is_closed == (number > 0), "what has not begun leaves it"
        await source.close()
        assert client.is_closed
        if not asked:
            break
    assert not asked, "it was cancelled at each step"


async def test_a_server_that_reads_nothing_holds_nobody_up(server: NatsServer) -> None:
    source = await opened(server)
    await source.share({f"{SUBJECT}{number}": Begin() for number in range(1_100)}, "workers")
    client: Any = source._client
    server.pause()
    transport = client._transport._io_writer.transport
    while transport.get_write_buffer_size() < 4_000_000:
        transport.write(b"PING\r\n" * 10_000)
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(30):
        await source.close()
    assert asyncio.get_running_loop().time() - began < 15
    assert client.is_closed
    server.resume()


async def test_what_is_published_after_a_member_left_goes_to_another(server: NatsServer) -> None:
    leaves, stays = await opened(server), await opened(server)
    for one in (leaves, stays):
        await one.share({SUBJECT: Begin()}, "workers")
    async with nats_client(server.address) as publisher:
        js = publisher.jetstream()
        for _ in range(20):
            await leaves.close()
            for text in (b"one", b"two"):
                await js.publish(SUBJECT, text)
            found: list[bytes] = []
            async with asyncio.timeout(20):
                while len(found) < 2:
                    came = [one for one in await stays.receive() if isinstance(one, Received)]
                    await stays.done(came)
                    found += [one.payload for one in came]
            assert found == [b"one", b"two"]
            leaves = await opened(server)
            await leaves.share({SUBJECT: Begin()}, "workers")
            leaves, stays = stays, leaves
    await leaves.close()
    await stays.close()


async def turn() -> None:
    await asyncio.sleep(0)
