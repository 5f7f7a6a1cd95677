"""Conversations with a simulated OKEX v3: acknowledged requests, deflated frames, books kept by their checksums."""

from __future__ import annotations

import json
from itertools import pairwise

from tapewire.model.book import DepthOrderbookEvent
from tapewire.model.events import CandleEvent, Event, TickerEvent, TradeEvent
from tapewire.model.status import Connected, Disconnected, Gap, Quarantined, Rejected, Stale, Subscribed
from tapewire.model.subscription import Subscription, as_detail
from tapewire.sim.server import Simulator
from tests.client.stage import Stage, play

MARKETS = ("BTC-USD-190517", "BTC-USDT", "ETH-USDT")
FUTURE = "BTC-USD-190517"


def asked(simulator: Simulator) -> list[tuple[str, list[str]]]:
    """Operation and arguments of every request."""
    said = [json.loads(sent.payload) for sent in simulator.requests if sent.payload != b"ping"]
    return [(request["op"], request["args"]) for request in said]


def test_what_the_monitor_scripts_did() -> None:
    async def story(stage: Stage) -> tuple[list[Event], list[tuple[str, list[str]]]]:
        client = stage.client(venue="okex3")
        heard: list[Event] = []
        client.keep_latest("orderbook")
        await client.subscribe_orderbook([FUTURE], heard.append, depth=5)
        await client.subscribe_trade([FUTURE], heard.append)
        await stage.after(65)
        best = client.latest(FUTURE, "orderbook")
        assert isinstance(best, DepthOrderbookEvent)
        assert best.bids[0].price < best.asks[0].price
        assert best is [event for event in heard if isinstance(event, DepthOrderbookEvent)][-1]
        assert [sent.payload for sent in stage.simulator.requests].count(b"ping") == 3
        assert len(stage.told(Connected)) == 1
        assert not stage.told(Quarantined)
        await client.cleanup()
        return heard, asked(stage.simulator)

    heard, requests = play(story, venue="okex3", markets=MARKETS)
    assert requests[0] == ("subscribe", [f"futures/depth5:{FUTURE}", f"futures/trade:{FUTURE}"])
    assert [event.stream_type for event in heard[:2]] == ["SNAPSHOT", "SNAPSHOT"]
    trades = [event for event in heard if isinstance(event, TradeEvent)]
    ids = [trade.sequential_id or 0 for trade in trades]
    assert ids == sorted(set(ids))
    assert (ids[-1] - ids[0], len(trades) > 100) == (len(ids) - 1, True)


def test_every_trade_is_told_once_or_lies_in_a_gap_that_was_told() -> None:
    async def story(stage: Stage) -> int:
        client = stage.client(venue="okex3")
        heard: list[TradeEvent] = []
        await client.subscribe_trade(["BTC-USDT"], heard.append)
        await stage.after(20)
        stage.simulator.abort()
        await stage.after(20)
        stage.simulator.drop(1006)
        await stage.after(30)
        assert (len(stage.told(Disconnected)), len(stage.told(Connected))) == (2, 3)
        numbers = [trade.sequential_id or 0 for trade in heard]
        missed = [(one, other) for one, other in pairwise(numbers) if other != one + 1]
        told = [(gap.last_id, gap.first_id) for gap in stage.told(Gap) if gap.state == "unfilled"]
        assert numbers == sorted(set(numbers))  # v3 counts them one by one
        assert missed == [(one, other) for one, other in told if other != one and other != (one or 0) + 1]
        return len(heard)

    assert play(story, venue="okex3", markets=MARKETS) > 50


def test_a_book_that_is_not_the_exchanges_is_fetched_anew_alone() -> None:
    async def story(stage: Stage) -> list[tuple[str, list[str]]]:
        client = stage.client(venue="okex3")
        books: list[Event] = []
        others: list[Event] = []
        await client.subscribe_orderbook(["BTC-USDT"], books.append)
        await client.subscribe_orderbook(["ETH-USDT"], others.append, depth=20)
        await stage.after(30)
        [begun, over] = stage.told(Stale)
        assert (begun.subscription, begun.cause, begun.over, over.over) == (
            Subscription("orderbook", "BTC-USDT"), "checksum", False, True,
        )  # fmt: skip
        assert over.at_ns - begun.at_ns <= 3_000_000_000
        assert [gap.subscription.symbol for gap in stage.told(Gap)] == ["BTC-USDT"]
        assert len(stage.told(Connected)) == 1
        sizes = {(len(book.asks), len(book.bids)) for book in books if isinstance(book, DepthOrderbookEvent)}
        assert sizes == {(400, 400)}
        assert {len(event.asks) for event in others if isinstance(event, DepthOrderbookEvent)} == {20}
        assert len(others) > 50
        return asked(stage.simulator)

    requests = play(story, venue="okex3", markets=MARKETS, faults=("book-checksum:BTC-USDT@10x1",))
    assert requests == [
        ("subscribe", ["spot/depth:BTC-USDT", "spot/depth:ETH-USDT"]),
        ("unsubscribe", ["spot/depth:BTC-USDT"]),
        ("subscribe", ["spot/depth:BTC-USDT"]),
    ]


def test_an_instrument_that_has_expired_is_refused_and_the_others_go_on() -> None:
    async def story(stage: Stage) -> int:
        client = stage.client(venue="okex3")
        heard: list[TradeEvent] = []
        await client.subscribe_trade([FUTURE, "BTC-USD-190510"], heard.append)
        await stage.after(20)
        [refused] = stage.told(Rejected)
        assert (refused.name, refused.subscriptions) == ("30040", (Subscription("trade", "BTC-USD-190510"),))
        assert [told.subscriptions for told in stage.told(Subscribed)] == [(Subscription("trade", FUTURE),)]
        return len(heard)

    assert play(story, venue="okex3", markets=MARKETS) > 20


