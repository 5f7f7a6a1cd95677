"""The simulator over real sockets: handshakes, deflate, REST, and faults that only a socket can have."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET, create_connection
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType

from tapewire.config import Credentials, Secret
from tapewire.errors import UsageError
from tapewire.sim import sockets
from tapewire.sim.link import Unreachable
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.venues.upbit.auth import authorize, rest_authorize
from tests.transport.certificates import Authority

BOOKS = '[{"ticket":"t"},{"type":"orderbook","codes":["KRW-BTC"]},{"type":"ticker","codes":["KRW-BTC"]}]'
PATIENCE = 10.0


@contextlib.asynccontextmanager
async def playing(**options: Any) -> AsyncIterator[tuple[Simulator, aiohttp.ClientSession]]:
    options = {"markets": ("KRW-BTC",), **options}
    async with Simulator(Scenario(**options)) as simulator, aiohttp.ClientSession() as session:
        yield simulator, session


async def received(socket: aiohttp.ClientWebSocketResponse) -> aiohttp.WSMessage:
    async with asyncio.timeout(PATIENCE):
        return await socket.receive()


async def the_end(socket: aiohttp.ClientWebSocketResponse) -> aiohttp.WSMessage:
    while True:
        message = await received(socket)
        if message.type is not WSMsgType.BINARY:
            return message


async def test_it_speaks_tls_with_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trusting = authority.trusting()
    simulator = Simulator(Scenario(venue="okx", markets=("BTC-USDT",)))
    await simulator.start(ssl_context=authority.server("okx"))
    try:
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{simulator.rest_url}/api/v5/public/time", ssl=trusting) as answer:
                assert (await answer.json())["code"] == "0"
            async with session.ws_connect(simulator.urls["public"], ssl=trusting) as socket:
                await socket.send_str("ping")
                assert (await received(socket)).data == "pong"
                simulator.abort()
                assert (await received(socket)).type is WSMsgType.CLOSED
    finally:
        await simulator.stop()


async def raw(simulator: Simulator, *headers: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """A bare client: the bytes as they come."""
    host, port = simulator.rest_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [
        "GET /websocket/v1 HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", *headers,
    ]  # fmt: skip
    writer.write("\r\n".join([*lines, "", ""]).encode())
    async with asyncio.timeout(PATIENCE):
        head = await reader.readuntil(b"\r\n\r\n")
    return reader, writer, head


def masked(opcode: int, payload: bytes) -> bytes:
    return bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload


async def until_lost(simulator: Simulator) -> None:
    async with asyncio.timeout(PATIENCE):
        while simulator.connected:  # noqa: ASYNC110 - one turn of the loop at a time
            await asyncio.sleep(0)


@pytest.mark.parametrize("compress", [0, 15])
async def test_binary_frames_with_and_without_deflate(compress: int) -> None:
    async with (
        playing(rate=200.0) as (simulator, session),
        session.ws_connect(simulator.url, compress=compress) as socket,
    ):
        assert bool(socket.compress) == bool(compress)
        await socket.send_str(BOOKS)
        kinds = set()
        for _ in range(30):
            message = await received(socket)
            assert message.type is WSMsgType.BINARY
            kinds.add((json.loads(message.data)["type"], json.loads(message.data)["stream_type"]))
        assert {("orderbook", "SNAPSHOT"), ("orderbook", "REALTIME"), ("ticker", "SNAPSHOT")} <= kinds
        await socket.send_bytes(b"PING")
        async with asyncio.timeout(PATIENCE):
            while (await socket.receive()).data != b'{"status":"UP"}':
                pass
        await socket.ping(b"x")
        await socket.pong(b"unasked")


async def test_deflate_without_memory_of_earlier_frames() -> None:
    async with playing() as (simulator, _):
        offer = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover"
        reader, writer, head = await raw(simulator, offer)
        assert b"server_no_context_takeover" in head
        frames = []
        for _ in range(2):
            writer.write(masked(1, b"PING"))
            first, size = await reader.readexactly(2)
            assert first == 0xC2
            frames.append(await reader.readexactly(size))
        assert frames[0] == frames[1]
        writer.close()


async def test_deflate_can_be_kept_away() -> None:
    offer = 15
    async with (
        playing(compression=False) as (simulator, session),
        session.ws_connect(simulator.url, compress=offer) as socket,
    ):
        assert socket.compress == 0


async def test_text_frames_and_long_ones() -> None:
    async with playing(switches={"text_frames": True, "list_size": 500}, markets=300) as (simulator, session):
        codes = list(simulator.exchange.market.symbols)
        wanted = [{"ticket": "t"}, {"type": "orderbook", "codes": codes}, {"format": "JSON_LIST"}]
        async with session.ws_connect(simulator.url, max_msg_size=0) as socket:
            await socket.send_json(wanted)
            message = await received(socket)
            assert message.type is WSMsgType.TEXT
            assert len(message.data) > 65_536
            assert len(json.loads(message.data)) == 300


async def test_a_close_by_the_exchange_is_answered_and_done() -> None:
    async with playing() as (simulator, session), session.ws_connect(simulator.url) as socket:
        simulator.drop(1001, "maintenance")
        message = await received(socket)
        assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 1001, "maintenance")
        assert simulator.connected == 0


async def test_a_client_that_does_not_answer_a_close_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_GOODBYE", 0.02)
    async with playing() as (simulator, _):
        reader, writer, _head = await raw(simulator)
        simulator.drop(1000)
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == b"\x88\x02\x03\xe8"
        writer.close()


@pytest.mark.parametrize(("sent", "answer"), [(b"\x03\xe8", b"\x88\x02\x03\xe8"), (b"", b"\x88\x00")])
async def test_a_close_by_the_client_is_answered_once(sent: bytes, answer: bytes) -> None:
    async with playing() as (simulator, _):
        reader, writer, _head = await raw(simulator)
        writer.write(masked(8, sent))
        async with asyncio.timeout(PATIENCE):
            assert await reader.read() == answer
        await until_lost(simulator)
        writer.close()


async def test_a_reset_is_a_reset() -> None:
    async with playing() as (simulator, _):
        reader, writer, _head = await raw(simulator)
        simulator.abort()
        with pytest.raises(ConnectionResetError):
            async with asyncio.timeout(PATIENCE):
                await reader.read()
        writer.close()


async def test_half_a_frame_is_sent_before_the_connection_breaks() -> None:
    async with playing() as (simulator, _):
        reader, writer, _head = await raw(simulator)
        simulator.cut()
        async with asyncio.timeout(PATIENCE):
            rest = await reader.read()
        assert rest[0] == 0x82
        assert 2 < len(rest) < rest[1] + 2
        writer.close()


async def test_half_open_answers_nothing_and_closes_nothing() -> None:
    async with playing() as (simulator, _):
        reader, writer, _head = await raw(simulator)
        simulator.freeze()
        simulator.drop()
        simulator.abort()
        writer.write(masked(9, b"ping"))
        reading = asyncio.create_task(reader.read(1))
        for _ in range(100):  # turns of the loop that both ends run on: what were under way would arrive
            await asyncio.sleep(0)
        assert not reading.done()
        reading.cancel()
        writer.close()


async def test_a_ping_is_a_frame_and_its_pong_is_noted() -> None:
    async with playing() as (simulator, _):
        reader, writer, _head = await raw(simulator)
        simulator.ping()
        async with asyncio.timeout(PATIENCE):
            assert await reader.readexactly(3) == b"\x89\x011"
            assert [ping.answered for ping in simulator.pings] == [None]
            writer.write(masked(10, b"1"))
            while simulator.pings[0].answered is None:  # noqa: ASYNC110 - one turn of the loop at a time
                await asyncio.sleep(0)
        assert (simulator.connected, simulator.violations) == (1, [])
        writer.close()


async def test_who_does_not_answer_a_ping_is_cut() -> None:
    async with playing() as (simulator, _):
        reader, writer, _head = await raw(simulator)
        simulator.ping(within=0.05)
        async with asyncio.timeout(PATIENCE):
            assert await reader.readexactly(3) == b"\x89\x011"
        with pytest.raises(ConnectionResetError):
            async with asyncio.timeout(PATIENCE):
                await reader.read()
        assert (simulator.connected, [row.what for row in simulator.violations]) == (0, ["pong"])
        writer.close()


async def test_a_lost_client_is_forgotten() -> None:
    async with playing() as (simulator, _):
        _reader, writer, _head = await raw(simulator)
        assert simulator.connected == 1
        writer.transport.abort()
        await until_lost(simulator)


async def test_a_client_that_reads_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_BACKLOG", 1_000_000)
    async with playing() as (simulator, _):
        _reader, writer, _head = await raw(simulator)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        async with asyncio.timeout(PATIENCE):
            while simulator.connected:
                simulator.inject(b"x" * 1_000_000)
                await asyncio.sleep(0)
        writer.close()


async def test_messages_beyond_64_kib_end_the_connection() -> None:
    async with playing() as (simulator, session), session.ws_connect(simulator.url) as socket:
        await socket.send_bytes(b" " * 70_000)
        assert (await the_end(socket)).type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR)
        await until_lost(simulator)


async def test_refused_handshakes() -> None:
    async with playing(faults=("refuse:503:retry=3",)) as (simulator, session):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(simulator.url)
        assert refused.value.status == 503
        assert refused.value.headers is not None
        assert refused.value.headers["Retry-After"] == "3"
        simulator.refuse(403, (("X-Why", "region"),), b"no")
        with pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
            await session.ws_connect(simulator.url)
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await session.ws_connect(f"{simulator.url}/private")
        async with session.ws_connect(simulator.url):
            assert simulator.connected == 1


async def test_rest_on_the_same_port() -> None:
    async with playing() as (simulator, session):
        async with session.get(f"{simulator.rest_url}/v1/ticker", params={"markets": "KRW-BTC"}) as answer:
            assert answer.status == 200
            assert answer.headers["Remaining-Req"] == "group=ticker; min=600; sec=9"
            assert (await answer.json())[0]["market"] == "KRW-BTC"
        async with session.get(f"{simulator.rest_url}/websocket/v1") as answer:
            assert answer.status == 404
        async with session.post(f"{simulator.rest_url}/v1/ticker") as answer:
            assert answer.status == 405


async def test_down_for_maintenance_the_port_is_closed() -> None:
    async with playing() as (simulator, session):
        socket = await session.ws_connect(simulator.url)
        simulator.maintenance(1000.0)
        simulator.maintenance(1000.0)
        await the_end(socket)
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.ws_connect(simulator.url)


async def test_after_maintenance_the_port_is_open_again() -> None:
    async with playing(speed=20.0) as (simulator, session):
        socket = await session.ws_connect(simulator.url)
        over = simulator.now + 4.0
        simulator.maintenance(4.0)
        await the_end(socket)
        async with asyncio.timeout(PATIENCE):
            while simulator.connected == 0:
                with contextlib.suppress(aiohttp.ClientConnectorError):
                    socket = await session.ws_connect(simulator.url)
        assert simulator.now >= over
        await socket.close()


async def test_a_call_that_was_on_its_way_when_it_went_down_is_cut() -> None:
    async with playing() as (simulator, session):
        await (await session.get(f"{simulator.rest_url}/v1/market/all")).read()  # keeps the connection
        simulator.exchange.maintain(simulator.now, 60.0, Unreachable())
        with pytest.raises(aiohttp.ClientError):
            await session.get(f"{simulator.rest_url}/v1/market/all")
        simulator.wake()  # and stopping while away is no trouble


async def test_no_exceptions_text_reaches_strangers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the secret reason")

    async with playing() as (simulator, session):
        monkeypatch.setattr(simulator.exchange, "http", broken)
        with caplog.at_level(logging.ERROR):
            async with session.get(f"{simulator.rest_url}/v1/market/all") as answer:
                assert (answer.status, await answer.read()) == (500, b"Internal Server Error")
    assert "the secret reason" in caplog.text


async def test_ports_are_kept_apart_and_a_taken_one_is_told() -> None:
    async with playing() as (simulator, _):
        port = int(simulator.rest_url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="address already in use"):
            await Simulator().start(port=port)
        with pytest.raises(UsageError, match="listens already"):
            await simulator.start()


async def test_an_ipv6_address_is_shown_in_brackets() -> None:
    simulator = Simulator()
    await simulator.start(host="::1")
    assert simulator.url.startswith("ws://[::1]:")
    await simulator.stop()


async def test_signed_calls_over_sockets() -> None:
    async with playing() as (simulator, session):
        key = simulator.keys[0]
        own = Credentials(Secret(key.access_key), key.secret_key)
        body = {"market": "KRW-BTC", "side": "bid", "ord_type": "limit", "price": "80000000", "volume": "0.001"}
        url, head = f"{simulator.rest_url}/v1/orders", dict(rest_authorize(own, "1", body))
        async with session.post(url, json=body, headers=head) as answer:
            placed = await answer.json()
            assert (answer.status, placed["state"]) == (201, "wait")
            assert answer.headers["Remaining-Req"] == "group=order; min=720; sec=11"
        url, head = f"{simulator.rest_url}/v1/order", dict(rest_authorize(own, "2", {"uuid": placed["uuid"]}))
        async with session.delete(url, params={"uuid": placed["uuid"]}, headers=head) as answer:
            assert answer.status == 200
        async with session.get(url, params={"uuid": placed["uuid"]}, headers=head) as answer:
            assert (answer.status, (await answer.json())["error"]["name"]) == (401, "nonce_used")
        async with session.get(f"{simulator.rest_url}/v1/accounts") as answer:
            assert (answer.status, (await answer.json())["error"]["name"]) == (401, "no_authorization_token")
        assert [order.state for order in simulator.orders()] == ["cancel"]


async def test_signed_sides_over_sockets() -> None:
    async with playing(markets=("KRW-BTC", "KRW-ETH")) as (simulator, session):
        suffixes = {"public": "", "private": "/private", "info": "/info"}
        assert simulator.urls == {side: simulator.url + suffix for side, suffix in suffixes.items()}
        key = simulator.keys[0]
        own = Credentials(Secret(key.access_key), key.secret_key)
        async with session.ws_connect(simulator.urls["private"], headers=dict(authorize(own, "1"))) as socket:
            await socket.send_str('[{"ticket":"t"},{"type":"myAsset"},{"format":"SIMPLE_LIST"}]')
            while not simulator.requests:
                await simulator.reached(simulator.now + 0.01)
            simulator.place_order("KRW-BTC", "bid", ord_type="price", price="10000")
            [told] = json.loads((await received(socket)).data)
            assert told["ast"] == [{"cu": "KRW", "b": 9_989_995, "l": 10_005}]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(simulator.urls["info"], headers=dict(authorize(own, "1")))
        assert refused.value.status == 401


@pytest.mark.parametrize("abrupt", [True, False])
async def test_a_caller_that_left_before_the_answer_is_no_fault(abrupt: bool, caplog: pytest.LogCaptureFixture) -> None:
    async with playing() as (simulator, session):
        host, port = simulator.rest_url.removeprefix("http://").split(":")
        with create_connection((host, int(port))) as caller:  # blocking: all is done before the server looks
            if abrupt:
                caller.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            caller.sendall(
                b"GET /websocket/v1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
        async with session.get(f"{simulator.rest_url}/v1/market/all") as answer:
            assert answer.status == 200
        await until_lost(simulator)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
