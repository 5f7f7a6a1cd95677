"""python-okx, the official SDK: its three WebSocket paths and REST against the simulator, only the address given.

It knows TLS alone: the simulator has a certificate, and the authority that signed it is in the child's environment.
"""

from __future__ import annotations

from typing import Any

import pytest

from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tests.peers.runs import Peer, running
from tests.transport.certificates import Authority

pytestmark = [pytest.mark.peers, pytest.mark.slow]
MARKETS = ("BTC-USDT", "BTC-USDT-SWAP")


def heard(peer: Peer, channel: str, **wanted: Any) -> list[dict[str, Any]]:
    """Messages of a channel so far."""
    messages = [fact["message"] for fact in peer.said if fact["what"] == "heard"]
    return [one for one in messages if one.get("arg", {}).get("channel") == channel and wanted.items() <= one.items()]


def is_push(fact: dict[str, Any], channel: str) -> bool:
    message = fact.get("message", {})
    return "data" in message and message.get("arg", {}).get("channel") == channel


def check_public(peer: Peer) -> None:
    """Every channel is acknowledged and told; the books' chain holds."""
    for channel in ("tickers", "trades", "books", "mark-price"):
        [ack] = heard(peer, channel, event="subscribe")
        assert ack["id"] == "public1"
        assert [one for one in heard(peer, channel) if "data" in one], channel
    rows = [one["data"][0] for one in heard(peer, "books") if "data" in one]
    assert rows[0]["prevSeqId"] == -1
    assert [row["prevSeqId"] for row in rows[1:]] == [row["seqId"] for row in rows[:-1]]
    for channel in ("candle1s", "trades-all"):
        assert [one for one in heard(peer, channel) if "data" in one], channel


def check_rest(calls: dict[str, Any]) -> None:
    """Codes, counts and a look at what each call answers."""
    assert {name: call[:2] for name, call in calls.items()} == {
        "time": ["0", 1], "instruments": ["0", 1], "ticker": ["0", 1], "tickers": ["0", 1], "books": ["0", 1],
        "trades": ["0", 3], "history_trades": ["0", 3], "candles": ["0", 2], "history_candles": ["0", 2],
        "unknown": ["51001", 0],
    }  # fmt: skip
    assert len(calls["books"][2][0]["asks"]) == 5
    assert calls["tickers"][2][0]["instId"] == "BTC-USDT-SWAP"


def check_trade(traded: dict[str, Any]) -> None:
    """The order's way as REST tells it."""
    number = traded["placed"]["data"][0]["ordId"]
    [found], [waiting] = traded["found"]["data"], traded["waiting"]["data"]
    assert (found["ordId"], found["state"], found["px"], found["clOrdId"]) == (number, "live", "30000", "fromthesdk")
    assert waiting["ordId"] == number
    assert traded["cancelled"]["data"][0]["sCode"] == traded["bought"]["data"][0]["sCode"] == "0"
    states = {row["ordId"]: (row["state"], row["ordType"]) for row in traded["history"]["data"]}
    assert states == {
        number: ("canceled", "limit"), traded["bought"]["data"][0]["ordId"]: ("filled", "market"),
    }  # fmt: skip
    assert traded["archive"]["data"] == traded["history"]["data"]
    assert traded["fills_history"]["data"] == traded["fills"]["data"]
    assert traded["fills_after"]["data"] == traded["fills"]["data"][1:]
    assert sum(float(row["fillPx"]) * float(row["fillSz"]) for row in traded["fills"]["data"]) == pytest.approx(
        100, abs=0.01
    )
    assert [row["ccy"] for row in traded["balance"]["data"][0]["details"]] == ["BTC", "USDT"]


async def test_it_listens_asks_and_trades(tmp_path: Any) -> None:
    authority = Authority(tmp_path)
    simulator = Simulator(Scenario(venue="okx", markets=MARKETS))
    await simulator.start(ssl_context=authority.server("okx"))
    key = simulator.keys[0]
    assert key.passphrase is not None
    given = (simulator.url, simulator.rest_url, key.access_key, key.secret_key.reveal(), key.passphrase.reveal())
    trust = {"SSL_CERT_FILE": str(authority.folder / "ca.pem")}
    try:
        async with running("okx_python.py", *given, **trust) as peer:
            await peer.until(lambda fact: is_push(fact, "account"))
            check_public(peer)
            peer.tell("rest")
            check_rest((await peer.says("answered"))["calls"])
            peer.tell("trade")
            check_trade(await peer.says("traded"))
            peer.tell("order")
            reply = await peer.until(lambda fact: fact.get("message", {}).get("id") == "order1")
            assert reply["message"]["data"][0]["sCode"] == "0"
            while not heard(peer, "orders") or heard(peer, "orders")[-1]["data"][0]["ordType"] != "ioc":
                await peer.until(lambda fact: is_push(fact, "orders"))
            states = [one["data"][0]["state"] for one in heard(peer, "orders") if "data" in one]
            assert {"live", "canceled", "filled"} <= set(states)
            assert heard(peer, "balance_and_position")[1]["data"][0]["eventType"] == "snapshot"
            peer.end()
            await peer.until(lambda fact: fact.get("message", {}).get("event") == "unsubscribe")
        assert simulator.violations == []
    finally:
        await simulator.stop()
