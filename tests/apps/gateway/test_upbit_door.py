"""Upbit's own protocol at the gateway: a program hears there what it hears at the exchange."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.apps.gateway.stage import PATIENCE, Stage, served
from tests.sizes import size

FORMATS = ("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST")
EVERYTHING = [
    {"type": "ticker", "codes": ["KRW-BTC", "KRW-ETH"]},
    {"type": "trade", "codes": ["KRW-BTC", "KRW-ETH"]},
    {"type": "orderbook", "codes": ["KRW-BTC.5", "KRW-ETH"]},
    {"type": "candle.1s", "codes": ["KRW-BTC"]},
    {"type": "candle.1m", "codes": ["KRW-BTC"]},
]


class Program:
    """A program that was written for the exchange."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.frames: list[bytes] = []

    async def ask(self, *parts: Any, ticket: str = "t", format: str | None = None) -> None:  # noqa: A002
        words = [{"ticket": ticket}, *parts, *([{"format": format}] if format else [])]
        await self.socket.send_bytes(json.dumps(words).encode())

    async def next(self) -> Any:
        async with asyncio.timeout(PATIENCE):
            message = await self.socket.receive()
            assert message.type is aiohttp.WSMsgType.BINARY, message
            self.frames.append(message.data)
            return json.loads(message.data)

    async def until(self, last: bytes) -> None:
        """Hear until this frame has come."""
        while last not in self.frames:
            assert len(self.frames) < 5_000, "it never came"
            await self.next()


@asynccontextmanager
async def program(session: aiohttp.ClientSession, url: str) -> AsyncIterator[Program]:
    async with session.ws_connect(url) as socket:
        yield Program(socket)


def door(stage: Stage) -> str:
    return stage.gateway.url + "/websocket/v1"


@pytest.mark.parametrize("form", FORMATS)
async def test_event_for_event_what_the_exchange_sends(form: str) -> None:
    async with (
        served() as stage,
        program(stage.session, door(stage)) as here,
        program(stage.session, stage.simulator.url) as there,
    ):
        await there.ask(*EVERYTHING, format=form)
        await here.ask(*EVERYTHING, format=form)
        for _ in range(158):
            await here.next()
        ours = streams(here.frames[8:])
        for frames in ours.values():
            await there.until(frames[-1])
        theirs = streams(there.frames)
        for stream, frames in ours.items():
            begun = theirs[stream].index(frames[0])
            assert theirs[stream][begun : begun + len(frames)] == frames
        assert len(ours) >= 5
        kinds = {_type(frame) for frame in map(json.loads, here.frames[:8])}
        assert kinds == {"ticker", "trade", "orderbook", "candle.1s", "candle.1m"}
        assert all(_stream_type(json.loads(frame)) == "SNAPSHOT" for frame in here.frames[:8])
        assert stage.simulator.connected == 2  # theirs, and ours


def streams(frames: list[bytes]) -> dict[tuple[str, str], list[bytes]]:
    """Frames by type and code: of streams that are told at one moment the exchange chooses the order."""
    found: dict[tuple[str, str], list[bytes]] = {}
    for frame in frames:
        said = _one(json.loads(frame))
        found.setdefault((_type(said), said.get("code") or said["cd"]), []).append(frame)
    return found


def _one(frame: Any) -> dict[str, Any]:
    found: dict[str, Any] = frame[0] if isinstance(frame, list) else frame
    return found


def _type(frame: Any) -> str:
    return str(_one(frame).get("type") or _one(frame)["ty"])


def _stream_type(frame: Any) -> str:
    return str(_one(frame).get("stream_type") or _one(frame)["st"])


async def test_many_programs_are_one_connection_upstream() -> None:
    async with served(rate=size(300, 10)) as stage, AsyncExitStack() as stack:
        programs = [await stack.enter_async_context(program(stage.session, door(stage))) for _ in range(size(30, 200))]
        for number, one in enumerate(programs):
            await one.ask(*EVERYTHING, format=FORMATS[number % 4])
        for one in programs:
            for _ in range(12):
                await one.next()
        assert stage.simulator.connected == 1
        assert stage.gateway.figures["open"] == len(programs)
        assert stage.simulator.violations == []


async def test_a_request_replaces_the_one_before_and_only_is_only() -> None:
    async with served() as stage, program(stage.session, door(stage)) as one:
        await one.ask({"type": "ticker", "codes": ["KRW-BTC"], "is_only_snapshot": True})
        first = await one.next()
        assert (first["type"], first["stream_type"]) == ("ticker", "SNAPSHOT")
        await one.ask({"type": "trade", "codes": ["KRW-ETH"], "is_only_realtime": True})
        for _ in range(5):
            said = await one.next()
            assert (said["type"], said["code"], said["stream_type"]) == ("trade", "KRW-ETH", "REALTIME")
        await one.ask({"method": "LIST_SUBSCRIPTIONS"}, ticket="list")
        while "method" not in (said := await one.next()):
            assert said["code"] == "KRW-ETH"
        assert said == {
            "method": "LIST_SUBSCRIPTIONS", "ticket": "list", "result": [{"type": "trade", "codes": ["KRW-ETH"]}],
        }  # fmt: skip


