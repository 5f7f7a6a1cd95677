"""How things are shown: numbers, one line for everything, nothing that steers a terminal (RELIABILITY.md S12)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.apps.cli import terminal
from tapewire.apps.cli.news import News
from tapewire.model import status
from tapewire.model.book import BookLevel, DepthOrderbookEvent
from tapewire.model.derivatives import Liquidation, LiquidationEvent, MarkPriceEvent, PriceLimitEvent
from tapewire.model.events import (
    AnnouncementEvent,
    Asset,
    CandleEvent,
    Event,
    IndicatorEvent,
    IndicatorSignalEvent,
    MyAssetEvent,
    MyOrderEvent,
    OrderbookEvent,
    OrderbookUnit,
    TickerEvent,
    TradeEvent,
)
from tapewire.model.line import Loss
from tapewire.model.positions import (
    BalanceAndPositionEvent,
    CashBalance,
    FillEvent,
    PositionChange,
    PositionEvent,
)
from tapewire.model.subscription import Subscription

FROM: dict[str, Any] = {"venue": "upbit", "connection": "upbit-1", "at_ns": 2_000_000_000}
TRADES = Subscription("trade", "KRW-BTC")
MORE = (TRADES, Subscription("ticker", "KRW-BTC"))


@given(st.text())
def test_no_text_can_steer_the_terminal(text: str) -> None:
    assert terminal.plain(text).isprintable()


def test_an_escape_sequence_in_a_market_name_is_made_visible_and_long_text_is_cut() -> None:
    event = TradeEvent(venue="upbit", symbol="KRW\x1b[2J-BTC\u202e", trade_price=1.0)
    assert "\x1b" not in terminal.event_line(event)
    assert terminal.event_line(event).startswith("KRW�[2J-BTC�")
    assert terminal.plain("x" * 1000, 10) == "xxxxxxxxx…"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (143_500_000.0, "143,500,000"),
        (0.00001234, "0.00001234"),
        (1234.5, "1,234.5"),
        (0.0, "0"),
        (-2.0, "-2"),
    ],
)
def test_prices_have_all_their_digits(value: float | None, shown: str) -> None:
    assert terminal.price(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (1_234_567.0, "1.235M"), (12.0, "12"), (0.0512, "0.0512"), (0.00007857, "0.00007857"), (2e12, "2T")],
)
def test_amounts_are_short(value: float | None, shown: str) -> None:
    assert terminal.amount(value) == shown


def test_an_address_is_shown_without_its_password() -> None:
    assert terminal.address("wss://me:hunter2@host:1/path@x") == "wss://host:1/path@x"
    assert terminal.address("ws://127.0.0.1:9001/websocket/v1") == "ws://127.0.0.1:9001/websocket/v1"


@pytest.mark.parametrize(("size", "shown"), [(0, "0 B"), (999, "999 B"), (12_345, "12.3 kB"), (3_000_000, "3.0 MB")])
def test_sizes(size: int, shown: str) -> None:
    assert terminal.size_of(size) == shown


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            TickerEvent(venue="u", symbol="KRW-BTC", trade_price=2.5, signed_change_rate=-0.01, acc_trade_volume_24h=9),
            "KRW-BTC      ticker     2.5  -1.00%  24h 9",
        ),
        (
            MyOrderEvent(
                venue="u", symbol="KRW-BTC", uuid="o-1", state="trade", ask_bid="BID", order_type="limit",
                price=Decimal(143_500_000), volume=Decimal("0.10"), remaining_volume=Decimal("1E-8"),
            ),
            "KRW-BTC      myOrder    trade: buy limit 0.10 at 143,500,000  left 0.00000001  order o-1",
        ),
        (
            MyOrderEvent(venue="u", symbol="KRW-BTC", uuid="o-1", state="wait", ask_bid="ASK", order_type="market"),
            "KRW-BTC      myOrder    wait: sell market – at –  left –  order o-1",
        ),
        (
            MyAssetEvent(
                venue="u", assets=[Asset("KRW", Decimal("1000.5"), Decimal(2)), Asset("B", Decimal(1), Decimal(0))]
            ),
            "             myAsset    KRW 1,000.5 (2 locked), B 1 (0 locked)",
        ),
        (
            FillEvent(
                venue="okx", symbol="BTC-USDT", uuid="o-1", ask_bid="BID", price=Decimal("1E5"), volume=Decimal("0.5"),
                sequential_id=7, is_maker=False, count=1,
            ),
            "BTC-USDT     myFill     buy 0.5 at 100,000  taker  id 7  order o-1",
        ),
        (
            BalanceAndPositionEvent(
                venue="okx", event_type="filled", balances=[CashBalance(currency="USDT", balance=Decimal("1E3"))],
                positions=[PositionChange(symbol="BTC-USDT-SWAP", position=Decimal(-3))],
            ),
            "             balanceAndPosition filled: USDT 1,000, BTC-USDT-SWAP -3",
        ),
        (BalanceAndPositionEvent(venue="okx"), "             balanceAndPosition now: –"),
        (
            AnnouncementEvent(venue="u", symbol="", uuid="a-1", category="trade", title="KRW-X opens", url="https://x/1"),
            "             announcement trade: KRW-X opens  https://x/1",
        ),
        (
            IndicatorEvent(
                venue="u", symbol="KRW-BTC", timeframe="5m", indicator="rsi", value={"rsi": 61.25},
                candle_date_time_utc="2026-09-03T04:50:00",
            ),
            "KRW-BTC      indicator.5m 2026-09-03T04:50:00Z  rsi rsi 61.25",
        ),
        (
            IndicatorSignalEvent(
                venue="u", symbol="KRW-BTC", timeframe="1d", indicator="macd", trigger="golden_cross",
                value={"macd": 1e6}, candle_date_time_utc="2026-09-03T00:00:00",
            ),
            "KRW-BTC      indicator_signal.1d 2026-09-03T00:00:00Z  macd golden_cross  macd 1,000,000",
        ),
        (
            TradeEvent(venue="u", symbol="KRW-BTC", trade_price=2.0, trade_volume=0.5, ask_bid="ASK", sequential_id=7),
            "KRW-BTC      trade      sell 0.5 at 2  id 7",
        ),
        (
            OrderbookEvent(venue="u", symbol="KRW-BTC", orderbook_units=[OrderbookUnit(2.0, 1.0, 4.0, 3.0)]),
            "KRW-BTC      orderbook  bid 1 × 3  ask 2 × 4",
        ),
        (OrderbookEvent(venue="u", symbol="KRW-BTC"), "KRW-BTC      orderbook  empty"),
        (
            CandleEvent(venue="u", symbol="KRW-BTC", unit="1s", candle_date_time_utc="2026-01-01T00:00:00",
                        opening_price=1.0, high_price=4.0, low_price=0.5, trade_price=2.0),
            "KRW-BTC      candle.1s  2026-01-01T00:00:00Z  O 1  H 4  L 0.5  C 2",
        ),
        (
            TickerEvent(venue="okx", symbol="BTC-USDT", trade_price=30236.0, acc_trade_volume_24h=17602.0),
            "BTC-USDT     ticker     30,236  24h 17.6K",
        ),
        (
            DepthOrderbookEvent(venue="okx", symbol="BTC-USDT", asks=[BookLevel(2.0, 4.0)], bids=[BookLevel(1.0, 3.0)]),
            "BTC-USDT     orderbook  bid 1 × 3  ask 2 × 4",
        ),
        (
            MarkPriceEvent(venue="okx", symbol="BTC-USDT", market_type="MARGIN", mark_price=42310.6, timestamp=1),
            "BTC-USDT     markPrice  market type MARGIN  mark price 42,310.6",
        ),
        (
            PriceLimitEvent(venue="okx", symbol="BTC-USDT", highest_bid=200.0, enabled=True),
            "BTC-USDT     priceLimit highest bid 200  enabled yes",
        ),
        (
            LiquidationEvent(venue="okx", symbol="BTC-USDT-SWAP", liquidations=[Liquidation()]),
            "BTC-USDT-SWAP liquidation 1 liquidations",
        ),
        (
            PositionEvent(venue="okx", symbol="BTC-USDT-SWAP", position=Decimal(-1500), trade_id=7, fields={"x": 1}),
            "BTC-USDT-SWAP myPosition position -1,500  trade id 7",
        ),
        (
            PriceLimitEvent(venue="okx", symbol="BTC-USDT", enabled=False),
            "BTC-USDT     priceLimit enabled no",
        ),
    ],
)  # fmt: skip
def test_one_line_for_each_kind_of_event(event: Event, line: str) -> None:
    assert terminal.event_line(event) == line


def gap(state: status.GapState, **known: Any) -> status.Gap:
    return status.Gap(**FROM, subscription=TRADES, cause="closed", state=state, from_ns=10**9, **known)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (status.Connecting(**FROM, url="ws://x", attempt=1), "connecting to ws://x"),
        (status.Connecting(**FROM, url="ws://x", attempt=3), "connecting to ws://x (attempt 3)"),
        (status.Connected(**FROM, url="ws://x", reconnect=0), "connected to ws://x"),
        (status.Connected(**FROM, url="ws://x", reconnect=2), "connected again (2) to ws://x"),
        (
            status.Disconnected(**FROM, loss=Loss("closed", 1001, "away"), attempt=1, retry_in=1.25),
            "line lost: closed (1001 away); next attempt in 1.2 s",
        ),
        (
            status.Disconnected(**FROM, loss=Loss("reset"), attempt=9, retry_in=None, final=True),
            "line lost: reset; giving up",
        ),
        (status.Disconnected(**FROM, loss=Loss("stopped"), attempt=1, retry_in=None, final=True), "line closed by us"),
        (status.Subscribed(**FROM, subscriptions=(TRADES,)), "trade KRW-BTC live"),
        (status.Recovered(**FROM, subscriptions=MORE, seconds=1.0), "2 streams back after 1.00 s"),
        (
            status.Rejected(**FROM, name="WRONG_FORMAT", message="no", subscriptions=MORE),
            "refused: WRONG_FORMAT: no (2 streams)",
        ),
        (status.Rejected(**FROM, name="BUSY", message="later"), "refused: BUSY: later"),
        (gap("open", last_id=7), "gap in trade KRW-BTC (closed): still open, after id 7"),
        (
            gap("unfilled", to_ns=2 * 10**9, last_id=7, first_id=9, last_timestamp=1000, first_timestamp=2500),
            "gap in trade KRW-BTC (closed): may lack some, 1.50 s, after id 7, before id 9",
        ),
        (gap("nothing_missed", to_ns=2 * 10**9, last_id=7, first_id=7),
         "gap in trade KRW-BTC (closed): missed nothing, 1.00 s"),
        (status.Stale(**FROM, subscription=TRADES, silent=61.0, limit=60.0),
         "trade KRW-BTC silent for 61 s (limit 60 s)"),
        (status.Stale(**FROM, subscription=TRADES, silent=0.0, limit=60.0, over=True), "trade KRW-BTC has data again"),
        (
            status.Lagged(**FROM, subscriber="record", rule="drop_oldest", dropped=1200, total_dropped=1200, size=10),
            "record fell behind: 1,200 events dropped (drop_oldest)",
        ),
        (
            status.Conflict(**FROM, subscription=TRADES, sequential_id=7, delivered=status.TradeBody(1.5, 2.0, "BID"),
                            refused=status.TradeBody(), count=4),
            "two trades of KRW-BTC have the id 7: one is refused",
        ),
        (
            status.Notice(**FROM, name="64008", message="Closing soon.", moving=True),
            "notice 64008 Closing soon.",
        ),
        (
            status.Limited(**FROM, group="candles", status=418, seconds=30.0),
            "over the limit of candles (HTTP 418): waits 30.0 s",
        ),
        (status.Limited(**FROM, group="", status=429, seconds=2.0), "over the limit of REST (HTTP 429): waits 2.0 s"),
        (status.Quarantined(**FROM, reason="no JSON", payload=b"\x1b[2J", count=1),
         "unreadable frame kept apart: no JSON: b'\\x1b[2J'"),
        (status.CallbackFailed(**FROM, subscriber="mine", error="ValueError('x')", traceback=""),
         "callback mine raised ValueError('x')"),
        (status.Stopped(**FROM, reason="asked"), "stopped: asked"),
    ],
)  # fmt: skip
def test_one_line_for_each_step_of_the_feed(event: status.FeedEvent, line: str) -> None:
    assert terminal.feed_line(event)[1] == f"upbit-1: {line}"


def test_gaps_of_one_loss_are_told_together() -> None:
    news = News()
    assert news.hear(gap("full_state"), 1.0) == []
    assert news.hear(TradeEvent(venue="upbit", symbol="KRW-BTC"), 1.1) == []
    assert news.hear(gap("full_state"), 1.2) == []
    assert news.hear(gap("nothing_missed"), 1.2) == []
    assert news.hear(gap("unfilled", last_id=1), 1.3) == []
    assert [line for _, line in news.hear(status.Recovered(**FROM, subscriptions=MORE, seconds=1.0), 1.4)] == [
        "upbit-1: gap in trade KRW-BTC (closed): may lack some, after id 1",
        "upbit-1: gaps (closed): 2 complete again, 1 missed nothing",
        "upbit-1: 2 streams back after 1.00 s",
    ]


def test_a_single_gap_is_told_soon_although_no_step_of_the_feed_follows() -> None:
    news = News()
    event = TradeEvent(venue="upbit", symbol="KRW-BTC")
    news.hear(gap("full_state"), 1.0)
    assert news.hear(event, 1.4) == []
    assert [line for _, line in news.hear(event, 1.5)] == ["upbit-1: gaps (closed): 1 complete again"]
    assert news.due() == []


def test_a_market_refused_for_several_types_is_told_once() -> None:
    news = News()

    def told(kind: str, code: str) -> list[str]:
        subscriptions = (Subscription(kind, code),)
        refusal = status.Rejected(**FROM, name="UnknownSymbol", message=f"no {code}", subscriptions=subscriptions)
        return [line for _, line in news.hear(refusal, 1.0)]

    assert told("ticker", "KRW-A") == ["upbit-1: refused: UnknownSymbol: no KRW-A (ticker KRW-A)"]
    assert told("ticker", "KRW-B") == ["upbit-1: refused: UnknownSymbol: no KRW-B (ticker KRW-B)"]
    assert told("trade", "KRW-A") == told("trade", "KRW-B") == []
    news.hear(status.Connecting(**FROM, url="ws://x", attempt=1), 2.0)
    assert told("trade", "KRW-A") == ["upbit-1: refused: UnknownSymbol: no KRW-A (trade KRW-A)"]


def test_an_error_of_the_exchange_that_comes_again_is_told_again() -> None:
    news = News()
    refusal = status.Rejected(**FROM, name="WRONG_FORMAT", message="bad request")
    assert news.hear(refusal, 1.0) == news.hear(refusal, 1.1) != []
