"""Orders and balances as REST tells them, in the words of the stream (spec/upbit.md 9.6)."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from tapewire.config import Credentials, Secret
from tapewire.errors import DecodeError
from tapewire.model.events import Asset, MyAssetEvent, MyOrderEvent
from tapewire.venues.contract import Stamp
from tapewire.venues.upbit.account import account

ACCOUNT = account("upbit")
ROW = {
    "market": "KRW-BTC", "uuid": "u1", "side": "bid", "ord_type": "limit", "price": "100.5", "state": "cancel",
    "created_at": "2026-08-13T18:00:01+09:00", "volume": "2", "remaining_volume": "0.5", "executed_volume": "1.5",
    "executed_funds": "150", "paid_fee": "0.075", "locked": "0", "trades_count": 2, "identifier": "mine",
}  # fmt: skip
MADE_MS = 1_786_611_601_000
ORDER = MyOrderEvent(
    venue="upbit", symbol="KRW-BTC", stream_type="REALTIME", uuid="u1", ask_bid="BID", order_type="limit",
    state="cancel", price=Decimal("100.5"), avg_price=Decimal(100), volume=Decimal(2), remaining_volume=Decimal("0.5"),
    executed_volume=Decimal("1.5"), trades_count=2, paid_fee=Decimal("0.075"), locked=Decimal(0),
    executed_funds=Decimal(150), identifier="mine", order_timestamp=MADE_MS,
)  # fmt: skip


def test_an_order_reads_as_the_stream_would_tell_it() -> None:
    assert ACCOUNT.read_orders(msgspec.json.encode([ROW])) == [ORDER]
    assert ACCOUNT.read_orders(b"[]") == []


def test_executions_read_as_trades_of_the_order() -> None:
    fill = {
        "market": "KRW-BTC", "uuid": "f1", "price": "100", "volume": "1.5", "funds": "150", "trend": "up",
        "created_at": "2026-08-13T18:00:02+09:00", "side": "bid",
    }  # fmt: skip
    whole, [told] = ACCOUNT.read_order(msgspec.json.encode(ROW | {"trades": [fill]}))
    assert whole == ORDER
    assert told == MyOrderEvent(
        venue="upbit", symbol="KRW-BTC", stream_type="REALTIME", timestamp=MADE_MS + 1000, uuid="u1", ask_bid="BID",
        order_type="limit", state="trade", trade_uuid="f1", price=Decimal(100), volume=Decimal("1.5"),
        identifier="mine", trade_timestamp=MADE_MS + 1000, order_timestamp=MADE_MS,
    )  # fmt: skip


def test_an_order_without_executions_has_no_mean_price() -> None:
    waiting = ROW | {"state": "wait", "executed_volume": "0", "executed_funds": "0"}
    lean = {name: value for name, value in ROW.items() if name != "executed_funds"}
    assert [one.avg_price for one in ACCOUNT.read_orders(msgspec.json.encode([waiting, lean]))] == [None, None]


def test_balances_read_as_one_event() -> None:
    body = b'[{"currency":"KRW","balance":"10.5","locked":"1","avg_buy_price":"0","unit_currency":"KRW"}]'
    assert ACCOUNT.read_balances(body) == MyAssetEvent(
        venue="upbit", stream_type="REALTIME", assets=[Asset("KRW", Decimal("10.5"), Decimal(1))]
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "no list of orders"),
        (b'{"error":{"name":"jwt_verification","message":"no"}}', "jwt_verification no"),
        (msgspec.json.encode([ROW | {"created_at": "yesterday"}]), "Invalid isoformat string"),
        (msgspec.json.encode([ROW | {"created_at": "2026-08-13T18:00:01"}]), "has no time zone"),
    ],
)
def test_what_is_no_order_is_refused_in_words(body: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        ACCOUNT.read_orders(body)


def test_calls_carry_their_parameters_encoded_and_are_signed_as_they_are() -> None:
    assert ACCOUNT.balances.address == "/v1/accounts"
    assert ACCOUNT.orders_by_id(["a", "b"]).address == "/v1/orders/uuids?uuids%5B%5D=a&uuids%5B%5D=b"
    assert ACCOUNT.order("a").address == "/v1/order?uuid=a"
    assert ACCOUNT.closed_orders(1, 2).address.startswith("/v1/orders/closed?states%5B%5D=done&states%5B%5D=cancel&")
    [(name, value)] = ACCOUNT.sign(Credentials(Secret("a"), Secret("s" * 40)), Stamp("n", 1), ACCOUNT.open_orders(2))
    assert (name, value.split(" ")[0]) == ("Authorization", "Bearer")