def test_the_present_state_once() -> None:
    async def story(stage: Stage) -> tuple[list[TickerEvent], list[tuple[str, list[str]]]]:
        client = stage.client(venue="okex3")
        tickers = await client.ticker_snapshot(["BTC-USDT", "ETH-USDT"])
        await stage.after(5)
        return tickers, asked(stage.simulator)

    tickers, requests = play(story, venue="okex3", markets=MARKETS)
    assert [(ticker.symbol, ticker.stream_type) for ticker in tickers] == [
        ("BTC-USDT", "SNAPSHOT"), ("ETH-USDT", "SNAPSHOT"),
    ]  # fmt: skip
    assert requests[0] == ("subscribe", ["spot/ticker:BTC-USDT", "spot/ticker:ETH-USDT"])


def test_what_nobody_wants_any_more_is_unsubscribed() -> None:
    async def story(stage: Stage) -> list[tuple[str, list[str]]]:
        client = stage.client(venue="okex3")
        first = await client.subscribe_trade(["BTC-USDT"], lambda _: None)
        await client.subscribe_trade(["ETH-USDT"], lambda _: None)
        await stage.after(3)
        await first.unsubscribe()
        await stage.after(3)
        return asked(stage.simulator)

    requests = play(story, venue="okex3", markets=MARKETS)
    assert requests == [
        ("subscribe", ["spot/trade:BTC-USDT", "spot/trade:ETH-USDT"]),
        ("unsubscribe", ["spot/trade:BTC-USDT"]),
    ]


def test_realtime_only_hears_no_trade_of_before() -> None:
    async def story(stage: Stage) -> list[TradeEvent]:
        client = stage.client(venue="okex3")
        heard: list[TradeEvent] = []
        await client.subscribe_trade(["BTC-USDT"], heard.append, stream_preference="realtime_only")
        await stage.after(20)
        return heard

    heard = play(story, venue="okex3", markets=MARKETS)
    assert heard
    assert all(trade.stream_type is None for trade in heard)


def test_the_limits_of_requests_and_of_connects_are_kept() -> None:
    async def story(stage: Stage) -> list[float]:
        client = stage.client(venue="okex3")
        await client.subscribe_trade(["ETH-USDT"], lambda _: None)
        for _ in range(130):  # 260 requests in four minutes
            handle = await client.subscribe_trade(["BTC-USDT"], lambda _: None)
            await stage.after(1)
            await handle.unsubscribe()
            await stage.after(1)
        for depth in (5, None):  # books that need lines of their own
            await client.subscribe_orderbook(["BTC-USDT"], lambda _: None, depth=depth)
        tick_by_tick = as_detail({"channel": "depth_l2_tbt"})
        await client.subscribe([Subscription("orderbook", "BTC-USDT", detail=tick_by_tick)], lambda _: None)
        await stage.after(5)
        first = [sent.at for sent in stage.simulator.requests if sent.connection == 1 and sent.payload != b"ping"]
        assert 100 < len(first) <= 240  # they are gathered when little of the hour is left
        return stage.simulator.connects

    connects = play(story, venue="okex3", markets=MARKETS, rate=0.5)  # play() refuses any limit that was overrun
    assert len(connects) == 3
    assert all(later - earlier >= 1 for earlier, later in pairwise(connects))


def test_what_a_loss_cost_is_asked_by_rest_and_told() -> None:
    async def story(stage: Stage) -> tuple[list[TradeEvent], list[CandleEvent]]:
        client = stage.client(venue="okex3", recover=True)
        trades: list[TradeEvent] = []
        candles: list[CandleEvent] = []
        await client.subscribe_trade([FUTURE], trades.append)
        await client.subscribe_candle([FUTURE], candles.append, unit="1m")
        await stage.after(30)
        stage.simulator.maintenance(150)
        await stage.after(240)
        assert {gap.state for gap in stage.told(Gap)} <= {
            "filling",
            "filled",
            "unfilled",
            "full_state",
            "nothing_missed",
        }
        return trades, candles

    trades, candles = play(story, venue="okex3", markets=MARKETS)
    numbers = sorted({trade.sequential_id or 0 for trade in trades})
    assert len(numbers) == len(trades)
    assert numbers[-1] - numbers[0] == len(numbers) - 1
    assert sum(trade.recovered for trade in trades) > 50
    minutes = sorted({candle.timestamp or 0 for candle in candles})
    assert [later - earlier for earlier, later in pairwise(minutes)] == [60_000] * (len(minutes) - 1)
    assert any(candle.final and candle.recovered for candle in candles)


def test_two_lines_carry_the_same_and_a_bad_book_on_one_costs_nothing() -> None:
    async def story(stage: Stage) -> tuple[list[TradeEvent], list[Event]]:
        client = stage.client(venue="okex3", redundancy=2)
        trades: list[TradeEvent] = []
        books: list[Event] = []
        await client.subscribe_trade(["BTC-USDT"], trades.append)
        await client.subscribe_orderbook(["BTC-USDT"], books.append)
        await stage.after(30)
        assert len(stage.simulator.connects) == 2
        assert not stage.told(Gap)
        return trades, books

    trades, books = play(story, venue="okex3", markets=MARKETS, faults=("book-checksum@10x1",))
    numbers = [trade.sequential_id or 0 for trade in trades]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    times = [book.timestamp or 0 for book in books]
    assert times == sorted(times)
    assert len(times) > 150
