"""Each snippet of the v6 guide (requirements S3-10 to S3-30) runs as printed; only the import path is another."""

from __future__ import annotations

import asyncio
import contextlib
import io
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from collections.abc import Callable
from typing import Any

import pytest

import tapewire
from tapewire.runtime.manager import share_manager
from tapewire.sim.scenario import DEMO_KEY
from tests.client.stage import Stage, play

KEY: dict[str, Any] = {"access_key": DEMO_KEY.access_key, "secret_key": DEMO_KEY.secret_key}

HELLO_WORLD = """
import asyncio
from tapewire import WebSocketClient

async def main():
    client = WebSocketClient("my_app")

    async def on_price_change(event):
        print(f"{event.symbol}: {event.trade_price:,}")

    await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], on_price_change)
    await asyncio.sleep(60)

asyncio.run(main())
"""

CURRENT_PRICE = """
import asyncio
from tapewire import WebSocketClient

async def get_current_price(symbol):
    client = WebSocketClient("price_checker")
    price = None

    async def on_snapshot(event):
        nonlocal price
        price = event.trade_price

    await client.subscribe_ticker([symbol], on_snapshot, stream_preference="snapshot_only")
    await asyncio.sleep(1)
    return price

async def main():
    for symbol in ("KRW-BTC", "KRW-BTC", "KRW-ETH"):
        print(symbol, await get_current_price(symbol))

asyncio.run(main())
"""

SEVERAL_TYPES = """
import asyncio
from tapewire import WebSocketClient

client = WebSocketClient("trading_bot")

async def on_ticker(event):
    print("ticker", event.symbol, event.trade_price)

async def on_orderbook(event):
    print("orderbook", event.symbol, event.orderbook_units[0].ask_price)

async def main():
    await client.subscribe_ticker(["KRW-BTC"], on_ticker)
    await client.subscribe_orderbook(["KRW-BTC"], on_orderbook)
    await asyncio.sleep(30)

asyncio.run(main())
"""

HEALTH = """
import asyncio
from tapewire import WebSocketClient, get_global_websocket_manager

async def main():
    client = WebSocketClient("my_app")
    await client.subscribe_ticker(["KRW-BTC"], lambda event: None)
    await asyncio.sleep(5)
    manager = await get_global_websocket_manager()
    health = manager.get_health_status()
    if health.status == "healthy":
        print("connection is healthy", health.uptime_seconds)
    else:
        print("connection has a problem", health.status)

asyncio.run(main())
"""

METRICS = """
import asyncio
from tapewire import WebSocketClient, get_global_websocket_manager

async def main():
    client = WebSocketClient("my_app")
    await client.subscribe_ticker(["KRW-BTC"], lambda event: None)
    await asyncio.sleep(30)
    manager = await get_global_websocket_manager()
    metrics = manager.get_all_connection_metrics()
    print("messages processed:", metrics['total_processed'])

asyncio.run(main())
"""

PRIVATE = """
import asyncio
from tapewire import WebSocketClient, environment_credentials

async def main():
    client = WebSocketClient("my_account", credentials=environment_credentials())

    async def on_my_order(event):
        print("order", event.symbol, event.state)

    async def on_my_asset(event):
        print("asset", event.assets[0].currency, event.assets[0].balance)

    await client.subscribe_my_order(on_my_order)
    await client.subscribe_my_asset(on_my_asset)
    await asyncio.sleep(300)

asyncio.run(main())
"""

FOUR_STEPS = """
import asyncio
from tapewire import WebSocketClient, profile

# 1. settings
options = profile("development")

# 2. client
client = WebSocketClient("first_steps", options=options)

# 3. handler
async def handle_ticker(event):
    print(event.symbol, event.trade_price)

# 4. subscribe
async def main():
    await client.subscribe_ticker(["KRW-BTC"], handle_ticker)
    await asyncio.sleep(10)

asyncio.run(main())
"""

PRICE_ALERT = """
import asyncio
from tapewire import WebSocketClient

async def price_alert(event):
    if event.trade_price > 50_000_000:
        print(f"alert: {event.symbol} passed 50,000,000 KRW: {event.trade_price:,.0f}")

async def main():
    client = WebSocketClient("price_alert")
    await client.subscribe_ticker(["KRW-BTC"], price_alert, stream_preference="realtime_only")
    await asyncio.sleep(60)

asyncio.run(main())
"""


