"""Fills, and cash with positions, as OKX's REST tells them, in the words of the stream (spec/okx.md A7.4, A7.5, A8)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tapewire.errors import DecodeError
from tapewire.model.positions import BalanceAndPositionEvent, CashBalance, FillEvent, PositionChange, TradeReference
from tapewire.venues.okx import GLOBAL
from tapewire.venues.okx.account import account
from tapewire.venues.okx.history import frame
from tapewire.venues.okx.holdings import PAGE, TYPES
from tests.venues.okx.asking import FILL_ROW, NOW, converse, example

ACCOUNT = account("okx", demo=False)
DAY = 86_400_000
FILL = FillEvent(
    venue="okx", symbol="BTC-USDT", uuid="452197707845865472", ask_bid="ASK", price=Decimal("31527.1"),
    volume=Decimal("0.001"), sequential_id=242589207, timestamp=1654084353264, is_maker=True, count=1,
)  # fmt: skip
PUSHED = {
    "instId": "BTC-USDT", "fillSz": "0.001", "fillPx": "31527.1", "side": "sell", "ts": "1654084353264",
    "ordId": "452197707845865472", "clOrdId": "77", "tradeId": "242589207", "execType": "M", "count": "1",
}  # fmt: skip


def read(said: dict[str, Any]) -> Any:
    [event] = GLOBAL.codec("default", "float", False).read(msgspec.json.encode(said)).events
    return event


def test_an_execution_reads_as_the_streams_message_of_it() -> None:
    asked, told = converse(ACCOUNT.fills(NOW - 1, NOW), lambda _: [FILL_ROW | {"clOrdId": "77"}])
    assert asked == ["/api/v5/trade/fills?limit=100"]
    assert told == [msgspec.structs.replace(FILL, identifier="77")]
    assert told == [read({"arg": {"channel": "fills", "uid": "1"}, "data": [PUSHED]})]


def test_executions_are_asked_page_by_page_until_one_is_too_old() -> None:
    rows = [FILL_ROW | {"billId": str(number), "ts": str(NOW + number)} for number in range(350, 0, -1)]

    def answer(address: str) -> list[Any]:
        after = int(address.partition("after=")[2].partition("&")[0] or 351)
        return [one for one in rows if int(one["billId"]) < after][:PAGE]

    path = "/api/v5/trade/fills?"
    for since, afters, count in ((NOW + 350, 1, 100), (NOW + 251, 2, 200), (NOW + 252, 1, 100), (NOW, 4, 350)):
        asked, told = converse(ACCOUNT.fills(since, NOW + 400), answer)
        assert asked == [f"{path}limit=100", *(f"{path}after={last}&limit=100" for last in (251, 151, 51))][:afters]
        assert [event.timestamp for event in told] == [int(row["ts"]) for row in rows[:count]]


def test_what_is_older_than_three_days_is_asked_type_by_type() -> None:
    asked, told = converse(ACCOUNT.fills(NOW - 3 * DAY, NOW), lambda address: [FILL_ROW] if "SWAP" in address else [])
    assert asked == [f"/api/v5/trade/fills-history?instType={kind}&limit=100" for kind in TYPES]
    assert told == [FILL]


def test_cash_and_positions_read_as_one_event_of_the_stream() -> None:
    def answer(address: str) -> list[Any]:
        if address.endswith("balance"):
            return list(example("account")["data"])
        [row] = example("positions")["data"]
        return [row, row | {"posId": "2", "pos": "0"}]

    asked, told = converse(ACCOUNT.cash(), answer)
    assert asked == ["/api/v5/account/balance", "/api/v5/account/positions"]
    assert told == BalanceAndPositionEvent(
        venue="okx",
        timestamp=1751526650000,
        balances=[CashBalance(currency="USDT", balance=Decimal("100.52768569797846"), updated_at=1751526647084)],
        positions=[
            PositionChange(
                position_id="307173036051017730", symbol="ETH-USD-210430", market_type="FUTURES",
                margin_mode="isolated", position_side="long", position=Decimal(1), avg_price=Decimal("2566.31"),
                currency="ETH", trade_id=109844, updated_at=1619507761462,
            )
        ],
    )  # fmt: skip


BALANCE = {"details": [{"ccy": "BTC", "cashBal": "1"}], "uTime": "5"}


@pytest.mark.parametrize(
    ("balances", "positions", "reason"),
    [
        ([], [], "of 0 accounts, not of one"),
        (["text"], [], "no list of balances: expected an object"),
        ([{"uTime": "5"}], [], "no list of balances: balData"),
        ([{"details": [{"cashBal": "1"}]}], [], "no list of balances: ccy: no value"),
        ([BALANCE | {"uTime": "soon"}], [], "no list of balances: pTime"),
        ([BALANCE], ["text"], "no list of positions: expected an object"),
        ([BALANCE], [{"pos": "many"}], "no list of positions: pos"),
    ],
)
def test_what_is_something_else_is_refused_in_words(balances: list[Any], positions: list[Any], reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        converse(ACCOUNT.cash(), lambda address: balances if address.endswith("balance") else positions)


def test_a_fill_that_cannot_be_one_is_refused_in_words() -> None:
    with pytest.raises(DecodeError, match="no list of fills: ordId: no value"):
        converse(ACCOUNT.fills(NOW, NOW), lambda _: [FILL_ROW | {"ordId": ""}])


def test_the_message_of_a_recovered_event_reads_as_the_event() -> None:
    said = example("balance_and_position")
    live: BalanceAndPositionEvent = read(said)
    changed = msgspec.structs.replace(
        live, event_type=None, balances=[CashBalance(currency="BTC", balance=Decimal(0))], trades=[]
    )
    referred = msgspec.structs.replace(live, trades=[TradeReference(symbol="BTC-USDT", trade_id=3)])
    for event in (live, changed, referred, FILL, msgspec.structs.replace(FILL, is_maker=None, identifier="x")):
        reading = GLOBAL.codec("default", "float", False).read(frame(event))
        assert reading.quarantined == ()
        assert reading.events == (event,)
