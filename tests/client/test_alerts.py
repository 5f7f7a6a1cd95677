"""Alerts of whole conversations with the simulated exchange: what rings when, what does not, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from tapewire import WebSocketClient, alerts
from tapewire.client import alerted
from tapewire.client.alerts import Alerts, Notice
from tapewire.errors import ConfigError, SubscriptionError
from tapewire.model.events import Event
from tapewire.testing.clock import run_virtual

from .stage import Stage, play

LONG = 100.0


class Bell:
    """Keeps what rang, with the time of the loop."""

    def __init__(self) -> None:
        self.rang: list[tuple[float, str]] = []
        self.notices: list[Notice] = []

    def __call__(self, notice: Notice) -> None:
        self.rang.append((round(asyncio.get_running_loop().time(), 3), notice.line))
        self.notices.append(notice)


def test_a_feed_that_is_down_rings_and_so_does_its_return() -> None:
    async def story(stage: Stage) -> None:
        bell = Bell()
        async with stage.client(jitter=False) as client:
            await client.alerts([alerts.Down(10)], [bell])
            await (await client.subscribe_trade("KRW-BTC", print)).live()
            await stage.after(5)
            assert bell.rang == []
            stage.simulator.refuse(503, times=4)
            stage.simulator.abort()
            lost = stage.loop.time()
            await stage.after(60)
        (down, first), (back, second) = bell.rang
        assert down - lost == pytest.approx(10.0, abs=0.01)
        assert first.startswith("[critical] down: upbit-1 is down for 10 s: refused (503 Service Unavailable)")
        assert second == f"[over] down: upbit-1 is back after {back - lost:.0f} s"

    play(story)


def test_a_feed_that_is_down_before_the_watch_begins_rings_too() -> None:
    async def story(stage: Stage) -> None:
        bell = Bell()
        async with stage.client(jitter=False, validate=False) as client:
            stage.simulator.refuse(503, times=1000)
            await client.subscribe_trade("KRW-BTC", print)
            await stage.after(2)
            began = stage.loop.time()
            await client.alerts([alerts.Down(5)], [bell])
            await stage.after(20)
        assert [round(t - began, 2) for t, _ in bell.rang] == [5.0, bell.rang[1][0] - began]
        assert "was closed, nobody wants it any more" in bell.rang[1][1]

    play(story)


def test_who_gives_up_rings_at_once() -> None:
    async def story(stage: Stage) -> None:
        bell = Bell()
        async with stage.client(jitter=False, max_retries=0, validate=False) as client:
            await client.alerts([alerts.Down(10)], [bell])
            stage.simulator.refuse(503, times=1000)
            await client.subscribe_trade("KRW-BTC", print)
            await stage.after(3)
        [(_, line)] = bell.rang
        assert line.startswith("[critical] down: upbit-1 gave up: refused (503 Service Unavailable)")

    play(story)


def test_gaps_of_many_streams_ring_in_one_notice_more() -> None:
    symbols = ["KRW-BTC", "KRW-ETH", "KRW-XRP"]

    async def story(stage: Stage) -> None:
        bell = Bell()
        async with stage.client(jitter=False) as client:
            await client.alerts([alerts.UnfilledGap(), alerts.Down(LONG)], [bell])
            await (await client.subscribe_trade(symbols, print)).live()
            await stage.after(10)
            stage.simulator.refuse(503, times=3)
            stage.simulator.abort()
            await stage.after(60)
        first, *others = bell.notices
        assert len(others) <= 1
        told = [subject for notice in bell.notices for subject in notice.subjects]
        assert sorted(told) == [f"trade {symbol}" for symbol in symbols]
        assert first.text.startswith("messages of trade KRW-")

    play(story, rate=20.0)


def test_the_v6_handler_a_price_above_a_bound_rings() -> None:
    async def story(stage: Stage) -> None:
        bell = Bell()
        prices: list[float | None] = []
        async with stage.client() as client:
            watch = await client.alerts([alerts.Price("KRW-BTC", above=50_000_000)], [bell])
            await client.subscribe_ticker("KRW-BTC", lambda event: prices.append(event.trade_price))
            await stage.after(10)
            assert len([line for line in stage.asked() if "ticker KRW-BTC" in line]) >= 1
            assert watch.statistics().told == {"price": 1}
        assert all(price is not None and price > 50_000_000 for price in prices)
        assert prices
        [(_, line)] = bell.rang
        assert line.startswith("[info] price: KRW-BTC is above 50,000,000: ")

    play(story)


def test_a_silent_symbol_rings_and_its_return_too() -> None:
    async def story(stage: Stage) -> None:
        bell = Bell()
        async with stage.client(jitter=False) as client:
            await client.alerts([alerts.Silence(["KRW-BTC"], 20)], [bell])
            await stage.after(5)
            stage.simulator.refuse(503, times=6)
            stage.simulator.abort()
            await stage.after(200)
        assert [line.split(" is ")[0].split(" has ")[0] for _, line in bell.rang] == [
            "[warning] silence: trade KRW-BTC",
            "[over] silence: trade KRW-BTC",
        ]

    play(story, rate=20.0)


def test_latency_is_looked_at_now_and_then() -> None:
    async def story(stage: Stage) -> None:
        bell = Bell()
        async with stage.client() as client:
            await client.alerts([alerts.HighLatency(-1000), alerts.HighLatency(60_000, name="never")], [bell])
            await client.subscribe_trade("KRW-BTC", print)
            await stage.after(30)
            figures = client.statistics().latency_ms
            assert figures is not None
        [(t, line)] = bell.rang
        assert t % alerted.LATENCY_EVERY == 0
        assert line.startswith("[warning] latency: latency of upbit (p90) is ")

    play(story, rate=20.0)


def test_channels_take_what_is_severe_enough_and_the_end_flushes() -> None:
    async def story(stage: Stage) -> None:
        bell, heard = Bell(), []

        async def slow(notice: Notice) -> None:
            await asyncio.get_running_loop().create_task(stage.turns(50))
            heard.append(notice.rule)

        class Quiet(alerts.Callback, frozen=True): ...

        async with stage.client(jitter=False) as client:
            watch = await client.alerts(
                [alerts.Down(5), alerts.Price("KRW-BTC", above=1)],
                [bell, slow, Quiet(bell.__call__, at_least="critical")],
            )
            await stage.after(5)
            stage.simulator.refuse(503, times=1000)
            stage.simulator.abort()
            await stage.after(10)
        assert [notice.rule for notice in bell.notices] == ["price", "down", "down", "down", "down"]
        assert heard == ["price", "down", "down"], "the last one when the client closed"
        figures = watch.statistics()
        assert [(one.sent, one.failed, one.waiting) for one in figures.channels] == [(3, 0, 0), (3, 0, 0), (2, 0, 0)]

    play(story)


def test_a_dead_channel_costs_the_feed_nothing_and_the_end_little() -> None:
    async def story(stage: Stage) -> None:
        never = asyncio.get_running_loop().create_future()

        async def dead(_notice: Notice) -> None:
            await never

        heard: list[Event] = []
        client = stage.client()
        watch = await client.alerts([alerts.Price("KRW-BTC", crosses=1e-9), alerts.Price("KRW-BTC", above=1)], [dead])
        await client.subscribe_trade("KRW-BTC", heard.append)
        await stage.after(10)
        assert len(heard) > 30
        before = stage.loop.time()
        await client.cleanup()
        assert stage.loop.time() - before <= 5.0
        assert watch.statistics().channels[0].failed == 1
        never.cancel()

    play(story, rate=60.0)


def test_alerts_can_be_closed_alone_and_give_their_data_back() -> None:
    async def story(stage: Stage) -> None:
        bell = Bell()
        async with stage.client() as client:
            watch = await client.alerts([alerts.Price("KRW-BTC", above=1), alerts.HighLatency(5)], [bell])
            assert [str(one) for handle in client.handles for one in handle.subscriptions] == ["ticker KRW-BTC"]
            await watch.aclose()
            await watch.aclose()
            assert client.handles == ()
            await stage.after(10)
            assert bell.rang == []
            later = await client.alerts([alerts.Down()], [bell])
            assert client._alerts == (later,), "those that are closed are let go"

    play(story)


def test_a_symbol_that_cannot_be_subscribed_is_an_error_and_nothing_stays() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            rules = [alerts.Price("KRW-BTC", above=1), alerts.Silence("KRW-NOPE")]
            with pytest.raises(SubscriptionError, match="KRW-NOPE"):
                await client.alerts(rules, [print])
            with pytest.raises(SubscriptionError, match="KRW-NOPE"):
                await client.alerts(rules[1:], [print])
            assert client.handles == ()

    play(story)


@pytest.mark.parametrize(
    ("rules", "channels"), [(alerts.Down(), [print]), ([alerts.Down()], print), ([alerts.Down()], alerts.Log())]
)
def test_one_by_itself_is_no_list(rules: Any, channels: Any) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            with pytest.raises(ConfigError, match=r"it must be lists: rules=\[…\], channels=\[…\]"):
                await client.alerts(rules, channels)

    play(story)


def test_without_channels_the_log_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client("my_app") as client:
            await client.alerts([alerts.Price("KRW-BTC", above=1, severity="warning")])
            await stage.after(5)

    play(story)
    lines = [record.getMessage() for record in caplog.records if record.name == "tapewire.alerts"]
    assert len(lines) == 1
    assert lines[0].startswith("my_app: [warning] price: KRW-BTC is above 1: ")


def test_a_dropped_client_takes_its_alerts_with_it() -> None:
    async def story(stage: Stage) -> tuple[weakref.ref[WebSocketClient], weakref.ref[Alerts]]:
        client = stage.client()
        watch = await client.alerts([alerts.Silence("KRW-BTC", 5), alerts.HighLatency(5)], [print])
        await stage.after(2)
        gone = weakref.ref(client), weakref.ref(watch)
        del client, watch
        gc.collect()
        await stage.after(20)
        gc.collect()
        assert [one() for one in gone] == [None, None]
        assert stage.simulator.connected == 0
        return gone

    play(story)


def test_the_timer_of_alerts_that_are_gone_does_nothing() -> None:
    async def story() -> list[str]:
        from tapewire.client.posting import Tools  # noqa: PLC0415 - only here
        from tapewire.hub.alerting import Alerting  # noqa: PLC0415
        from tapewire.runtime.clock import LoopClock  # noqa: PLC0415

        heard: list[str] = []
        loop = asyncio.get_running_loop()
        alerting = Alerting([alerts.Silence("KRW-BTC", 5)], loop.time())
        channel = alerts.Callback(lambda notice: heard.append(notice.text))
        watch = Alerts(alerting, [channel], Tools("x", LoopClock(lambda: 0), None), lambda: None)  # type: ignore[arg-type]
        del watch
        due = loop.create_future()
        loop.call_at(10.0, due.set_result, None)
        await due
        return heard

    assert run_virtual(story()) == []
