"""What a lost line missed is asked by REST and delivered: the trader's trades are complete and none comes twice."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from tapewire.model.events import CandleEvent, TradeEvent
from tapewire.model.status import Gap, Recovered
from tests.client.stage import Stage, play


def account(stage: Stage, heard: list[TradeEvent]) -> tuple[list[int | None], dict[int | None, int]]:
    """Trades that were made from the first heard one on and not heard, and those that were heard more than once."""
    lost: list[int | None] = []
    for symbol in {trade.symbol for trade in heard}:
        made = [trade.sequential_id for trade in stage.simulator.trades if trade.symbol == symbol]
        got = {trade.sequential_id for trade in heard if trade.symbol == symbol}
        begun = next((index for index, number in enumerate(made) if number in got), 0)
        lost += [number for number in made[begun:] if number not in got]
    twice = Counter((trade.symbol, trade.sequential_id) for trade in heard)
    return lost, {number: count for (_, number), count in twice.items() if count > 1}


@pytest.mark.parametrize("way", ["close", "abort", "freeze"])
@pytest.mark.parametrize("seed", range(3))
def test_the_trades_of_an_outage_are_delivered_afterwards(way: str, seed: int) -> None:
    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []
        async with stage.client(recover=True, ping_interval=5.0, ping_timeout=3.0) as client:
            await (await client.subscribe_trade(["KRW-BTC", "KRW-ETH"], heard.append)).live()
            for _ in range(3):
                await stage.after(40)
                {"close": stage.simulator.drop, "abort": stage.simulator.abort, "freeze": stage.simulator.freeze}[way]()
            await stage.after(60)
            assert account(stage, heard) == ([], {})
            recovered = [trade for trade in heard if trade.recovered]
            assert recovered
            assert all(trade.received_ns and trade.stream_type == "REALTIME" for trade in recovered)
        filled = [gap for gap in stage.told(Gap) if gap.state == "filled"]
        begun = [gap for gap in stage.told(Gap) if gap.state == "filling"]
        assert {(gap.subscription, gap.from_ns) for gap in begun} == {(gap.subscription, gap.from_ns) for gap in filled}
        assert sum(gap.recovered for gap in filled) == len(recovered)
        assert stage.told(Recovered)
        rows = {(gap.subscription, gap.from_ns) for gap in stage.told(Gap)}
        assert client.statistics().gaps == len(rows)

    play(story, seed=seed)


def test_missed_trades_come_in_the_order_of_their_execution_and_live_ones_do_not_wait() -> None:
    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []
        async with stage.client(recover=True, ping_interval=5.0, ping_timeout=3.0) as client:
            await (await client.subscribe_trade("KRW-BTC", heard.append)).live()
            await stage.after(60)
            stage.simulator.freeze()
            await stage.after(60)
        recovered = [trade for trade in heard if trade.recovered]
        times = [trade.trade_timestamp or 0 for trade in recovered]
        assert times == sorted(times)
        assert len(times) > 1
        first = heard.index(recovered[0])
        assert max(trade.trade_timestamp or 0 for trade in heard[:first]) > times[0]

    play(story)


def test_a_rest_that_fails_is_asked_again_and_the_gap_stays_visible() -> None:
    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []
        async with stage.client(recover=True) as client:
            await (await client.subscribe_trade("KRW-BTC", heard.append)).live()
            await stage.after(60)
            stage.simulator.abort()
            await stage.after(10)
            assert [gap.state for gap in stage.told(Gap)] == ["filling"]
            assert [(str(one.status), one.text) for one in client.get_health_status().reasons] == [
                ("degraded", "trade KRW-BTC: what was missed is being asked for by REST")
            ]
            await stage.after(60)
            assert account(stage, heard) == ([], {})
            assert client.get_health_status().status == "healthy"
            recovered = len([trade for trade in heard if trade.recovered])
            assert client.statistics().recovered == recovered > 0
        assert [gap.state for gap in stage.told(Gap)] == ["filling", "filled"]

    play(story, faults=("rest:503@55x5",))


def test_who_wants_no_recovery_gets_the_gap_alone() -> None:
    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []
        async with stage.client(recover=False) as client:
            await (await client.subscribe_trade("KRW-BTC", heard.append)).live()
            await stage.after(60)
            stage.simulator.abort()
            await stage.after(60)
        assert [gap.state for gap in stage.told(Gap)] == ["unfilled"]
        assert not [trade for trade in heard if trade.recovered]

    play(story)


def test_a_stream_that_is_given_up_while_it_is_filled_is_left_alone() -> None:
    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []
        async with stage.client(recover=True) as client:
            kept = await client.subscribe_trade("KRW-ETH", heard.append)
            handle = await client.subscribe_trade("KRW-BTC", heard.append)
            await handle.live()
            await kept.live()
            await stage.after(60)
            stage.simulator.abort()
            await stage.after(10)
            await handle.unsubscribe()
            before = len([trade for trade in heard if trade.symbol == "KRW-BTC"])
            await stage.after(120)
            assert len([trade for trade in heard if trade.symbol == "KRW-BTC"]) == before

    play(story, faults=("rest:503@55x100",))


@pytest.mark.parametrize("unit", ["1s", "1m"])
def test_candles_that_ended_in_an_outage_come_afterwards_final_and_in_order(unit: str) -> None:
    async def story(stage: Stage) -> None:
        heard: list[CandleEvent] = []
        async with stage.client(recover=True) as client:
            await (await client.subscribe_candle("KRW-BTC", heard.append, unit=unit)).live()
            await stage.after(90)
            stage.simulator.maintenance(200)
            await stage.after(400)
        recovered = [candle for candle in heard if candle.recovered]
        starts = [candle.candle_date_time_utc or "" for candle in recovered]
        assert starts == sorted(set(starts))
        assert all(candle.final and candle.unit == unit and candle.received_ns for candle in recovered)
        assert not any(candle.final for candle in heard if not candle.recovered)
        now = stage.simulator.exchange.market.now_ms
        row = stage.told(Gap)[-1]
        made = stage.simulator.exchange.market.candles("KRW-BTC", unit, now, 1_000)
        windows = {candle.candle_date_time_utc: candle for candle in made[1:]}
        bounds = [
            datetime.fromtimestamp((at or 0) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            for at in (row.last_timestamp, row.first_timestamp)
        ]
        missed = [start for start in windows if bounds[0] < (start or "") < bounds[1] and start not in starts]
        assert missed == [bounds[1][:-2] + "00"] * (unit == "1m"), "the window that goes on comes by itself"
        for candle in recovered:
            true = windows[candle.candle_date_time_utc]
            assert (candle.opening_price, candle.trade_price, candle.candle_acc_trade_volume) == (
                true.opening_price, true.trade_price, true.candle_acc_trade_volume,
            )  # fmt: skip
        assert [gap.state for gap in stage.told(Gap)] == ["filling", "filled"]
        assert stage.told(Gap)[-1].recovered == len(recovered) > 2

    play(story)


def test_a_short_outage_within_one_window_misses_no_candle() -> None:
    async def story(stage: Stage) -> None:
        heard: list[CandleEvent] = []
        async with stage.client(recover=True) as client:
            await (await client.subscribe_candle("KRW-BTC", heard.append, unit="240m")).live()
            await stage.after(30)
            stage.simulator.abort()
            await stage.after(30)
        assert [gap.state for gap in stage.told(Gap)] == ["full_state"]
        assert not [candle for candle in heard if candle.recovered]

    play(story)


def test_candles_wait_for_a_rest_that_fails_and_are_left_alone_when_it_refuses() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(recover=True) as client:
            handle = await client.subscribe_candle("KRW-BTC", lambda _event: None, unit="1s")
            await handle.live()
            await stage.after(60)
            stage.simulator.abort()
            await stage.after(60)
            assert [gap.state for gap in stage.told(Gap)] == ["filling", "unfilled"]

    play(story, faults=("rest:503@60x2", "rest:404@60x1"))


def in_time(trades: list[TradeEvent]) -> bool:
    """Whether what was missed came before whatever was executed after it, live ones that come late aside."""
    latest = 0
    for trade in trades:
        if trade.recovered and (trade.trade_timestamp or 0) < latest - 3_000:
            return False
        latest = max(latest, trade.trade_timestamp or 0)
    return True


@pytest.mark.parametrize("order", ["merged", "before"])
def test_by_option_live_trades_wait_for_those_that_were_missed_before_them(order: str) -> None:
    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []
        async with stage.client(recover=True, recovery_order=order) as client:
            await (await client.subscribe_trade("KRW-BTC", heard.append)).live()
            for _ in range(2):
                await stage.after(60)
                stage.simulator.maintenance(15)
            await stage.after(120)
            assert account(stage, heard) == ([], {})
        assert len([trade for trade in heard if trade.recovered]) > 5
        assert in_time(heard) is (order == "before")
        assert {gap.state for gap in stage.told(Gap)} == {"filling", "filled"}

    play(story, seed=3)


def test_live_trades_wait_half_a_minute_at_most_for_a_rest_that_fails() -> None:
    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []
        async with stage.client(recover=True, recovery_order="before") as client:
            await (await client.subscribe_trade("KRW-BTC", heard.append)).live()
            await stage.after(60)
            stage.simulator.abort()
            await stage.after(20)
            before = len(heard)
            await stage.after(5)
            assert len(heard) == before
            await stage.after(20)
            assert len(heard) > before
            assert not [trade for trade in heard if trade.recovered]
            await stage.after(200)
            assert account(stage, heard) == ([], {})
            assert [gap.state for gap in stage.told(Gap)] == ["filling", "filled"]

    play(story, faults=("rest:503@60x6",))


def kept_by_rising_ids(trades: list[TradeEvent]) -> list[TradeEvent]:
    """What is left of them under the wrong rule: drop whatever has no higher id than the last."""
    last: dict[str, int] = {}
    kept = []
    for trade in trades:
        number = trade.sequential_id or 0
        if number > last.get(trade.symbol, 0):
            last[trade.symbol] = number
            kept.append(trade)
    return kept


def test_ids_that_fall_and_come_again_in_other_markets_lose_and_double_nothing() -> None:
    """Recorded traffic of 2021 (spec/upbit.md section 8): "drop if id <= last" would lose a part of it."""

    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []
        symbols = sorted(stage.simulator.exchange.market.symbols)
        async with stage.client(recover=True) as client:
            await (await client.subscribe_trade(symbols, heard.append)).live()
            for _ in range(4):
                await stage.after(8)
                stage.simulator.abort()
            await stage.after(30)
            assert account(stage, heard) == ([], {})
        live = [trade for trade in heard if not trade.recovered]
        assert len(kept_by_rising_ids(live)) < len(live)
        assert len(kept_by_rising_ids(heard)) < len(heard)
        assert any(trade.recovered for trade in heard)
        markets: dict[int | None, set[str]] = {}
        for trade in heard:
            markets.setdefault(trade.sequential_id, set()).add(trade.symbol)
        assert any(len(those) > 1 for those in markets.values())

    play(story, recorded=True)


def test_the_ledger_tells_each_interruption_as_it_stands() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(recover=True) as client:
            assert client.gaps() == ()
            await (await client.subscribe_trade("KRW-BTC", lambda _event: None)).live()
            await (await client.subscribe_ticker("KRW-ETH", lambda _event: None)).live()
            await stage.after(60)
            assert client.gaps() == ()
            stage.simulator.maintenance(20)
            await stage.after(10)
            assert [(row.subscription.kind, row.state) for row in client.gaps()] == [
                ("trade", "open"), ("ticker", "open"),
            ]  # fmt: skip
            await stage.after(110)
            rows = client.gaps()
            assert {(row.subscription.kind, row.state) for row in rows} == {
                ("trade", "filled"), ("ticker", "full_state"),
            }  # fmt: skip
            assert sum(row.recovered for row in rows) == client.statistics().recovered > 0
            assert stage.manager.gaps() == rows
        assert client.gaps() == rows

    play(story)


@pytest.mark.parametrize("venue", ["upbit", "okx"])
def test_the_past_of_a_stream_comes_first_and_is_joined_with_what_is_live(venue: str) -> None:
    """S4-37: as if it had been heard for ten minutes already: every trade once and in time, every candle."""
    market = {"upbit": "KRW-BTC", "okx": "BTC-USDT"}[venue]

    async def story(stage: Stage) -> None:
        trades: list[TradeEvent] = []
        candles: list[CandleEvent] = []
        await stage.after(900)
        since = stage.simulator.exchange.market.now_ms - 600_000
        async with stage.client(venue=venue, recover=True, recovery_order="before", history=600) as client:
            await client.subscribe_trade(market, trades.append)
            await client.subscribe_candle(market, candles.append, unit="1m")
            await stage.after(90)
            made = [one for one in stage.simulator.trades if one.symbol == market and (one.timestamp or 0) > since]
            ends = [(one.sequential_id or 0, one.count or 1) for one in trades]
            heard = [number for last, count in ends for number in range(last - count + 1, last + 1)]
            assert len(heard) == len(set(heard))
            assert {one.sequential_id for one in made} <= set(heard)
            assert min(one.timestamp or 0 for one in trades) > since - 60_000
            assert in_time(trades)
            assert trades[0].recovered
            assert not trades[-1].recovered
            past = [one for one in candles if one.recovered]
            assert len({one.candle_date_time_utc for one in past}) >= 9
            causes = {(gap.subscription.kind, gap.cause): gap.state for gap in stage.told(Gap)}
            assert causes == {("trade", "history"): "filled", ("candle", "history"): "filled"}

    play(story, seed=3, venue=venue, markets=(market,))
