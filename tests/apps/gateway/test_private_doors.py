"""The private and info sides at the gateway: only when switched on, only for tokens that have the scope."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest

from tapewire.apps.gateway.access import Token
from tapewire.config import Secret
from tapewire.sim.scenario import DEMO_KEY
from tests.apps.gateway.stage import PATIENCE, Stage, served
from tests.venues.ring import bearer, login, okx_call, upbit_call

KEY = {"access_key": DEMO_KEY.access_key, "secret_key": DEMO_KEY.secret_key.reveal()}
OKX_KEY = KEY | {"passphrase": DEMO_KEY.phrase}
THEIRS = (KEY["access_key"], KEY["secret_key"], DEMO_KEY.phrase)
TOKEN, OTHER = "a-token-for-the-private-side", "a-token-for-the-market-only"
TOKENS = (
    Token(name="bot", token=Secret(TOKEN), scopes=("market", "private")),
    Token(name="charts", token=Secret(OTHER)),
)
RSI = {"type": "rsi", "params": {"period": 14}}
START_MS = 1_786_612_020_000


class Program:
    """One program; says what it heard."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self) -> Any:
        async with asyncio.timeout(PATIENCE):
            message = await self.socket.receive()
        assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
        return json.loads(message.data)

    async def until(self, **wanted: Any) -> list[Any]:
        """Everything up to the first message with these fields."""
        heard = [await self.next()]
        while not wanted.items() <= heard[-1].items():
            heard.append(await self.next())
        return heard


@asynccontextmanager
async def at(session: aiohttp.ClientSession, url: str, headers: dict[str, str] | None = None) -> AsyncIterator[Program]:
    async with session.ws_connect(url, headers=headers) as socket:
        yield Program(socket)


@asynccontextmanager
async def upbit(tokens: tuple[Token, ...] | None = TOKENS, **scenario: Any) -> AsyncIterator[Stage]:
    async with served({"private": True}, tokens, client=KEY, start_ms=START_MS, **scenario) as stage:
        yield stage


def wish(*parts: dict[str, Any]) -> str:
    return json.dumps([{"ticket": "t"}, *parts])


async def listed(program: Program) -> Any:
    """Every request before it has been answered, then."""
    await program.socket.send_str(json.dumps([{"ticket": "t"}, {"method": "LIST_SUBSCRIPTIONS"}]))
    return (await program.until(method="LIST_SUBSCRIPTIONS"))[-1]["result"]


async def test_upbits_private_side_frame_for_frame() -> None:
    async with (
        upbit() as stage,
        at(stage.session, f"{stage.gateway.url}/websocket/v1/private", bearer("bot", TOKEN)) as here,
        at(stage.session, stage.simulator.urls["private"], bearer(KEY["access_key"], KEY["secret_key"])) as there,
    ):
        wanted = wish({"type": "myOrder"}, {"type": "myAsset"}, {"type": "announcement"})
        for program in (here, there):
            await program.socket.send_str(wanted)
            assert [one["type"] for one in await listed(program)] == ["myOrder", "myAsset", "announcement"]
        stage.simulator.place_order("KRW-BTC", "ask", ord_type="market", volume="0.02")
        stage.simulator.announce("Listing", "trade", "text")
        ours, theirs = await here.until(type="announcement"), await there.until(type="announcement")
        assert ours == theirs
        assert {one["type"] for one in ours} == {"myOrder", "myAsset", "announcement"}
        assert "done" in {one.get("state") for one in ours}
        assert stage.simulator.violations == []


async def test_upbits_info_side() -> None:
    asked = wish({"type": "indicator", "codes": ["KRW-BTC"], "timeframe": "5m", "indicators": [RSI]})
    async with (
        upbit() as stage,
        at(stage.session, f"{stage.gateway.url}/websocket/v1/info", bearer("bot", TOKEN)) as here,
        at(stage.session, stage.simulator.urls["info"], bearer(KEY["access_key"], KEY["secret_key"])) as there,
    ):
        for program in (here, there):
            await program.socket.send_str(asked)
            assert len(await listed(program)) == 1
        stage.simulator.close_candles("5m")
        ours, theirs = await here.next(), await there.next()
        assert ours == theirs
        assert (ours["type"], ours["code"]) == ("indicator", "KRW-BTC")


