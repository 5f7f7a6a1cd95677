"""What the simulated OKX pushes has the fields and types of what the real one sent (tests/data/okx5)."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tapewire.venues.trading import NewOrder
from tests.venues.okx.sim_stage import Client, get, login_of, make, run

CAPTURES = Path(__file__).parents[2] / "data" / "okx5"
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
    """(channel, action) → messages of 2022."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for path in CAPTURES.glob("*-2022*.jsonl"):
        for message in () if "sent" in path.name else messages_of(path):
            if "data" in message:
                found[message["arg"]["channel"], message.get("action", "")].append(message)
    return found


def messages_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def pushed(**switches: Any) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The same of five simulated seconds."""
    okx = make(**switches)
    clients = [Client(okx, "public"), Client(okx, "business"), Client(okx, "public")]
    names = ("tickers", "trades", "books", "books5", "bbo-tbt")
    symbols = ("BTC-USDT", "BTC-USDT-SWAP", "BTC-USD-SWAP")
    clients[0].ask(*({"channel": name, "instId": one} for name in names for one in symbols))
    clients[0].ask({"channel": "funding-rate", "instId": "BTC-USD-SWAP"})
    clients[0].ask({"channel": "instruments", "instType": "SPOT"}, {"channel": "status"})
    clients[1].ask(*({"channel": name, "instId": "BTC-USDT"} for name in ("candle1m", "candle1D", "trades-all")))
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


def test_todays_messages_are_as_the_specifications_examples() -> None:
    ours = pushed(lists_instruments=True)
    private = make()
    client = Client(private, "private")
    client.say(login_of(client))
    client.ask({"channel": "orders", "instType": "ANY"}, {"channel": "account"}, {"channel": "balance_and_position"})
    future = NewOrder(symbol="BTC-USDT-261225", side="ask", price=Decimal(60_000), volume=Decimal(1))
    private.desk.place("main", future)
    client.ask({"channel": "positions", "instType": "ANY"})
    private.desk.place("main", NewOrder(symbol="BTC-USDT", side="ask", ord_type="market", volume=Decimal("0.01")))
    run(private, 1.0)
    for message in client.pushes():
        ours[message["arg"]["channel"], message.get("action", "")].append(message)
    seen = set()
    for example in messages_of(CAPTURES / "examples_specification.jsonl"):
        channel = example["arg"]["channel"]
        seen.add(channel)
        wanted = {json.dumps(fields(example["data"][0]), sort_keys=True)}
        found = {json.dumps(fields(one["data"][0]), sort_keys=True) for one in ours[channel, example.get("action", "")]}
        assert found == wanted, channel
    assert len(seen) == 13


def fields(row: Any) -> Any:
    """Names and types of a row; of lists within it no more than that they are."""
    if isinstance(row, list):
        return [len(row), {type(one).__name__ for one in row} == {"str"}]
    return {name: type(value).__name__ for name, value in row.items()}


def test_acknowledgements_of_2022_have_no_connection_id() -> None:
    lines = messages_of(CAPTURES / "all_cryptofeed-2022-05-13.jsonl")
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
