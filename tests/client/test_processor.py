"""Events from wherever, handed to callbacks by kind and symbol: in order, once, with a queue where one is needed."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import weakref
from typing import Any

import pytest

from tapewire import DataProcessor, MailboxOptions, SubscriptionError, decode
from tapewire.errors import ConfigError, UsageError
from tapewire.model.events import CandleEvent, Event, TickerEvent, TradeEvent
from tapewire.testing.clock import elapse, run_virtual


def ticker(number: int, symbol: str = "KRW-BTC", stream_type: str = "REALTIME") -> TickerEvent:
    return TickerEvent(venue="upbit", symbol=symbol, timestamp=number, stream_type=stream_type, received_ns=number)


def trade(number: int, stream_type: str = "REALTIME") -> TradeEvent:
    about: dict[str, Any] = {"venue": "upbit", "symbol": "KRW-BTC", "timestamp": number, "received_ns": number}
    return TradeEvent(**about, sequential_id=number, stream_type=stream_type)


def candle(unit: str) -> CandleEvent:
    return CandleEvent(venue="upbit", symbol="KRW-BTC", unit=unit, stream_type="REALTIME", received_ns=1)


def numbers(heard: list[Event]) -> list[int | None]:
    return [event.timestamp for event in heard]


def test_three_steps_from_a_message_to_a_callback() -> None:
    processor, heard = DataProcessor(), list[Event]()
    processor.register_callback("ticker", heard.append, ["KRW-BTC"])
    payload = b'{"type":"ticker","code":"KRW-BTC","trade_price":1.5,"timestamp":7,"stream_type":"REALTIME"}'
    for event in decode("upbit", payload):
        assert processor.route_event(event)
    assert [(event.symbol, event.timestamp) for event in heard] == [("KRW-BTC", 7)]
    assert (processor.messages(), processor.unwanted) == ({"ticker": 1}, 0)


def test_by_symbol_of_all_symbols_and_of_none() -> None:
    processor, btc, every = DataProcessor(), list[Event](), list[Event]()
    processor.register_callback("ticker", btc.append, "KRW-BTC")
    processor.register_callback("ticker", every.append)
    assert processor.route_event(ticker(1))
    assert processor.route_event(ticker(2, "KRW-ETH"))
    assert not processor.route_event(trade(3))
    assert (numbers(btc), numbers(every), processor.unwanted) == ([1], [1, 2], 1)


def test_each_preference_hears_its_part_and_no_trade_comes_twice() -> None:
    processor = DataProcessor()
    heard: dict[str, list[Event]] = {"both": [], "snapshot_only": [], "realtime_only": []}
    for preference, events in heard.items():
        processor.register_callback("ticker", events.append, stream_preference=preference)  # type: ignore[arg-type]
    for number, how in enumerate(("SNAPSHOT", "REALTIME", "SNAPSHOT", "REALTIME"), start=1):
        processor.route_event(ticker(number, stream_type=how))
    assert {name: numbers(events) for name, events in heard.items()} == {
        "both": [1, 2, 3, 4], "snapshot_only": [1, 3], "realtime_only": [2, 4],
    }  # fmt: skip
    trades: list[Event] = []
    processor.register_callback("trade", trades.append, "KRW-BTC")
    for event in (trade(1), trade(1, "SNAPSHOT"), trade(2, "SNAPSHOT")):
        processor.route_event(event)
    assert numbers(trades) == [1, 2]


def test_a_candle_matches_its_own_unit_alone() -> None:
    processor, minutes = DataProcessor(), list[Event]()
    processor.register_callback("candle", minutes.append, unit="1m")
    assert [processor.route_event(candle(unit)) for unit in ("1s", "1m", "3m")] == [False, True, False]
    with pytest.raises(SubscriptionError, match="unit is None; it must be named for candles"):
        processor.register_callback("candle", minutes.append)


def test_a_callback_that_raises_is_logged_and_the_others_are_called(caplog: pytest.LogCaptureFixture) -> None:
    processor, heard = DataProcessor(), list[Event]()

    def broken(_event: Event) -> None:
        raise ZeroDivisionError("mine")

    one = processor.register_callback("ticker", broken)
    two = processor.register_callback("ticker", broken)
    processor.register_callback("ticker", heard.append)
    processor.route_event(ticker(1))
    processor.unregister(one)
    processor.unregister(one)
    processor.route_event(ticker(2))
    assert (one.errors, two.errors, numbers(heard)) == (1, 2, [1, 2])
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 3
    assert "ZeroDivisionError: mine" in caplog.text


def test_an_async_callback_has_a_queue_with_its_rule_and_works_off_what_waits() -> None:
    async def story() -> None:
        heard: list[Event] = []

        async def slow(event: Event) -> None:
            await elapse(1)
            heard.append(event)

        async with DataProcessor() as processor:
            options = MailboxOptions(size=2, rule="conflate")
            registration = processor.register_callback("ticker", slow, mailbox=options)
            for number in range(5):
                processor.route_event(ticker(number))
            figures = registration.statistics()
            assert figures is not None
            assert (figures.waiting, figures.conflated) == (1, 4)
        assert numbers(heard) == [4]
        assert (processor._boxes, processor._ears) == ({}, {})

    run_virtual(story())


def test_a_queue_may_wait_between_its_rounds_so_that_only_the_newest_comes() -> None:
    """The guide's coalesce and throttle."""

    async def story() -> None:
        heard: list[tuple[float, int | None]] = []
        loop = asyncio.get_running_loop()

        async def hear(event: Event) -> None:
            heard.append((round(loop.time(), 2), event.timestamp))

        async with DataProcessor() as processor:
            processor.register_callback("ticker", hear, mailbox=MailboxOptions(rule="conflate", interval=0.1))
            for number in range(10):
                processor.route_event(ticker(number))
                processor.route_event(ticker(number + 100, "KRW-ETH"))
                await elapse(0.03)
            await elapse(1)
            processor.route_event(ticker(50))
        assert heard == [
            (0.0, 0), (0.0, 100), (0.1, 3), (0.1, 103), (0.2, 6), (0.2, 106), (0.3, 9), (0.3, 109), (1.3, 50),
        ]  # fmt: skip

    run_virtual(story())


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ({"kind": "tickers"}, SubscriptionError, "kind is 'tickers'; it must be ticker or trade"),
        ({"unit": "1m"}, SubscriptionError, "unit is '1m'; it must be named for candles"),
        ({"stream_preference": "all"}, ConfigError, "stream_preference is 'all'"),
        ({"callback": 5}, UsageError, "callback is 5; it must be a function"),
    ],
)
def test_what_makes_no_sense_is_refused(how: dict[str, Any], error: type[Exception], words: str) -> None:
    given: dict[str, Any] = {"kind": "ticker", "callback": print} | how
    with pytest.raises(error, match=words):
        DataProcessor().register_callback(**given)


async def test_nobody_can_be_held_up() -> None:
    async def hear(_event: Event) -> None: ...

    with pytest.raises(ConfigError, match="rule is 'block'; it must be"):
        DataProcessor().register_callback("ticker", hear, mailbox=MailboxOptions(rule="block"))


def test_a_dropped_processor_ends_its_tasks() -> None:
    class Owner:
        def __init__(self) -> None:
            self.processor = DataProcessor()
            self.heard: list[Event] = []
            self.processor.register_callback("ticker", self.hear)
            self.processor.register_callback("ticker", self.hear_later)

        def hear(self, event: Event) -> None:
            self.heard.append(event)

        async def hear_later(self, event: Event) -> None:
            self.heard.append(event)

    async def story() -> None:
        tasks = asyncio.all_tasks()
        owners = [Owner()]
        owners[0].processor.route_event(ticker(1))
        await elapse(1)
        assert numbers(owners[0].heard) == [1, 1]
        gone = weakref.ref(owners[0])

        def drop() -> None:
            owners.clear()
            gc.collect()

        collector = threading.Thread(target=drop)
        collector.start()
        collector.join()
        assert gone() is None
        await elapse(1)
        assert asyncio.all_tasks() == tasks

    run_virtual(story())
