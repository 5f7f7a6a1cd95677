"""Wire classes and events for the tests of the hub: what a codec would hand over, without a codec."""

from __future__ import annotations

from typing import Any

import msgspec

from tapewire.hub.listening import Listener
from tapewire.hub.router import Router
from tapewire.model.events import CandleEvent, Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.subscription import Subscription


def wire_class(public: type[Event], name: str) -> type:
    return msgspec.defstruct(f"Wire{public.__name__}{name}", [], bases=(public,), gc=False, kw_only=True, tag=name)


CLASSES: dict[type, tuple[type[Event], str, str | None]] = {
    wire_class(TickerEvent, "ticker"): (TickerEvent, "ticker", None),
    wire_class(TradeEvent, "trade"): (TradeEvent, "trade", None),
    wire_class(OrderbookEvent, "orderbook"): (OrderbookEvent, "orderbook", None),
    wire_class(CandleEvent, "candle.1s"): (CandleEvent, "candle", "1s"),
    wire_class(CandleEvent, "candle.1m"): (CandleEvent, "candle", "1m"),
}
WIRE = {(kind, unit): wire for wire, (_, kind, unit) in CLASSES.items()}

TICKER = Subscription("ticker", "KRW-BTC")
TRADE = Subscription("trade", "KRW-BTC")
SECONDS = Subscription("candle", "KRW-BTC", unit="1s")
MINUTES = Subscription("candle", "KRW-BTC", unit="1m")


def facts(subscription: Subscription, number: int, stream_type: str) -> dict[str, Any]:
    """Keyword arguments of the ``number``-th event of a stream."""
    unit = {"unit": subscription.unit} if subscription.kind == "candle" else {}
    trade = {"sequential_id": number} if subscription.kind == "trade" else {}
    return {
        "venue": "upbit", "symbol": subscription.symbol, "timestamp": number, "stream_type": stream_type,
        **unit, **trade,
    }  # fmt: skip


def public_event(subscription: Subscription, number: int, stream_type: str = "REALTIME") -> Event:
    """As ``Codec.read`` gives it."""
    public = CLASSES[WIRE[subscription.kind, subscription.unit]][0]
    return public(**facts(subscription, number, stream_type))


def wire_event(subscription: Subscription, number: int, stream_type: str = "REALTIME") -> Any:
    """As ``Codec.decode`` gives it."""
    return WIRE[subscription.kind, subscription.unit](**facts(subscription, number, stream_type))


def no_failure(listener: Listener, error: BaseException) -> None:
    """For callbacks that do not raise."""
    raise AssertionError(f"{listener.name} raised {error!r}")


def no_raise(callback: Any, error: BaseException) -> None:
    """The same on the short road."""
    raise AssertionError(f"{callback} raised {error!r}")


def hand_over(router: Router, subscription: Subscription, number: int, stream_type: str = "REALTIME") -> str:
    """Route one event as the driver does: the short road when the stream is hot. Returns the road taken."""
    event = wire_event(subscription, number, stream_type)
    public, streams = router.tables[event.__class__]
    stream = streams.get(event.symbol)
    if stream is None:
        router.deliver(public_event(subscription, number, stream_type), no_failure)
        return "careful"
    event.__class__ = public
    stream.last = event.timestamp
    stream.count += 1
    stream.deliver(event)
    return "short"