@pytest.mark.parametrize("path", ["/websocket/v1/private", "/websocket/v1/info"])
async def test_at_upbits_paths_a_token_signs_as_a_key_does(path: str) -> None:
    async with upbit() as stage:
        for headers, name in (
            ({}, "no_authorization_token"),
            ({"Authorization": f"Bearer {TOKEN}"}, "invalid_query_payload"),
            (bearer("bot", OTHER, nonce="1"), "jwt_verification"),
            (bearer(KEY["access_key"], KEY["secret_key"], nonce="2"), "invalid_access_key"),
            (bearer("charts", OTHER, nonce="3"), "out_of_scope"),
        ):
            status, body = await stage.get(path, **headers)
            assert (status, body["error"]["name"]) == (401, name)
            assert TOKEN not in json.dumps(body)
        for number in range(7):
            status, _ = await stage.get(path, **bearer("bot", "wrong", nonce=f"w{number}"))
            assert status == 401
        for address in (path, "/v1/venues"):
            status, _ = await stage.get(address, **bearer("bot", TOKEN, nonce="late"))
            assert status == 429


async def test_private_sides_are_closed_unless_they_are_switched_on() -> None:
    async with served(tokens=TOKENS, client=KEY) as stage:
        status, _ = await stage.get("/websocket/v1/private", **bearer("bot", TOKEN))
        assert status == 401
        asked = {"Authorization": f"Bearer {TOKEN}"}
        async with stage.session.ws_connect(f"{stage.gateway.url}/v1/stream", headers=asked) as socket:
            await socket.send_json({"subscribe": [{"type": "myOrder"}]})
            assert json.loads(await socket.receive_str())["error"]["name"] == "forbidden"
        assert stage.simulator.connected == 0


@pytest.mark.parametrize("tokens", [TOKENS, None])
async def test_orders_and_balances_over_our_own_stream(tokens: tuple[Token, ...] | None) -> None:
    async with upbit(tokens) as stage:
        headers = {} if tokens is None else {"Authorization": f"Bearer {TOKEN}"}
        async with at(stage.session, f"{stage.gateway.url}/v1/stream", headers) as program:
            await program.socket.send_json({"subscribe": [{"type": "myOrder"}, {"type": "myAsset"}], "news": False})
            assert (await program.next())["answer"]["subscribed"] == 2
            order = stage.simulator.place_order("KRW-ETH", "ask", ord_type="market", volume="0.02")
            heard: list[Any] = []
            while not any(one["type"] == "myOrder" and one["state"] == "done" for one in heard):
                heard.append((await program.next())["event"])
            orders = [one for one in heard if one["type"] == "myOrder"]
            assert {one["uuid"] for one in orders} == {order.uuid}
            assert [one["state"] for one in orders] == ["wait", *["trade"] * len(order.fills), "done"]
            assert any(one["type"] == "myAsset" for one in heard)
            assert KEY["secret_key"] not in json.dumps(heard)
        if tokens is not None:
            with_market = {"Authorization": f"Bearer {OTHER}"}
            async with at(stage.session, f"{stage.gateway.url}/v1/stream", with_market) as program:
                await program.socket.send_json({"subscribe": [{"type": "myOrder"}]})
                assert (await program.next())["error"]["name"] == "forbidden"


@asynccontextmanager
async def okx() -> AsyncIterator[Stage]:
    markets = ("BTC-USDT", "ETH-USDT", "BTC-USDT-SWAP")
    async with served({"private": True}, TOKENS, client=OKX_KEY, venue="okx", markets=markets) as stage:
        yield stage


def now_ms() -> int:
    import time  # noqa: PLC0415 - logins are checked against the wall's clock

    return time.time_ns() // 1_000_000


def request(op: str, *args: dict[str, str]) -> str:
    return json.dumps({"op": op, "args": args})


CHANNELS = (
    {"channel": "orders", "instType": "SPOT"}, {"channel": "account", "extraParams": '{"updateInterval":"0"}'},
    {"channel": "balance_and_position"},
)  # fmt: skip


def plain(said: dict[str, Any]) -> Any:
    """Without the name of the connection."""
    return {name: value for name, value in said.items() if name not in ("connId", "connCount")}