def run(text: str, after: Callable[[Stage], object] = lambda _stage: None, **scenario: Any) -> list[str]:
    """The lines that a snippet prints; it talks to a simulated exchange because its loop's manager does."""

    async def story(stage: Stage) -> list[str]:
        share_manager(stage.manager)
        stage.simulator.exchange  # noqa: B018 - its time begins
        output = io.StringIO()
        text_here = text.replace("asyncio.run(main())", "await main()")
        code = compile(text_here, "guide", "exec", flags=PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with contextlib.redirect_stdout(output):
            await eval(code, {"__name__": "guide"})  # noqa: S307 - our own text
        after(stage)
        return output.getvalue().splitlines()

    return play(story, **scenario)


def test_hello_world() -> None:
    """S3-10, S3-63: subscribing alone connects; nothing needs a start."""
    lines = run(HELLO_WORLD)
    assert {line.partition(":")[0] for line in lines} == {"KRW-BTC", "KRW-ETH"}
    assert len(lines) > 20


def test_the_current_price_by_snapshot() -> None:
    """S3-16."""
    lines = run(CURRENT_PRICE)
    prices = [line.split() for line in lines]
    assert [symbol for symbol, _ in prices] == ["KRW-BTC", "KRW-BTC", "KRW-ETH"]
    assert all(float(price) > 0 for _, price in prices)


def test_several_types_of_one_symbol_on_one_connection() -> None:
    """S3-15."""

    def one_connection(stage: Stage) -> None:
        assert len(stage.simulator.connects) == 1

    lines = run(SEVERAL_TYPES, one_connection)
    assert {line.split()[0] for line in lines} == {"ticker", "orderbook"}


def test_health() -> None:
    """S3-29."""
    [line] = run(HEALTH)
    words, uptime = line.rsplit(" ", 1)
    assert (words, float(uptime) > 4) == ("connection is healthy", True)


def test_metrics() -> None:
    """S3-30, S3-71: the key is there."""
    [line] = run(METRICS)
    assert int(line.rpartition(" ")[2]) > 10


def test_private_streams_with_keys_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """S3-24, S3-34."""
    monkeypatch.setenv("UPBIT_ACCESS_KEY", DEMO_KEY.access_key)
    monkeypatch.setenv("UPBIT_SECRET_KEY", DEMO_KEY.secret_key.reveal())

    def signed_alone(stage: Stage) -> None:
        assert [one.origin.side for pool in stage.manager.pools for one in pool.drivers] == ["private"]

    lines = run(PRIVATE, signed_alone, customer=5.0)
    assert {line.split()[0] for line in lines} == {"order", "asset"}


def test_four_steps() -> None:
    """S3-25."""
    assert {line.split()[0] for line in run(FOUR_STEPS)} == {"KRW-BTC"}


def test_a_price_alert() -> None:
    """S3-26; the same as a rule, with recovery and rate limit: docs/alerts.md."""
    lines = run(PRICE_ALERT)
    assert lines
    assert all(line.startswith("alert: KRW-BTC passed 50,000,000 KRW: ") for line in lines)


@pytest.mark.parametrize(
    "name",
    [
        "WebSocketClient", "TickerEvent", "OrderbookEvent", "SubscriptionManager", "DataProcessor",
        "WebSocketException",
        "WebSocketConnectionError", "SubscriptionError", "AuthenticationError", "BackpressureError", "RecoveryError",
        "get_global_websocket_manager", "get_websocket_manager", "create_websocket_client", "quick_ticker_subscription",
    ],
)  # fmt: skip
def test_each_name_of_the_guide_is_here_and_on_the_page_that_maps_them(name: str) -> None:
    from tests.docs.pages import ROOT  # noqa: PLC0415 - the one test that reads a page

    assert getattr(tapewire, name).__doc__
    assert f"`{name}" in (ROOT / "docs/from-v6.md").read_text("utf-8")


def test_the_shortcuts() -> None:
    async def story(stage: Stage) -> None:
        share_manager(stage.manager)
        assert await tapewire.get_global_websocket_manager() is tapewire.get_websocket_manager() is stage.manager
        async with tapewire.create_websocket_client("short", validate=False) as client:
            assert (client.name, client.options.validate) == ("short", False)
        heard: list[tapewire.TickerEvent] = []
        quick = await tapewire.quick_ticker_subscription("KRW-BTC", heard.append)
        await stage.after(5)
        assert heard
        await quick.cleanup()
        with pytest.raises(tapewire.SubscriptionError):
            await tapewire.quick_ticker_subscription("KRW-NOPE", heard.append)
        assert not stage.manager.components

    play(story)
    with pytest.raises(tapewire.FeedError, match="each event loop has a manager of its own"):
        tapewire.get_websocket_manager()


def test_what_the_exchange_holds_can_be_asked() -> None:
    """S3-35."""

    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            await (await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], lambda _event: None)).live()
            [listed] = await client.list_subscriptions()
            assert (listed.connection, listed.missing, listed.unexpected) == ("upbit-1", (), ())
            assert {str(one) for one in listed.subscriptions} == {"ticker KRW-BTC", "ticker KRW-ETH"}

    play(story)


