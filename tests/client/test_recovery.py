"""What a lost line missed is asked by REST and delivered: the trader's trades are complete and none comes twice."""

from __future__ import annotations

from collections import Counter

import pytest

from tapewire.model.events import TradeEvent
from tapewire.model.status import Gap, Recovered
from tests.client.stage import Stage, play


def account(stage: Stage, heard: list[TradeEvent]) -> tuple[list[int | None], dict[int | None, int]]:
    """Trades that were made from the first heard one on and not heard, and those that were heard more than once."""
    lost: list[int | None] = []
    for symbol in {trade.symbol for trade in heard}:
        made = [trade.sequential_id for trade in stage.simulator.trades if trade.symbol == symbol]
        got = {trade.sequential_id for trade in heard if trade.symbol == symbol}
        begun = next(index for index, number in enumerate(made) if number in got)
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
