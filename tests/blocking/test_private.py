"""The blocking client's signed streams, and what it says of how it stands."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Any

import pytest

from tapewire.blocking import WebSocketClient
from tapewire.errors import CredentialsError, SubscriptionError
from tapewire.model.events import IndicatorEvent, MyAssetEvent, MyOrderEvent
from tapewire.sim.scenario import DEMO_KEY
from tapewire.testing.background import BackgroundSimulator

PATIENCE = 10.0
KEY: dict[str, Any] = {"access_key": DEMO_KEY.access_key, "secret_key": DEMO_KEY.secret_key}
RSI = [{"type": "rsi", "params": {"period": 14}}]


@pytest.fixture(scope="module")
def exchange() -> Iterator[BackgroundSimulator]:
    """Upbit with an account whose owner trades all the time, and news."""
    with BackgroundSimulator(
        seed=7, markets=("KRW-BTC", "KRW-ETH"), rate=200.0, limits=False, customer=0.05, announcements=0.05
    ) as simulator:
        yield simulator


@pytest.fixture
def client(exchange: BackgroundSimulator) -> Iterator[WebSocketClient]:
    with WebSocketClient("bot", url=exchange.url, **KEY) as made:
        yield made


def test_orders_balances_and_news_come_to_callbacks_and_the_latest_is_kept(client: WebSocketClient) -> None:
    orders: queue.Queue[MyOrderEvent] = queue.Queue()
    news: queue.Queue[Any] = queue.Queue()
    client.subscribe_my_order(orders.put)
    client.subscribe_my_order(["KRW-BTC"], orders.put)
    assets: queue.Queue[MyAssetEvent] = queue.Queue()
    client.subscribe_my_asset(assets.put)
    client.subscribe_announcement(news.put, include_body=True)
    assert orders.get(timeout=PATIENCE).symbol in {"KRW-BTC", "KRW-ETH"}
    assert assets.get(timeout=PATIENCE).assets
    assert news.get(timeout=PATIENCE).title
    assert isinstance(client.latest("", "myAsset"), MyAssetEvent)  # type: ignore[call-overload]
    with pytest.raises(SubscriptionError, match="callback is None"):
        client.subscribe_my_order(["KRW-BTC"])


def test_indicators_are_asked_on_their_own_side(client: WebSocketClient) -> None:
    values: queue.Queue[IndicatorEvent] = queue.Queue()
    client.subscribe_indicator("KRW-BTC", values.put, timeframe="5m", indicators=RSI).live()
    signal = {**RSI[0], "trigger": "overbought", "event_params": {"threshold": 70}}
    client.subscribe_indicator_signal("KRW-BTC", lambda _event: None, timeframe="5m", indicators=[signal])
    assert client.get_subscription_count() == 2


def test_without_a_key_nothing_is_connected(exchange: BackgroundSimulator) -> None:
    before = len(exchange.connects)
    with WebSocketClient("bot", url=exchange.url) as client:
        with pytest.raises(CredentialsError, match="both are needed for myAsset"):
            client.subscribe_my_asset()
        assert not client.is_connected
    assert len(exchange.connects) == before


def test_how_the_client_stands(client: WebSocketClient) -> None:
    assert (client.is_active, client.is_connected) == (True, False)
    client.subscribe_ticker(["KRW-BTC", "KRW-ETH"]).live()
    client.subscribe_my_order(lambda _event: None).live()
    assert client.is_connected
    assert client.get_health_status().status == "healthy"
    assert client.get_subscription_count() == 3
    assert client.get_subscribed_symbols("ticker") == ["KRW-BTC", "KRW-ETH"]
    assert client.get_rate_limiter_status().keys() == {"connects", "messages", "rest_calls"}
    listed = {one.connection: [str(each) for each in one.subscriptions] for one in client.list_subscriptions()}
    assert listed == {"upbit-1": ["ticker KRW-BTC", "ticker KRW-ETH"], "upbit-private-2": ["myOrder"]}
    client.close()
    assert not client.is_active