WORDS = (
    "PING",
    "[]",
    "x",
    '[{"type":"trade","codes":["KRW-BTC"]}]',
    '[{"ticket":"t"},{"type":"nix","codes":["KRW-BTC"]}]',
    '[{"ticket":"t"},{"type":"trade"}]',
    '[{"ticket":"t"},{"type":"myOrder"}]',
    '[{"ticket":"t"},{"format":"SIMPLE"}]',
)


async def test_pings_and_errors_are_the_exchanges() -> None:
    async with served(limits=False) as stage:
        for words in WORDS:
            said = []
            for url in (door(stage), stage.simulator.url):
                async with program(stage.session, url) as one:
                    await one.socket.send_str(words)
                    await one.next()
                    closed = None if words == "PING" else (await one.socket.receive()).data
                    said.append((one.frames, closed))
            assert said[0] == said[1], words


async def test_a_market_that_there_is_not_is_met_with_silence() -> None:
    async with served() as stage, program(stage.session, door(stage)) as one:
        await one.ask({"type": "trade", "codes": ["KRW-NIX", "KRW-BTC"]})
        for _ in range(3):
            assert (await one.next())["code"] == "KRW-BTC"
        assert b"KRW-NIX" not in b"".join(sent.payload for sent in stage.simulator.requests)


async def test_too_many_messages_are_refused_in_the_exchanges_word() -> None:
    async with served({"commands": 3}) as stage, program(stage.session, door(stage)) as one:
        for _ in range(5):
            await one.socket.send_str("PING")
        assert [await one.next() for _ in range(3)] == [{"status": "UP"}] * 3
        assert (await one.next())["error"]["name"] == "TOO_MANY_REQUEST"


async def test_what_is_missed_upstream_reaches_the_programs_too() -> None:
    url = "/websocket/v1"
    async with (
        served(client={"backoff_base": 0.2, "jitter": False}) as stage,
        program(stage.session, stage.gateway.url + url) as one,
    ):
        await one.ask({"type": "trade", "codes": ["KRW-BTC"], "is_only_realtime": True})
        heard = [(await one.next())["sequential_id"]]
        stage.simulator.drop(1001)
        dropped = len(stage.simulator.trades)
        await stage.simulator.reached(stage.simulator.now + 1.0)
        due = {
            trade.sequential_id for trade in stage.simulator.trades[dropped:]
            if trade.symbol == "KRW-BTC" and (trade.sequential_id or 0) > heard[0]
        }  # fmt: skip
        assert len(due) > 10
        while not due <= set(heard):
            heard.append((await one.next())["sequential_id"])
        assert len(set(heard)) == len(heard)


async def test_rest_reads_are_the_exchanges_and_equal_ones_are_one() -> None:
    async with served() as stage:
        paths = (
            "/v1/market/all?is_details=true", "/v1/ticker?markets=KRW-BTC", "/v1/trades/ticks?market=KRW-BTC&count=3",
            "/v1/orderbook?markets=KRW-BTC", "/v1/candles/minutes/1?market=KRW-BTC&count=2",
            "/v1/candles/days?market=KRW-BTC", "/v1/orderbook/supported_levels?markets=KRW-BTC",
            "/v1/ticker?markets=KRW-NIX", "/v1/candles/minutes/7?market=KRW-BTC",
        )  # fmt: skip
        for path in paths:
            status, body = await stage.get(path)
            async with stage.session.get(stage.simulator.rest_url + path) as answer:
                theirs = await answer.json(content_type=None)
            assert status == answer.status, path
            assert _shape(body) == _shape(theirs)
        answers = await asyncio.gather(*(stage.get("/v1/ticker?markets=KRW-ETH") for _ in range(40)))
        assert {status for status, _ in answers} == {200}
        assert stage.simulator.violations == []


def _shape(value: Any) -> Any:
    match value:
        case dict():
            return {key: _shape(one) for key, one in value.items()}
        case list():
            return [_shape(one) for one in value[:1]]
        case _:
            return None


async def test_what_is_the_owners_is_not_served_here() -> None:
    async with served() as stage:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await stage.session.ws_connect(door(stage) + "/private")
        assert refused.value.status == 401
        status, body = await stage.get("/v1/accounts")
        assert (status, body["error"]["name"]) == (401, "no_authorization_token")