async def test_okxs_private_path_says_what_the_exchange_says() -> None:
    async with okx() as stage:
        private = f"{stage.gateway.url}/ws/v5/private"
        async with at(stage.session, private) as here, at(stage.session, stage.simulator.urls["private"]) as there:
            logins = (
                (here, login("bot", TOKEN, ms=now_ms())),
                (there, login(*THEIRS, ms=stage.simulator.exchange.market.now_ms)),
            )  # fmt: skip
            for program, message in logins:
                await program.socket.send_str(request("subscribe", CHANNELS[0]))
                assert (await program.next())["code"] == "60011"
                await program.socket.send_bytes(message)
                assert plain(await program.next()) == {"event": "login", "code": "0", "msg": ""}
                await program.socket.send_str(request("subscribe", *CHANNELS))
            begun = [[plain(one) for one in await program.until()] for program, _ in logins]
            assert begun[0][0] == begun[1][0]
            stage.simulator.place_order("BTC-USDT", "ask", ord_type="market", volume="0.01")
            heard = []
            for program, _ in logins:
                states: list[Any] = []
                while not any(one["state"] == "filled" for one in states):
                    said = await program.next()
                    if said.get("arg", {}).get("channel") == "orders" and "data" in said:
                        states += said["data"]
                heard.append(states)
            assert heard[0] == heard[1]


async def test_okx_a_later_program_begins_with_the_whole_account() -> None:
    async with okx() as stage:
        private = f"{stage.gateway.url}/ws/v5/private"
        balances = []
        for _ in range(2):
            async with at(stage.session, private) as program:
                await program.socket.send_bytes(login("bot", TOKEN, ms=now_ms()))
                await program.next()
                await program.socket.send_str(request("subscribe", {"channel": "account"}))
                assert (await program.next())["event"] == "subscribe"
                first = await program.next()
                assert (first["eventType"], first["arg"]["channel"]) == ("snapshot", "account")
                balances.append({one["ccy"]: one["cashBal"] for one in first["data"][0]["details"]})
                stage.simulator.place_order("BTC-USDT", "ask", ord_type="market", volume="0.01")
                await program.next()
        assert balances[0].keys() == balances[1].keys()
        assert float(balances[1]["BTC"]) == pytest.approx(float(balances[0]["BTC"]) - 0.01)


async def test_okx_wrong_logins_are_refused_and_block() -> None:
    async with okx() as stage:
        private = f"{stage.gateway.url}/ws/v5/private"
        for number, (message, code) in enumerate((
            (login("bot", OTHER, ms=now_ms()), "60007"),
            (login(KEY["access_key"], KEY["secret_key"], ms=now_ms()), "60032"),
            (login("charts", OTHER, ms=now_ms()), "50120"),
            *[(login("bot", "wrong", ms=now_ms()), "60007")] * 8,
        )):  # fmt: skip
            async with at(stage.session, private) as program:
                await program.socket.send_bytes(message)
                said = await program.next()
                assert (said["event"], said["code"]) == ("error", code), number
                assert TOKEN not in json.dumps(said)
        status, _ = await stage.get("/ws/v5/private")
        assert status == 429


async def test_a_program_that_knows_no_headers_shows_its_token_in_the_address() -> None:
    async with okx() as stage:
        address = stage.gateway.url.replace("http://", f"ws://charts:{OTHER}@") + "/ws/v5/public"
        async with at(stage.session, address) as program:
            await program.socket.send_str(request("subscribe", {"channel": "tickers", "instId": "BTC-USDT"}))
            assert (await program.next())["event"] == "subscribe"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await stage.session.ws_connect(address.replace(OTHER, "wrong"))
        assert refused.value.status == 401


async def test_what_upbit_refuses_to_the_gateways_key_is_told_in_upbits_words() -> None:
    """The key may see balances and no orders: the program hears of orders what it would hear at the exchange."""
    key = msgspec.structs.replace(DEMO_KEY, permissions=frozenset({"view_accounts"}))
    async with upbit(keys=(key,)) as stage:
        private = f"{stage.gateway.url}/websocket/v1/private"
        for number in range(2):
            async with at(stage.session, private, bearer("bot", TOKEN, nonce=f"n{number}")) as program:
                await program.socket.send_json([{"ticket": "t"}, {"type": "myOrder"}, {"type": "myAsset"}])
                said = await program.next()
                assert (said["error"]["name"], "view_orders" in said["error"]["message"]) == ("out_of_scope", True)
                assert KEY["secret_key"] not in json.dumps(said)
                assert (await program.socket.receive()).type == aiohttp.WSMsgType.CLOSE, "as the exchange"
        async with at(stage.session, private, bearer("bot", TOKEN, nonce="balances")) as program:
            await program.socket.send_json([{"ticket": "t"}, {"type": "myAsset"}])
            await program.socket.send_json([{"ticket": "t"}, {"method": "LIST_SUBSCRIPTIONS"}])
            listed = (await program.until(method="LIST_SUBSCRIPTIONS"))[-1]
            assert [one["type"] for one in listed["result"]] == ["myAsset"]


