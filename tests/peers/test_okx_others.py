"""ccxt.pro and cryptofeed against the simulated OKX: their own loops and parsers, only the address and the key given.

cryptofeed asks for TLS: the simulator has a certificate, and the authority that signed it is in the child's
environment (of its WebSocket, and of the requests package).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tests.peers.runs import Peer, running
from tests.transport.certificates import Authority

pytestmark = [pytest.mark.peers, pytest.mark.slow]
MARKETS = ("BTC-USDT", "BTC-USDT-SWAP")


@asynccontextmanager
async def beside(script: str, authority: Authority | None = None) -> AsyncIterator[tuple[Simulator, Peer]]:
    """The simulated exchange, with a certificate if there is an authority, and another client's program beside it."""
    simulator = Simulator(Scenario(venue="okx", markets=MARKETS, rate=50))
    await simulator.start(ssl_context=None if authority is None else authority.server("okx"))
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE") if authority else ()
    trust = {name: str(authority.folder / "ca.pem") for name in names if authority}
    key = simulator.keys[0]
    assert key.passphrase is not None
    given = (simulator.url, simulator.rest_url, key.access_key, key.secret_key.reveal(), key.passphrase.reveal())
    try:
        async with running(script, *given, **trust) as peer:
            yield simulator, peer
        assert simulator.violations == []
    finally:
        await simulator.stop()


def is_book(fact: dict[str, Any], depth: int) -> None:
    """Two sides in order that do not cross."""
    asks, bids = ([float(row[0]) for row in fact[side]] for side in ("asks", "bids"))
    assert asks == sorted(asks)
    assert bids == sorted(bids, reverse=True)
    assert bids[0] < asks[0]
    assert fact["levels"] == depth


def is_of(what: str, symbol: str, fact: dict[str, Any]) -> bool:
    return bool((fact["what"], fact.get("symbol")) == (what, symbol))


async def test_ccxt_watches_and_trades() -> None:
    async with beside("okx_ccxt.py") as (simulator, peer):
        assert {"BTC/USDT", "BTC/USDT:USDT"} <= set((await peer.says("markets"))["symbols"])
        assert (await peer.says("ticker"))["ticker"]["instId"] == "BTC-USDT"
        trades = await peer.says("trades")
        numbers = [int(number) for number in trades["ids"]]
        assert numbers == sorted(set(numbers))
        assert trades["symbols"] == ["BTC/USDT:USDT"]
        for depth, levels in (("books", 400), ("books5", 5), ("books-rpi", 400)):
            book = await peer.says("book")
            assert book["depth"] == depth
            is_book(book, levels)
        assert len((await peer.says("candle"))["row"]) == 6
        placed = await peer.says("order")
        assert placed["told"] == [[placed["placed"], "open"]]
        cancelled = await peer.says("cancelled")
        assert cancelled["told"] == [[placed["placed"], "canceled"]]
        bought = await peer.says("bought")
        assert {one[0] for one in bought["fills"]} == {bought["id"]}
        assert sum(one[1] for one in bought["fills"]) == pytest.approx(0.01)
        held = {one.currency: float(one.free + one.locked) for one in simulator.exchange.desk.balances("main")}
        total = (await peer.says("balance"))["total"]
        assert {name: total[name] for name in held} == pytest.approx(held)
        await peer.says("done")


async def test_cryptofeed_hears_trades_books_tickers_and_orders(tmp_path: Path) -> None:
    async with beside("okx_cryptofeed.py", Authority(tmp_path)) as (simulator, peer):
        await peer.says("ready")
        for symbol in ("BTC-USDT", "BTC-USDT-PERP"):
            for what in ("trade", "book", "ticker"):
                fact = await peer.until(partial(is_of, what, symbol))
                if what == "book":
                    is_book(fact, 400)
        numbers = [int(one["id"]) for one in peer.said if (one["what"], one.get("symbol")) == ("trade", "BTC-USDT")]
        assert numbers == sorted(numbers), (
            "it asks for a stream several times, and is told the last trade each time (A5)"
        )
        told = await first_order(simulator, peer)
        assert (told["symbol"], float(told["price"])) == ("BTC-USDT-PERP", 30_000.0)


async def first_order(simulator: Simulator, peer: Peer) -> dict[str, Any]:
    """What it tells of an order: one is placed after each trade, until it has logged in and hears of them.

    Of contracts: for those of spot markets it asks with the type MARGIN, which OKX tells nothing of.
    """
    for _ in range(100):
        simulator.place_order("BTC-USDT-SWAP", "bid", price="30000", volume="1")
        fact = await peer.until(lambda one: one["what"] in {"trade", "order"})
        if fact["what"] == "order":
            return fact
    raise AssertionError("it hears of no order")
