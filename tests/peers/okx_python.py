"""python-okx, the official SDK, as its README uses it, only the addresses and the key given.

okx_python.py WS_BASE REST_URL ACCESS SECRET PASSPHRASE

Run by .peers/bin/python. Says what it got, one JSON a line; trades by REST and by WebSocket when it is told to.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

from okx.Account import AccountAPI  # type: ignore[import-not-found]  # only in .peers
from okx.MarketData import MarketAPI  # type: ignore[import-not-found]
from okx.PublicData import PublicAPI  # type: ignore[import-not-found]
from okx.Trade import TradeAPI  # type: ignore[import-not-found]
from okx.websocket.WsPrivateAsync import WsPrivateAsync  # type: ignore[import-not-found]
from okx.websocket.WsPublicAsync import WsPublicAsync  # type: ignore[import-not-found]

PUBLIC = [
    {"channel": "tickers", "instId": "BTC-USDT"},
    {"channel": "trades", "instId": "BTC-USDT"},
    {"channel": "books", "instId": "BTC-USDT"},
    {"channel": "mark-price", "instId": "BTC-USDT-SWAP"},
]
BUSINESS = [{"channel": "candle1s", "instId": "BTC-USDT"}, {"channel": "trades-all", "instId": "BTC-USDT"}]
PRIVATE = [{"channel": "orders", "instType": "ANY"}, {"channel": "account"}, {"channel": "balance_and_position"}]


def say(what: str, **facts: object) -> None:
    print(json.dumps({"what": what, **facts}), flush=True)  # noqa: T201 - how it answers


def hearing(side: str, last: asyncio.Event | None = None) -> Callable[[str], None]:
    """Says what it hears; ``last`` is set by the acknowledgement of an unsubscription."""

    def hear(text: str) -> None:
        message = json.loads(text)
        say("heard", side=side, message=message)
        if last is not None and message.get("event") == "unsubscribe":
            last.set()

    return hear


def market_calls(rest: str) -> dict[str, Any]:
    """Every public call that this package can make of what is served; the first row of each."""
    market, public = MarketAPI(flag="0", domain=rest), PublicAPI(flag="0", domain=rest)
    answers = {
        "time": public.get_system_time(),
        "instruments": public.get_instruments("SPOT"),
        "ticker": market.get_ticker("BTC-USDT"),
        "tickers": market.get_tickers("SWAP"),
        "books": market.get_orderbook("BTC-USDT", "5"),
        "trades": market.get_trades("BTC-USDT", "3"),
        "history_trades": market.get_history_trades("BTC-USDT", limit="3"),
        "candles": market.get_candlesticks("BTC-USDT", bar="1H", limit="2"),
        "history_candles": market.get_history_candlesticks("BTC-USDT", bar="1Dutc", limit="2"),
        "unknown": market.get_ticker("BTC-DOGE"),
    }
    return {name: [answer["code"], len(answer["data"]), answer["data"][:1]] for name, answer in answers.items()}


def trade(rest: str, key: tuple[str, str, str]) -> dict[str, Any]:
    """One order placed, found and cancelled, one bought at the market; the account before."""
    access, secret, phrase = key
    orders = TradeAPI(access, secret, phrase, flag="0", domain=rest)
    account = AccountAPI(access, secret, phrase, flag="0", domain=rest)
    placed = orders.place_order("BTC-USDT", "cash", "buy", "limit", "0.01", px="30000", clOrdId="fromthesdk")
    number = placed["data"][0]["ordId"]
    found = orders.get_order("BTC-USDT", number)
    waiting = orders.get_order_list(instType="SPOT")
    cancelled = orders.cancel_order("BTC-USDT", number)
    bought = orders.place_order("BTC-USDT", "cash", "buy", "market", "100")
    return {
        "balance": account.get_account_balance(), "positions": account.get_positions(), "placed": placed,
        "found": found, "waiting": waiting, "cancelled": cancelled, "bought": bought,
        "history": orders.get_orders_history("SPOT"), "fills": orders.get_fills("SPOT"),
        "archive": orders.get_orders_history_archive("SPOT"), "fills_history": orders.get_fills_history("SPOT"),
        "fills_after": orders.get_fills("SPOT", after=orders.get_fills("SPOT", limit="1")["data"][0]["billId"]),
    }  # fmt: skip


async def cues(ws_base: str, rest: str, key: tuple[str, str, str], private: Any) -> None:
    """Each line of input is a cue."""
    loop = asyncio.get_running_loop()
    while cue := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        if cue == "rest":
            say("answered", calls=await loop.run_in_executor(None, market_calls, rest))
        elif cue == "trade":
            say("traded", **await loop.run_in_executor(None, trade, rest, key))
        elif cue == "order":
            order = {
                "instId": "BTC-USDT",
                "tdMode": "cash",
                "side": "sell",
                "ordType": "ioc",
                "sz": "0.001",
                "px": "1000",
            }
            await private.place_order([order], id="order1")


async def main(ws_base: str, rest: str, access: str, secret: str, phrase: str) -> None:
    public, business = WsPublicAsync(f"{ws_base}/public"), WsPublicAsync(f"{ws_base}/business")
    await public.start()
    await public.subscribe(PUBLIC, hearing("public"), id="public1")
    await business.start()
    await business.subscribe(BUSINESS, hearing("business"))
    private = WsPrivateAsync(access, phrase, secret, f"{ws_base}/private")
    await private.start()
    await private.subscribe(PRIVATE, hearing("private"))  # it logs in, and waits for five seconds
    await cues(ws_base, rest, (access, secret, phrase), private)
    left = asyncio.Event()
    await public.unsubscribe(PUBLIC[:1], hearing("public", left))
    await asyncio.wait_for(left.wait(), 10)
    for connection in (public, business, private):
        await connection.stop()


asyncio.run(main(*sys.argv[1:]))
