"""A market that tells a tape: what was recorded, as it was; what was not is refused, never made up."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from tapewire.model.events import CandleEvent, MyAssetEvent, OrderbookEvent, OrderbookUnit, TickerEvent, TradeEvent
from tapewire.model.subscription import Subscription
from tapewire.sim.peer import Exchange
from tapewire.sim.scenario import Scenario, build, listings, side_of
from tapewire.sim.taped import TapedMarket
from tapewire.venues.exchange import HttpAnswer, HttpCall, Ladder, NothingThere
from tests.sim.draws import seeded
from tests.sim.test_peer import Told

START = 1_786_611_600_000
STREAMS = [
    *(Subscription(kind, "KRW-BTC") for kind in ("trade", "ticker", "orderbook", "myAsset")),
    Subscription("orderbook", "KRW-BTC", level=10_000),
    Subscription("candle", "KRW-BTC", unit="1s"),
    Subscription("ticker", "KRW-ETH"),
]
OKX = [
    *(Subscription(kind, "BTC-USDT") for kind in ("trade", "ticker", "orderbook")),
    Subscription("candle", "BTC-USDT", unit="1H"),
]


class Clock:
    ms = START


def market(venue: str = "upbit", streams: Sequence[Subscription] = tuple(STREAMS)) -> TapedMarket:
    scenario = Scenario(venue=venue, markets=tuple(dict.fromkeys(one.symbol for one in streams)))
    side = side_of(scenario)
    return TapedMarket(
        venue, listings(scenario, side=side), streams, rhythm=side.rhythm, clock_ms=lambda: Clock.ms,
        units=side.candle_units, chance=seeded(),
    )  # fmt: skip


def exchange(taped: TapedMarket, venue: str = "upbit") -> Exchange:
    return build(Scenario(venue=venue), START, taped)


def trade(ms: int, number: int, price: float = 100.0, **more: Any) -> TradeEvent:
    common: dict[str, Any] = {"venue": "upbit", "symbol": "KRW-BTC", "stream_type": "REALTIME", "ask_bid": "BID"}
    return TradeEvent(
        **(common | more), trade_price=price, trade_volume=0.5, sequential_id=number, trade_timestamp=START + ms,
        timestamp=START + ms + 50,
    )  # fmt: skip


def ticker(price: float, symbol: str = "KRW-BTC", **more: Any) -> TickerEvent:
    return TickerEvent(**({"venue": "upbit", "symbol": symbol, "stream_type": "REALTIME"} | more), trade_price=price)


def book(levels: int, first: float = 100.5, level: float = 0.0) -> OrderbookEvent:
    units = [OrderbookUnit(first + n, first - 1 - n, 0.25, 0.5) for n in range(levels)]
    return OrderbookEvent(venue="upbit", symbol="KRW-BTC", stream_type="REALTIME", orderbook_units=units, level=level)


def candle(second: int, price: float) -> CandleEvent:
    return CandleEvent(
        venue="upbit", symbol="KRW-BTC", stream_type="REALTIME", unit="1s", trade_price=price,
        candle_date_time_utc=f"2026-08-13T09:00:{second:02d}",
    )  # fmt: skip


def kinds(taped: TapedMarket, *events: Any) -> list[tuple[str, str]]:
    return [(due.kind, due.unit) for event in events for due in taped.hear(event)]


def test_each_event_is_published_once_and_is_the_state_then() -> None:
    taped = market()
    assert kinds(taped, trade(5, 1), ticker(7.0), book(3), candle(1, 9.0)) == [
        ("trade", ""), ("ticker", ""), ("orderbook-fast", "0"), ("orderbook", "0"), ("candle", "1s"),
    ]  # fmt: skip
    assert kinds(taped, book(2, level=10_000.0)) == [("orderbook-fast", "10000"), ("orderbook", "10000")]
    assert kinds(taped, trade(6, 2, stream_type="SNAPSHOT")) == []
    assert kinds(taped, MyAssetEvent(venue="upbit", symbol="KRW-BTC"), ticker(1.0, "KRW-XRP")) == []
    assert taped.last_trade("KRW-BTC").sequential_id == 2
    assert [one.sequential_id for one in taped.trades_made] == [1]
    assert (taped.ticker("KRW-BTC").trade_price, taped.candle("KRW-BTC", "1s").trade_price) == (7.0, 9.0)
    assert (
        len(taped.orderbook("KRW-BTC").orderbook_units),
        len(taped.orderbook("KRW-BTC", 10_000).orderbook_units),
    ) == (3, 2)
    Clock.ms = START + 5_000
    assert (taped.advance(5.0), taped.now_ms) == ([], START + 5_000)
    Clock.ms = START
    assert (list(taped.symbols), taped.listing("KRW-BTC").base) == (["KRW-BTC", "KRW-ETH"], "BTC")
    assert (taped.tick_size("KRW-BTC"), market("okx", OKX).tick_size("BTC-USDT")) == ("1000", "0.1")


def test_the_deepest_book_counts() -> None:
    taped = market()
    assert len(kinds(taped, book(30), book(5), book(29))) == 4
    assert len(taped.orderbook("KRW-BTC").orderbook_units) == 29
    taped = market()
    for levels in (5, 30, 10):
        taped.prime(book(levels))
    assert len(taped.orderbook("KRW-BTC").orderbook_units) == 30


def test_what_is_first_on_the_tape_stands_for_what_was_before() -> None:
    taped = market()
    for event in (ticker(1.0), ticker(2.0), ticker(3.0, "KRW-XRP")):
        taped.prime(event)
    assert taped.ticker("KRW-BTC").trade_price == 1.0
    with pytest.raises(NothingThere, match="has not come to the first trade of KRW-BTC yet"):
        taped.last_trade("KRW-BTC")
    with pytest.raises(NothingThere, match="the tape has no ticker of KRW-XRP; it has nothing of it"):
        taped.ticker("KRW-XRP")


def test_a_ladder_is_the_book_in_whole_numbers() -> None:
    taped = market()
    assert taped.ladder("KRW-BTC") == Ladder({}, {}, -8)
    taped.hear(book(2))
    assert taped.ladder("KRW-BTC") == Ladder(
        {1005: 25_000_000, 1015: 25_000_000}, {995: 50_000_000, 985: 50_000_000}, -1
    )
    exact = OrderbookUnit(Decimal(100), Decimal("NaN"), Decimal(1), Decimal(0))  # type: ignore[arg-type]
    taped.hear(OrderbookEvent(venue="upbit", symbol="KRW-BTC", stream_type="REALTIME", orderbook_units=[exact]))
    assert taped.ladder("KRW-BTC") == Ladder({100: 100_000_000}, {}, 0)


def test_rest_reads_what_the_tape_has_told() -> None:
    taped = market()
    for number, ms in ((1, 0), (3, 300), (2, 200), (4, 61_000), (5, 62_000)):
        taped.hear(trade(ms, number, price=100.0 + number))
    found = taped.trades("KRW-BTC", START + 62_000, None, 2)
    assert [one.sequential_id for one in found] == [4, 3]
    assert [one.sequential_id for one in taped.trades("KRW-BTC", START + 99_000, 3, 9)] == [2, 1]
    made = taped.candles("KRW-BTC", "1m", START + 120_000, 9)
    assert [(one.candle_date_time_utc, one.opening_price, one.trade_price) for one in made] == [
        ("2026-08-13T09:01:00", 104.0, 105.0), ("2026-08-13T09:00:00", 101.0, 102.0),
    ]  # fmt: skip
    assert taped.candles("KRW-BTC", "1d", START + 120_000, 9) == [], "its day began before the tape"
    for second, price in ((1, 1.0), (2, 2.0), (2, 2.5)):
        taped.hear(candle(second, price))
    assert [one.trade_price for one in taped.candles("KRW-BTC", "1s", START + 2_000, 9)] == [1.0]
    assert [one.trade_price for one in taped.candles("KRW-BTC", "1s", START + 2_001, 9)] == [2.5, 1.0]
    for second in range(1_100):
        taped.hear(candle(second, 0.0))
    assert len(taped.candles("KRW-BTC", "1s", 2 * START, 2_000)) == 1_000
    for ask in (taped.trades, lambda *_: taped.candles("KRW-ETH", "1m", START, 1)):
        with pytest.raises(NothingThere, match="of KRW-ETH; it has ticker"):
            ask("KRW-ETH", START, None, 1)


def rest(stage: Exchange, path: str, query: str) -> tuple[int, Any]:
    answer = stage.http(0.0, HttpCall(path, query))
    assert isinstance(answer, HttpAnswer)
    return answer.status, json.loads(answer.body)


class Either(Told):
    """A link that takes text frames, too."""

    def send(self, payload: bytes, *, is_text: bool) -> None:
        self.frames.append(payload)


def ask(stage: Exchange, path: str, payload: Any) -> Told:
    caller = stage.dial(0.0, path, {})
    link = Either()
    stage.accept(0.0, link, caller).receive(0.0, json.dumps(payload).encode(), is_text=True)  # type: ignore[arg-type]
    return link


def tell(stage: Exchange, taped: TapedMarket, *events: Any) -> None:
    for event in events:
        for due in taped.hear(event):
            stage.tell(due)


def test_upbit_sends_what_was_asked_and_refuses_what_is_not_there() -> None:
    taped = market()
    stage = exchange(taped)
    taped.prime(ticker(1.0))
    wanted = [{"type": "ticker", "codes": ["KRW-BTC"]}, {"type": "candle.1s", "codes": ["KRW-BTC"]}]
    link = ask(stage, "/websocket/v1", [{"ticket": "t"}, *wanted])
    assert [(one["type"], one["stream_type"]) for one in link.messages()] == [("ticker", "SNAPSHOT")]
    tell(stage, taped, ticker(2.0), candle(1, 5.0), trade(0, 1), book(2, level=10_000.0))
    assert [(one["type"], one["stream_type"], one["trade_price"]) for one in link.messages()[1:]] == [
        ("ticker", "REALTIME", 2.0), ("candle.1s", "REALTIME", 5.0),
    ]  # fmt: skip
    grouped = ask(
        stage, "/websocket/v1", [{"ticket": "t"}, {"type": "orderbook", "codes": ["KRW-BTC"], "level": 10_000}]
    )
    tell(stage, taped, book(3), book(2, level=10_000.0))
    assert [(one["level"], one["stream_type"]) for one in grouped.messages()] == [
        (10_000.0, "SNAPSHOT"), (10_000.0, "REALTIME"),
    ]  # fmt: skip
    refused = ask(stage, "/websocket/v1", [{"ticket": "t"}, {"type": "trade", "codes": ["KRW-ETH"]}])
    assert refused.messages() == [
        {"error": {"name": "NO_CODES", "message": "the tape has no trade of KRW-ETH; it has ticker"}}
    ]
    assert rest(stage, "/v1/trades/ticks", "market=KRW-ETH") == (
        404, {"error": {"name": 404, "message": "the tape has no trade of KRW-ETH; it has ticker"}},
    )  # fmt: skip
    assert rest(stage, "/v1/ticker", "markets=KRW-BTC")[1][0]["trade_price"] == 2.0


def push(channel: str, *rows: Any) -> bytes:
    return json.dumps({"arg": {"channel": channel, "instId": "BTC-USDT"}, "data": rows}).encode()


def test_okx_sends_the_rows_that_were_recorded() -> None:
    taped = market("okx", OKX)
    stage = exchange(taped, "okx")
    here: dict[str, Any] = {"venue": "okx", "symbol": "BTC-USDT", "stream_type": None}
    rows = [{"instId": "BTC-USDT", "tradeId": str(number), "px": "1", "count": "2"} for number in (8, 9)]
    args = [{"channel": name, "instId": "BTC-USDT"} for name in ("tickers", "trades", "mark-price", "books5")]
    link = ask(stage, "/ws/v5/public", {"op": "subscribe", "args": args})
    candles = ask(
        stage, "/ws/v5/business", {"op": "subscribe", "args": [{"channel": "candle1H", "instId": "BTC-USDT"}]}
    )
    [*acks, whole] = link.messages()
    assert [one["event"] for one in acks] == ["subscribe", "subscribe", "error", "subscribe"]
    assert "the tape has no mark-price of BTC-USDT; it has candle.60m, orderbook, ticker, trade" in acks[2]["msg"]
    assert whole["data"][0]["asks"] == []
    link.frames.clear()
    candles.frames.clear()
    said = {"instId": "BTC-USDT", "last": "5", "vol24h": "7"}
    hour = ["1786611600000", "1", "2", "3", "4", "5", "6", "7", "0"]
    tell(
        stage, taped,
        ticker(5.0, raw=push("tickers", said), **here), trade(0, 9, raw=push("trades", *rows), **here),
        CandleEvent(**here, unit="1H", raw=push("candle1H", hour)),
    )  # fmt: skip
    assert [one["data"] for one in link.messages()] == [[said], [rows[1]]]
    assert [one["data"] for one in candles.messages()] == [[hour]]
