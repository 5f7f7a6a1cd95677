"""OKX's own protocol at the gateway: frame for frame what the exchange sends, books joined in mid-chain."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from tests.apps.gateway.stage import PATIENCE, Stage, served
from tests.sizes import size

MARKETS = ("BTC-USDT", "BTC-USDT-SWAP")
SHARED = [{"channel": name, "instId": "BTC-USDT"} for name in ("tickers", "trades", "books", "books5", "bbo-tbt")]
CONTRACT = [{"channel": name, "instId": "BTC-USDT-SWAP"} for name in ("mark-price", "funding-rate", "open-interest")]


class Program:
    """A program that was written for the exchange."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.pushes: dict[str, list[dict[str, Any]]] = {}
        self.words: list[dict[str, Any]] = []

    async def ask(self, op: str, *args: dict[str, str], **more: str) -> None:
        await self.socket.send_str(json.dumps({"op": op, "args": args, **more}))

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            said: dict[str, Any] = json.loads(await self.socket.receive_str())
        if "data" in said:
            self.pushes.setdefault(f"{said['arg']['channel']} {said['arg'].get('instId', '')}", []).append(said)
        else:
            self.words.append(said)
        return said

    async def until(self, channel: str, count: int) -> list[dict[str, Any]]:
        while len(self.pushes.get(channel, ())) < count:
            await self.next()
        return self.pushes[channel]

    async def answered(self, count: int = 1) -> list[dict[str, Any]]:
        while len(self.words) < count:
            await self.next()
        return self.words


@asynccontextmanager
async def program(session: aiohttp.ClientSession, url: str) -> AsyncIterator[Program]:
    async with session.ws_connect(url) as socket:
        yield Program(socket)


def public(stage: Stage) -> str:
    return stage.gateway.url + "/ws/v5/public"


async def test_frame_for_frame_and_acknowledged() -> None:
    async with (
        served(venue="okx", markets=MARKETS) as stage,
        program(stage.session, public(stage)) as here,
        program(stage.session, stage.simulator.urls["public"]) as there,
    ):
        await there.ask("subscribe", *SHARED, id="a1")
        await here.ask("subscribe", *SHARED, id="a1")
        acks = await here.answered(5)
        theirs = await there.answered(5)
        assert [{**ack, "connId": ""} for ack in acks] == [{**ack, "connId": ""} for ack in theirs]
        for arg in SHARED:
            stream = f"{arg['channel']} BTC-USDT"
            frames = (await here.until(stream, 12))[2:]
            while frames[-1] not in there.pushes.get(stream, []):
                await there.next()
            ours, theirs_too = changes(frames), changes(there.pushes[stream])
            begun = theirs_too.index(ours[0])
            assert theirs_too[begun : begun + len(ours)] == ours, stream