def test_a_signed_connection_is_opened_only_with_a_key_and_for_a_private_stream() -> None:
    """S3-60."""

    async def story(stage: Stage) -> None:
        async with stage.client() as public, stage.client("keyed", **KEY) as keyed:
            await (await public.subscribe_ticker("KRW-BTC", lambda _event: None)).live()
            await (await keyed.subscribe_ticker("KRW-ETH", lambda _event: None)).live()
            with pytest.raises(tapewire.CredentialsError, match="both are needed for myOrder"):
                await public.subscribe_my_order(lambda _event: None)
            assert list(stage.manager.get_all_connection_metrics()["connections"]) == ["upbit-1"]
            await (await keyed.subscribe_my_order(lambda _event: None)).live()
            sides = [one.side for one in stage.manager.get_all_connection_metrics()["connections"].values()]
            assert sorted(sides) == ["private", "public"]

    play(story)


def test_the_managers_own_words() -> None:
    """S3-38: components by name, states, a stop that closes, a reset."""

    async def story(stage: Stage) -> None:
        share_manager(stage.manager)
        manager = tapewire.get_websocket_manager()
        await manager.start()
        assert manager.get_state() == "idle"
        one, two = tapewire.WebSocketClient("one"), tapewire.WebSocketClient("two")
        manager.register_component(one)
        assert [component.name for component in manager.components] == ["one"]
        await one.subscribe_ticker("KRW-BTC", lambda _event: None)
        await stage.turns(1)
        assert manager.get_state() == "initializing"
        await (await two.subscribe_trade("KRW-ETH", lambda _event: None)).live()
        assert (manager.get_state(), manager.get_connection_state("public")) == ("active", "active")
        assert [component.name for component in manager.components] == ["one", "two"]
        assert manager.unregister_component("one")
        assert not manager.unregister_component("one")
        assert (one.handles, len(two.handles)) == ((), 1)
        await stage.after(1)
        assert stage.asked()[-1] == {"trade KRW-ETH": "realtime"}
        await one.subscribe_ticker("KRW-XRP", lambda _event: None)
        assert [component.name for component in manager.components] == ["two", "one"]
        simulator = stage.simulator
        other = tapewire.WebSocketClient("other", line_factory=simulator.lines(), http=simulator.http())
        other.subscribe_feed(lambda _event: None)
        with pytest.raises(tapewire.FeedError, match="other: the client shares the connections of another manager"):
            manager.register_component(other)
        with pytest.raises(tapewire.FeedError, match=r"component is 'my_app'; it must be a tapewire.WebSocketClient"):
            manager.register_component("my_app")  # type: ignore[arg-type]
        stopping = asyncio.create_task(manager.stop())
        await stage.turns(1)
        assert manager.get_state() == "shutting_down"
        await stopping
        assert (manager.get_state(), stage.simulator.connected, len(manager.components)) == ("idle", 0, 0)
        assert not one.is_active
        await manager.stop()
        await manager.reset_instance()
        fresh = tapewire.get_websocket_manager()
        assert fresh is not manager

    play(story)
