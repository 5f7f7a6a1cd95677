"""What the simulated OKX pushes has the fields and types of what the real one sent (tests/data/okx5)."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.venues.okx.sim_stage import Client, get, login_of, make, run

CAPTURES = Path(__file__).parents[2] / "data" / "okx5"
#: What was added since 2022, by spec/okx.md A6 (and for the lesser channels by OKX's documents).
SINCE: dict[str, set[str]] = {
    "trades": {"count", "source", "seqId"},
    "books": {"seqId", "prevSeqId"},
    "books-l2-tbt": {"seqId", "prevSeqId"},
    "books5": {"seqId"},
    "bbo-tbt": {"seqId"},
    "funding-rate": {
        "formulaType", "impactValue", "interestRate", "maxFundingRate", "method", "minFundingRate", "nextFundingTime",
        "premium", "prevFundingTime", "settFundingRate", "settState", "ts",
    },
}  # fmt: skip


#: Of data/rest_okx/instruments_SPOT_cryptofeed-2022-05-13.json, every row.
LISTED = (
    "alias", "baseCcy", "category", "ctMult", "ctType", "ctVal", "ctValCcy", "expTime", "instId", "instType", "lever",
    "listTime", "lotSz", "maxIcebergSz", "maxLmtSz", "maxMktSz", "maxStopSz", "maxTriggerSz", "maxTwapSz", "minSz",
    "optType", "quoteCcy", "settleCcy", "state", "stk", "tickSz", "uly",
)  # fmt: skip


def shape(value: Any) -> Any:
    """Keys and types of a message; of a list the shapes of its elements, of a level its length too."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        kinds = {json.dumps(shape(one), sort_keys=True) for one in value}
        length = len(value) if value and isinstance(value[0], str) else None
        return [sorted(kinds), length]
    return type(value).__name__


def recorded() -> dict[tuple[str, str], list[dict[str, Any]]]:
    """(channel, action) → messages."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(CAPTURES.glob("*.jsonl")):
        if "sent" in path.name or "gocryptotrader" in path.name:  # the latter are of other years, one field each
            continue
        for line in path.read_text().splitlines():
            message = json.loads(line)
            if "data" in message:
                found[message["arg"]["channel"], message.get("action", "")].append(message)
    return found


def pushed(**switches: Any) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The same of five simulated seconds."""
    okx = make(**switches)
    clients = [Client(okx, "public"), Client(okx, "business"), Client(okx, "public")]
    names = ("tickers", "trades", "books", "books5", "bbo-tbt")
    symbols = ("BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-SWAP")
    clients[0].ask(*({"channel": name, "instId": one} for name in names for one in symbols))
    clients[0].ask({"channel": "funding-rate", "instId": "BTC-USD-SWAP"})
    clients[1].ask({"channel": "candle1m", "instId": "BTC-USDT"})
    clients[2].say(login_of(clients[2]))
    clients[2].ask({"channel": "books-l2-tbt", "instId": "BTC-USDT"})
    run(okx, 5.0)
    messages = [json.loads(frame) for client in clients for frame in client.wire.frames]
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for message in messages:
        if "data" in message:
            found[message["arg"]["channel"], message.get("action", "")].append(message)
    return found


def shapes(messages: list[dict[str, Any]]) -> set[str]:
    """Shapes of all messages but of empty sides, which say nothing of their levels."""
    full = [one for one in messages if all(row.get("asks", "-") and row.get("bids", "-") for row in rows(one))]
    return {json.dumps(shape(one), sort_keys=True) for one in full}


def rows(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in message["data"] if isinstance(row, dict)]


def test_with_the_fields_of_2022_every_channel_is_as_recorded() -> None:
    real, ours = recorded(), pushed(fields="2022")
    assert set(real) <= set(ours)
    for stream in real:
        assert shapes(ours[stream]) == shapes(real[stream]), stream


def test_todays_messages_have_more_fields_and_no_others() -> None:
    real, ours = recorded(), pushed()
    for (channel, action), messages in real.items():
        if channel.startswith("candle"):
            continue
        keys = {frozenset(row) for message in messages for row in rows(message)}
        assert len(keys) == 1
        today = {frozenset(row) for message in ours[channel, action] for row in rows(message)}
        assert today == {keys.pop() | SINCE.get(channel, set())}, channel
    assert {len(row) for message in ours["candle1m", ""] for row in message["data"]} == {9}
    for name, kind in (("seqId", int), ("prevSeqId", int), ("checksum", int)):
        assert {type(row[name]) for one in ours["books", "update"] for row in one["data"]} == {kind}
    assert {row["checksum"] for one in ours["books", "snapshot"] for row in one["data"]} == {0}
    assert {type(row["count"]) for one in ours["trades", ""] for row in one["data"]} == {str}


def test_acknowledgements_of_2022_have_no_connection_id() -> None:
    lines = [json.loads(line) for line in (CAPTURES / "all_cryptofeed-2022-05-13.jsonl").read_text().splitlines()]
    real = {json.dumps(shape(one)) for one in lines if "event" in one}
    [ack, *_] = Client(make(fields="2022")).ask({"channel": "tickers", "instId": "BTC-USDT"})
    assert {json.dumps(shape(ack))} == real
    [ack, *_] = Client(make()).ask({"channel": "tickers", "instId": "BTC-USDT"})
    assert len(ack.pop("connId")) == 8
    assert {json.dumps(shape(ack))} == real


def test_listings_are_as_recorded_and_have_more_today() -> None:
    old = get(make(fields="2022"), "/api/v5/public/instruments?instType=SPOT")["data"]
    today = get(make(), "/api/v5/public/instruments?instType=SPOT")["data"]
    assert {frozenset(row) for row in old} == {frozenset(LISTED)}
    assert set(today[0]) - set(old[0]) >= {"instFamily", "instIdCode", "futureSettlement", "upcChg", "ruleType"}
    assert (type(today[0]["instIdCode"]), type(today[0]["futureSettlement"]), today[0]["upcChg"]) == (int, bool, [])


@pytest.mark.parametrize(
    ("symbol", "kind", "contract"),
    [
        ("BTC-USDT", "SPOT", ("", "", "", "")),
        ("BTC-USDT-SWAP", "SWAP", ("linear", "0.01", "BTC", "USDT")),
        ("BTC-USD-SWAP", "SWAP", ("inverse", "100", "USD", "BTC")),
        ("BTC-USDT-261225", "FUTURES", ("linear", "0.01", "BTC", "USDT")),
    ],
)
def test_an_instruments_terms_follow_from_its_id(symbol: str, kind: str, contract: tuple[str, ...]) -> None:
    [row] = get(make(), f"/api/v5/public/instruments?instType={kind}&instId={symbol}")["data"]
    assert (row["ctType"], row["ctVal"], row["ctValCcy"], row["settleCcy"]) == contract
    assert row["instType"] == kind
    assert row["expTime"] == ("1798185600000" if kind == "FUTURES" else "")