def changes(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without those that are equal to the one before, of which nobody could say where they begin."""
    return [frame for at, frame in enumerate(frames) if not at or frame != frames[at - 1]]


async def test_a_book_joined_in_the_middle_is_the_exchanges() -> None:
    arg = {"channel": "books", "instId": "BTC-USDT"}
    async with served(venue="okx", markets=MARKETS) as stage, program(stage.session, public(stage)) as first:
        await first.ask("subscribe", arg)
        await first.until("books BTC-USDT", 20)
        async with (
            program(stage.session, public(stage)) as late,
            program(stage.session, stage.simulator.urls["public"]) as theirs,
        ):
            await late.ask("subscribe", arg)
            await theirs.ask("subscribe", arg)
            books = await late.until("books BTC-USDT", 15)
            assert books[0]["action"] == "snapshot"
            assert books[0]["data"][0]["prevSeqId"] == -1
            assert {book["action"] for book in books[1:]} == {"update"}
            for before, after in itertools.pairwise(books):
                assert after["data"][0]["prevSeqId"] == before["data"][0]["seqId"]
            last = books[-1]["data"][0]["seqId"]
            while theirs.pushes.get("books BTC-USDT", [{"data": [{"seqId": 0}]}])[-1]["data"][0]["seqId"] < last:
                await theirs.next()
            known = theirs.pushes["books BTC-USDT"]
            upto = [one for one in known if one["data"][0]["seqId"] <= last]
            assert _book(upto) == _book(books)
        assert stage.simulator.connected == 1


def _book(messages: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """The book that these messages make, by the texts of its prices."""
    sides: dict[str, dict[str, str]] = {"asks": {}, "bids": {}}
    for message in messages:
        for side, levels in sides.items():
            if message["action"] == "snapshot":
                levels.clear()
            for price, amount, *_ in message["data"][0][side]:
                if float(amount):
                    levels[price] = amount
                else:
                    levels.pop(price, None)
    return sides


async def test_candles_and_single_matches_come_from_the_business_path() -> None:
    async with served(venue="okx", markets=MARKETS) as stage:
        async with program(stage.session, stage.gateway.url + "/ws/v5/business") as one:
            await one.ask(
                "subscribe",
                {"channel": "candle1s", "instId": "BTC-USDT"},
                {"channel": "trades-all", "instId": "BTC-USDT"},
            )
            assert len((await one.until("candle1s BTC-USDT", 3))[0]["data"][0]) == 9
            await one.until("trades-all BTC-USDT", 3)
        async with program(stage.session, public(stage)) as other:
            await other.ask("subscribe", *CONTRACT)
            for arg in CONTRACT:
                await other.until(f"{arg['channel']} BTC-USDT-SWAP", 1)


async def test_many_programs_are_one_connection_and_leaving_is_heard() -> None:
    async with served(venue="okx", markets=MARKETS, rate=size(300, 10)) as stage, AsyncExitStack() as stack:
        programs = [
            await stack.enter_async_context(program(stage.session, public(stage))) for _ in range(size(10, 200))
        ]
        for one in programs:
            await one.ask("subscribe", *SHARED)
        for one in programs:
            await one.until("trades BTC-USDT", 3)
        assert stage.simulator.connected == 1
        leaver = programs[0]
        await leaver.ask("unsubscribe", *SHARED, id="bye")
        words = await leaver.answered(10)
        assert [word["event"] for word in words[5:]] == ["unsubscribe"] * 5
        leaver.pushes.clear()
        await leaver.socket.send_str("ping")
        assert await leaver.socket.receive_str() == "pong"
        assert leaver.pushes == {}
        assert stage.simulator.violations == []


@pytest.mark.parametrize(
    "message",
    [
        "x",
        '{"op":"nix","args":[{"channel":"tickers","instId":"BTC-USDT"}]}',
        '{"op":"subscribe","args":[]}',
        '{"op":"subscribe","args":[{"channel":"tickers","instId":"NIX-USDT"}]}',
        '{"op":"subscribe","args":[{"channel":"nix","instId":"BTC-USDT"}],"id":"7"}',
        '{"op":"subscribe","args":[{"channel":"candle1m","instId":"BTC-USDT"}]}',
        '{"op":"subscribe","args":[{"channel":"books-l2-tbt","instId":"BTC-USDT"}]}',
        '{"op":"subscribe","args":[{"instId":"BTC-USDT"}]}',
        '{"op":"subscribe","args":[7]}',
    ],
)
async def test_errors_are_the_exchanges(message: str) -> None:
    async with served(venue="okx", markets=MARKETS) as stage:
        said = []
        for url in (public(stage), stage.simulator.urls["public"]):
            async with program(stage.session, url) as one:
                await one.socket.send_str(message)
                [word] = await one.answered()
                said.append({**word, "connId": ""})
        assert said[0] == said[1]


async def test_rest_reads_and_what_is_not_served() -> None:
    async with served(venue="okx", markets=MARKETS) as stage:
        for path in ("/api/v5/market/ticker?instId=BTC-USDT", "/api/v5/public/instruments?instType=SPOT"):
            status, body = await stage.get(path)
            assert (status, body["code"]) == (200, "0")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await stage.session.ws_connect(stage.gateway.url + "/ws/v5/private")
        assert refused.value.status == 401
