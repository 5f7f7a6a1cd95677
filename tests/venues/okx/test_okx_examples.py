"""The example pushes of spec/okx.md: nothing of them is lost, and those of each private channel are as written here."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tapewire.config import Numbers
from tapewire.model.derivatives import (
    FundingRateEvent,
    IndexTickerEvent,
    Liquidation,
    LiquidationEvent,
    MarkPriceEvent,
    OpenInterestEvent,
    PriceLimitEvent,
)
from tapewire.model.events import Asset, CandleEvent, Event, MyAssetEvent, MyOrderEvent
from tapewire.model.listing import InstrumentEvent, StatusEvent
from tapewire.model.positions import (
    BalanceAndPositionEvent,
    CashBalance,
    FillEvent,
    PositionChange,
    PositionEvent,
    TradeReference,
)
from tapewire.venues.okx.codec import OkxCodec
from tests.venues.okx.wire import lines

EXAMPLES = {json.loads(line)["arg"]["channel"]: line for line in lines("examples_specification")}
FILL = b'{"arg":{"channel":"fills","instId":"BTC-USDT-SWAP","uid":"1"},"data":[{"instId":"BTC-USDT-SWAP","fillSz":"100","fillPx":"70000","side":"buy","ts":"1705449605015","ordId":"680800019749904384","clOrdId":"1234567890","tradeId":"12345","execType":"T","count":"10"}]}'  # noqa: E501
LIQUIDATION = b'{"arg":{"channel":"liquidation-orders","instType":"SWAP"},"data":[{"details":[{"bkLoss":"0","bkPx":"0.007831","ccy":"","posSide":"short","side":"buy","sz":"13","ts":"1692266434010"}],"instFamily":"IOST-USDT","instId":"IOST-USDT-SWAP","instType":"SWAP","uly":"IOST-USDT"}]}'  # noqa: E501


def read(frame: bytes, numbers: Numbers = "float") -> Any:
    reading = OkxCodec("okx", "DEFAULT", numbers, False).read(frame)
    assert not reading.quarantined
    [event] = reading.events
    return event


def leaves(value: Any) -> list[str]:
    """Every plain value in it, as text."""
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in leaves(one)]
    if isinstance(value, (list, tuple)):
        return [leaf for one in value for leaf in leaves(one)]
    return [] if value in ("", None) else [_plain(value)]


def _plain(value: Any) -> str:
    try:
        return format(Decimal(str(value)).normalize(), "f")
    except ArithmeticError:
        return {"buy": "BID", "sell": "ASK", "M": "True", "T": "False"}.get(str(value), str(value))


@pytest.mark.parametrize("channel", [channel for channel in EXAMPLES if channel != "candle1D"])
def test_every_value_of_an_example_is_in_its_event(channel: str) -> None:
    event = read(EXAMPLES[channel], "decimal")
    told = leaves(msgspec.to_builtins(event, builtin_types=(Decimal,)))
    assert [leaf for leaf in leaves(json.loads(EXAMPLES[channel])["data"]) if leaf not in told] == []


def test_an_instrument_keeps_its_other_fields_by_name() -> None:
    said = json.loads(EXAMPLES["instruments"])["data"][0]
    event = read(EXAMPLES["instruments"])
    assert event == InstrumentEvent(
        venue="okx", symbol="BTC-USDT", market_type="SPOT", state="live", base="BTC", quote="USDT",
        tick_size=Decimal("0.1"), lot_size=Decimal("0.00000001"), min_size=Decimal("0.00001"), leverage=Decimal(10),
        listed_at=1606468572000, fields=event.fields,
    )  # fmt: skip
    typed = {"instId", "instType", "state", "baseCcy", "quoteCcy", "tickSz", "lotSz", "minSz", "lever", "listTime"}
    assert event.fields == {name: value for name, value in said.items() if value != "" and name not in typed}
    assert event.fields["futureSettlement"] is False


def test_an_order_is_that_of_its_execution() -> None:
    said = json.loads(EXAMPLES["orders"])["data"][0]
    event = read(EXAMPLES["orders"])
    assert event == MyOrderEvent(
        venue="okx", symbol="BTC-USDT", uuid="452197707845865472", ask_bid="ASK", order_type="limit", state="filled",
        trade_uuid="242589207", price=Decimal("31527.1"), volume=Decimal("0.001"), avg_price=Decimal("31527.1"),
        executed_volume=Decimal("0.001"), is_maker=True, trade_timestamp=1654084353263, order_timestamp=1654084334977,
        timestamp=1654084353264, fields=event.fields,
    )  # fmt: skip
    assert (event.fields["fee"], event.fields["feeCcy"], event.fields["px"]) == ("-0.02522168", "USDT", "31527.1")
    assert event.fields["linkedAlgoOrd"] == said["linkedAlgoOrd"]
    assert "" not in event.fields.values()


def test_an_order_without_an_execution_has_its_own_price() -> None:
    frame = (
        EXAMPLES["orders"].replace(b'"tradeId":"242589207"', b'"tradeId":""').replace(b'"px":"31527.1"', b'"px":"3"')
    )
    event = read(frame.replace(b'"execType":"M"', b'"execType":""'))
    assert (event.trade_uuid, event.price, event.volume, event.is_maker) == (None, 3, Decimal("0.001"), None)


def test_balances_are_absolute_and_the_rest_is_kept() -> None:
    event = read(EXAMPLES["account"])
    free = Decimal("100.52768569797846")
    assert event == MyAssetEvent(
        venue="okx", assets=[Asset("USDT", free, Decimal(0))], asset_timestamp=1751526650000, timestamp=1751526650000,
        fields=event.fields,
    )  # fmt: skip
    assert event.fields["details"][0]["eqUsd"] == "100.55985455740182"
    assert (event.fields["eventType"], event.fields["curPage"], event.fields["lastPage"]) == ("snapshot", 1, True)
    bare = read(b'{"arg":{"channel":"account"},"data":[{"details":[]}]}')
    assert bare == MyAssetEvent(venue="okx", fields={"details": []})


def test_a_position() -> None:
    event = read(EXAMPLES["positions"])
    assert event == PositionEvent(
        venue="okx", symbol="ETH-USD-210430", position_id="307173036051017730", market_type="FUTURES",
        margin_mode="isolated", position_side="long", position=Decimal(1), available=Decimal(1),
        avg_price=Decimal("2566.31"), mark_price=Decimal("2353.849"), liquidation_price=Decimal("2352.8496681818233"),
        leverage=Decimal(10), margin=Decimal("0.0003896645377994"), unrealized_profit=Decimal("-0.0000009932766034"),
        realized_profit=Decimal("0.001"), currency="ETH", trade_id=109844, created_at=1619507758793,
        updated_at=1619507761462, timestamp=1619507761462, fields=event.fields,
    )  # fmt: skip
    assert (event.fields["adl"], event.fields["eventType"]) == ("1", "snapshot")


def test_cash_and_positions_that_one_fill_changed() -> None:
    assert read(EXAMPLES["balance_and_position"]) == BalanceAndPositionEvent(
        venue="okx", event_type="filled", timestamp=1597026383085,
        balances=[CashBalance(currency="BTC", balance=Decimal(1), updated_at=1597026383085)],
        positions=[
            PositionChange(
                position_id="1111111111", trade_id=2, symbol="BTC-USD-191018", market_type="FUTURES",
                margin_mode="cross", position_side="long", position=Decimal(10), currency="BTC",
                avg_price=Decimal(3320), updated_at=1597026383085,
            )
        ],
        trades=[TradeReference(symbol="BTC-USD-191018", trade_id=2)],
    )  # fmt: skip
    assert read(b'{"arg":{"channel":"balance_and_position"},"data":[{}]}') == BalanceAndPositionEvent(venue="okx")


def test_a_fill() -> None:
    assert read(FILL) == FillEvent(
        venue="okx", symbol="BTC-USDT-SWAP", uuid="680800019749904384", ask_bid="BID", price=Decimal(70000),
        volume=Decimal(100), sequential_id=12345, identifier="1234567890", is_maker=False, count=10,
        timestamp=1705449605015,
    )  # fmt: skip


def test_a_liquidation_has_the_time_of_its_newest_order() -> None:
    assert read(LIQUIDATION) == LiquidationEvent(
        venue="okx", symbol="IOST-USDT-SWAP", market_type="SWAP", family="IOST-USDT", underlying="IOST-USDT",
        timestamp=1692266434010,
        liquidations=[
            Liquidation(
                ask_bid="BID", position_side="short", bankruptcy_price=0.007831, volume=13.0, bankruptcy_loss=0.0,
                timestamp=1692266434010,
            )
        ],
    )  # fmt: skip
    assert read(LIQUIDATION.replace(b'"ts":"1692266434010"', b'"ts":""')).timestamp is None


def test_maintenance_belongs_to_no_market() -> None:
    assert read(EXAMPLES["status"]) == StatusEvent(
        venue="okx", title="Trading account WebSocket system upgrade", state="completed", begin=1672823400000,
        end=1672825980000, service_type="0", system="unified", maintenance_type="1", environment="1",
        timestamp=1672826038470,
    )  # fmt: skip


def test_a_candle_of_nine_elements_says_whether_its_window_is_over() -> None:
    row = '"1597026383085","8533.02","8553.74","8527.17","8548.26","45247","529.5858061","5529.5858061","%s"'
    frame = '{"arg":{"channel":"candle1D","instId":"%s"},"data":[[' + row + "]]}"
    spot = read((frame % ("BTC-USDT", "1")).encode())
    assert (spot.final, spot.candle_acc_trade_volume, spot.candle_acc_trade_price) == (True, 45247.0, 529.5858061)
    swap = read((frame % ("BTC-USDT-SWAP", "0")).encode())
    assert swap == CandleEvent(
        venue="okx", symbol="BTC-USDT-SWAP", unit="1D", timestamp=1597026383085, final=False,
        candle_date_time_utc="2020-08-10T02:26:23", candle_date_time_kst="2020-08-10T11:26:23", opening_price=8533.02,
        high_price=8553.74, low_price=8527.17, trade_price=8548.26, contracts=45247.0,
        candle_acc_trade_volume=529.5858061, candle_acc_trade_price=5529.5858061,
    )  # fmt: skip
    thin = read((frame % ("BTC-USDT-SWAP", "0")).replace('"529.5858061"', '""').encode())
    assert (thin.contracts, thin.candle_acc_trade_volume) == (45247.0, None)


SMALL: dict[str, Event] = {
    '{"arg":{"channel":"mark-price","instId":"BTC-USDT"},"data":[{"instType":"MARGIN","instId":"BTC-USDT","markPx":"42310.6","ts":"1630049139746"}]}':
        MarkPriceEvent(
            venue="okx", symbol="BTC-USDT", market_type="MARGIN", mark_price=42310.6, timestamp=1630049139746
        ),
    '{"arg":{"channel":"index-tickers","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","idxPx":"0.1","high24h":"0.5","low24h":"0.2","open24h":"0.3","sodUtc0":"0.4","sodUtc8":"0.6","ts":"1597026383085"}]}':
        IndexTickerEvent(
            venue="okx", symbol="BTC-USDT", index_price=0.1, high_price_24h=0.5, low_price_24h=0.2,
            opening_price_24h=0.3, opening_price=0.4, opening_price_utc8=0.6, timestamp=1597026383085,
        ),
    '{"arg":{"channel":"open-interest","instId":"LTC-USD-SWAP"},"data":[{"instType":"SWAP","instId":"LTC-USD-SWAP","oi":"5000","oiCcy":"555.55","oiUsd":"50000","ts":"1743041250440"}]}':
        OpenInterestEvent(
            venue="okx", symbol="LTC-USD-SWAP", market_type="SWAP", open_interest=5000.0, open_interest_currency=555.55,
            open_interest_usd=50000.0, timestamp=1743041250440,
        ),
    '{"arg":{"channel":"price-limit","instId":"LTC-USD-190628"},"data":[{"instId":"LTC-USD-190628","buyLmt":"200","sellLmt":"300","ts":"1597026383085","enabled":true}]}':
        PriceLimitEvent(
            venue="okx", symbol="LTC-USD-190628", highest_bid=200.0, lowest_ask=300.0, enabled=True,
            timestamp=1597026383085,
        ),
    '{"arg":{"channel":"price-limit","instId":"LTC-USD-190628"},"data":[{"instId":"LTC-USD-190628","buyLmt":"","sellLmt":"","ts":"1597026383085","enabled":"false"}]}':
        PriceLimitEvent(venue="okx", symbol="LTC-USD-190628", enabled=False, timestamp=1597026383085),
    '{"arg":{"channel":"funding-rate","instId":"BTC-USD-SWAP"},"data":[{"formulaType":"noRate","fundingRate":"0.0001875391284828","fundingTime":"1700726400000","impactValue":"","instId":"BTC-USD-SWAP","instType":"SWAP","interestRate":"","method":"next_period","maxFundingRate":"0.00375","minFundingRate":"-0.00375","nextFundingRate":"0.0002608059239328","nextFundingTime":"1700755200000","premium":"0.0001233824646391","settFundingRate":"0.0001699799259033","settState":"settled","ts":"1700724675402"}]}':
        FundingRateEvent(
            venue="okx", symbol="BTC-USD-SWAP", market_type="SWAP", formula_type="noRate", method="next_period",
            funding_rate=0.0001875391284828, funding_time=1700726400000, next_funding_rate=0.0002608059239328,
            next_funding_time=1700755200000, max_funding_rate=0.00375, min_funding_rate=-0.00375,
            premium=0.0001233824646391, settlement_funding_rate=0.0001699799259033, settlement_state="settled",
            timestamp=1700724675402,
        ),
}  # fmt: skip


@pytest.mark.parametrize(("frame", "event"), SMALL.items(), ids=[event.kind for event in SMALL.values()])
def test_figures_of_derivatives(frame: str, event: Event) -> None:
    assert read(frame.encode()) == event