async def test_okx_what_the_gateways_key_may_not_is_an_error_in_place_of_the_answer() -> None:
    wrong = OKX_KEY | {"secret_key": "no-key-of-anybody-at-all"}
    markets = ("BTC-USDT",)
    async with (
        served({"private": True}, TOKENS, client=wrong, venue="okx", markets=markets) as stage,
        at(stage.session, f"{stage.gateway.url}/ws/v5/private") as program,
    ):
        await program.socket.send_bytes(login("bot", TOKEN, ms=now_ms()))
        assert (await program.next())["event"] == "login"
        await program.socket.send_str(request("subscribe", CHANNELS[0]))
        said = await program.next()
        assert plain(said) == {
                "event": "error", "code": "60011", "msg": "the exchange does not take the gateway's key",
            }  # fmt: skip
        await program.socket.send_str("ping")
        async with asyncio.timeout(PATIENCE):
            assert (await program.socket.receive()).data == "pong"


ORDERS = "/v1/orders/open?states%5B%5D=wait&states%5B%5D=watch"


async def test_upbits_signed_reads_are_forwarded_for_a_token_that_may() -> None:
    async with upbit() as stage:
        order = stage.simulator.place_order("KRW-ETH", "bid", price="1000", volume="10")
        status, body = await stage.get(ORDERS, **upbit_call("bot", TOKEN, ORDERS, "a1"))
        assert (status, [one["uuid"] for one in body]) == (200, [order.uuid])
        status, body = await stage.get("/v1/accounts", **upbit_call("bot", TOKEN, "/v1/accounts", "a2"))
        assert status == 200
        assert {"KRW", "BTC"} <= {one["currency"] for one in body}
        missing = f"/v1/order?uuid={'0' * 36}"
        status, body = await stage.get(missing, **upbit_call("bot", TOKEN, missing, "a3"))
        assert (status, body["error"]["name"]) == (404, "order_not_found")
        for headers, name in (
            ({}, "no_authorization_token"),
            (upbit_call("bot", TOKEN, "/v1/accounts", "a2"), "nonce_used"),
            (upbit_call("charts", OTHER, "/v1/accounts", "a4"), "out_of_scope"),
            (upbit_call(KEY["access_key"], KEY["secret_key"], "/v1/accounts", "a5"), "invalid_access_key"),
        ):
            status, body = await stage.get("/v1/accounts", **headers)
            assert (status, body["error"]["name"]) == (401, name)
        async with stage.session.delete(f"{stage.gateway.url}/v1/order?uuid={order.uuid}") as answer:
            assert answer.status == 405, "nothing is changed here"


async def test_signed_reads_are_closed_unless_private_sides_are_switched_on() -> None:
    async with served(client=KEY) as stage:
        status, body = await stage.get("/v1/accounts", **upbit_call("bot", TOKEN, "/v1/accounts"))
        assert (status, body["error"]["name"]) == (401, "invalid_access_key")


async def test_okxs_signed_reads_are_forwarded_for_a_token_that_may() -> None:
    async with okx() as stage:
        stage.simulator.place_order("BTC-USDT", "ask", ord_type="market", volume="0.01")
        for path in ("/api/v5/account/balance?ccy=BTC", "/api/v5/trade/fills?instType=SPOT"):
            status, body = await stage.get(path, **okx_call("bot", TOKEN, path, ms=now_ms()))
            assert (status, body["code"], len(body["data"]) > 0) == (200, "0", True), path
        status, body = await stage.get(path, **okx_call("charts", OTHER, path, ms=now_ms()))
        assert (status, body["code"]) == (401, "50120")
        status, body = await stage.get("/api/v5/asset/currencies", Authorization=f"Bearer {TOKEN}")
        assert (status, body["error"]["name"]) == (404, "not_found")
