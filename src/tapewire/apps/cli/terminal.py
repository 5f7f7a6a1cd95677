"""How things are shown: plain text without control characters, numbers, one line for each of the feed's events."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tapewire.apps.cli.plain_facts import plain_facts
from tapewire.model.counted import count_of as count_of  # noqa: PLC0414 - the other commands have it from here
from tapewire.model.events import (
    AnnouncementEvent,
    BalanceAndPositionEvent,
    CandleEvent,
    Event,
    FillEvent,
    IndicatorEvent,
    IndicatorSignalEvent,
    MyAssetEvent,
    MyOrderEvent,
    OrderbookEvent,
    TickerEvent,
    TradeEvent,
)
from tapewire.model.status import (
    CallbackFailed,
    Conflict,
    Connected,
    Connecting,
    Disconnected,
    FeedEvent,
    Gap,
    Lagged,
    Limited,
    Notice,
    Polling,
    Quarantined,
    Recovered,
    Rejected,
    Stale,
    Stopped,
    Subscribed,
    Taping,
)

#: A rich style and a line of text.
Styled = tuple[str, str]

_MAGNITUDES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
#: What the states of a gap mean for whoever reads the data.
GAP_WORDS = {
    "open": "still open",
    "filling": "being filled",
    "filled": "filled",
    "unfilled": "may lack some",
    "nothing_missed": "missed nothing",
    "full_state": "complete again",
}


def plain(text: object, limit: int = 500) -> str:
    """Text that cannot steer a terminal: what does not print is replaced, what is long is cut."""
    shown = str(text)
    if len(shown) > limit:
        shown = f"{shown[: limit - 1]}…"
    return (
        shown if shown.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in shown)
    )


def price(value: float | None) -> str:
    """All its digits (to 8 decimals), grouped: ``143,500,000``, ``0.00001234``."""
    if value is None:
        return "–"
    return f"{value:,.8f}".rstrip("0").rstrip(".")


def amount(value: float | None) -> str:
    """Short: four significant digits and a magnitude: ``1.234M``, ``0.0512``."""
    if value is None:
        return "–"
    for size, letter in _MAGNITUDES:
        if abs(value) >= size:
            return f"{value / size:.4g}{letter}"
    return f"{value:.4g}" if abs(value) >= 1e-4 else price(value)


def size_of(count: int) -> str:
    """Bytes for people: ``12.3 kB``."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def kind_of(event: Event) -> str:
    """The word for its kind: ``trade``, ``candle.1s``."""
    kind = str(event.__struct_config__.tag)
    return f"{kind}.{event.unit}" if isinstance(event, CandleEvent | IndicatorEvent) and event.unit else kind


def address(url: str) -> str:
    """A URL, or several joined by commas, without the user names and passwords that may stand in it."""
    parts = url.split(",")
    if "@" not in parts[0]:  # a comma in a password would have cut it in two
        parts = [url]
    return ",".join(map(_bare, parts))


def _bare(url: str) -> str:
    scheme, mark, rest = url.partition("://") if "://" in url else ("", "", url)
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"


def is_terminal() -> bool:
    """Whether people look at the output, so that live tables make sense."""
    return sys.stdout.isatty()


def json_line(item: Any) -> bytes:
    """One JSON object and a line end."""
    return msgspec.json.encode(item, enc_hook=str) + b"\n"


def event_line(event: Event) -> str:
    """One event for people who pipe."""
    return plain(f"{event.symbol:<12} {kind_of(event):<10} {_facts(event)}")


def _facts(event: Event) -> str:
    match event:
        case TickerEvent():
            rate = "" if event.signed_change_rate is None else f"  {event.signed_change_rate * 100:+.2f}%"
            return f"{price(event.trade_price)}{rate}  24h {amount(event.acc_trade_volume_24h)}"
        case TradeEvent():
            side = {"ASK": "sell", "BID": "buy"}.get(event.ask_bid or "", event.ask_bid)
            return f"{side} {price(event.trade_volume)} at {price(event.trade_price)}  id {event.sequential_id}"
        case OrderbookEvent():
            best = event.orderbook_units[0] if event.orderbook_units else None
            if best is None:
                return "empty"
            bid, ask = (best.bid_price, best.bid_size), (best.ask_price, best.ask_size)
            return "  ".join(f"{name} {price(p)} × {amount(s)}" for name, (p, s) in (("bid", bid), ("ask", ask)))
        case CandleEvent():
            ohlc = (event.opening_price, event.high_price, event.low_price, event.trade_price)
            return f"{event.candle_date_time_utc}Z  " + "  ".join(
                f"{n} {price(v)}" for n, v in zip("OHLC", ohlc, strict=True)
            )
        case _:
            return _own_facts(event)


def _own_facts(event: Event) -> str:
    """Of what comes only with a key; exact numbers as they are."""
    match event:
        case MyOrderEvent():
            side = {"ASK": "sell", "BID": "buy"}.get(event.ask_bid or "", event.ask_bid)
            what = f"{side} {event.order_type} {_exact(event.volume)} at {_exact(event.price)}"
            return f"{event.state}: {what}  left {_exact(event.remaining_volume)}  order {event.uuid}"
        case MyAssetEvent():
            return ", ".join(
                f"{one.currency} {_exact(one.balance)} ({_exact(one.locked)} locked)" for one in event.assets
            )
        case AnnouncementEvent():
            return f"{event.category}: {event.title}  {event.url or ''}".rstrip()
        case IndicatorEvent():
            values = "  ".join(f"{name} {number:,.10g}" for name, number in event.value.items())
            trigger = f"{event.trigger}  " if isinstance(event, IndicatorSignalEvent) else ""
            return f"{event.candle_date_time_utc}Z  {event.indicator} {trigger}{values}"
        case _:
            return _account_facts(event)


def _account_facts(event: Event) -> str:
    """Of an account at an exchange that tells more than orders and balances."""
    match event:
        case FillEvent():
            side = {"ASK": "sell", "BID": "buy"}.get(event.ask_bid or "", event.ask_bid)
            role = {True: "maker", False: "taker", None: "–"}[event.is_maker]
            what = f"{side} {_exact(event.volume)} at {_exact(event.price)}"
            return f"{what}  {role}  id {event.sequential_id}  order {event.uuid}"
        case BalanceAndPositionEvent():
            rows = [f"{one.currency} {_exact(one.balance)}" for one in event.balances]
            rows += [f"{one.symbol} {_exact(one.position)}" for one in event.positions]
            return f"{event.event_type or 'now'}: {', '.join(rows) or '–'}"
        case _:
            return plain_facts(event)


def _exact(number: Decimal | None) -> str:
    return "–" if number is None else f"{number:,f}"


def feed_line(event: FeedEvent) -> Styled:
    """A step of the feed as (rich style, one line)."""
    style, text = _step(event)
    return style, plain(f"{event.connection or event.venue}: {text}")


def gap_bounds(gap: Gap, *, ids: bool = True) -> str:
    """What is known of a gap's two sides: ``, 1.75 s, after id 7, before id 9``."""
    words = []
    if gap.last_timestamp is not None and gap.first_timestamp is not None and gap.state == "unfilled":
        words.append(f"{max(gap.first_timestamp - gap.last_timestamp, 0) / 1000:.2f} s")
    elif gap.to_ns is not None:
        words.append(f"{(gap.to_ns - gap.from_ns) / 1e9:.2f} s")
    if ids and gap.state in {"open", "unfilled"}:
        words += [f"after id {gap.last_id}"] if gap.last_id is not None else []
        words += [f"before id {gap.first_id}"] if gap.first_id is not None else []
    words += [f"{gap.recovered:,} recovered"] if gap.recovered else []
    return "".join(f", {word}" for word in words)


def gap_lines(gaps: Sequence[Gap]) -> list[Styled]:
    """Gaps that came together, as few lines as say everything: those that missed nothing are only counted."""
    lines = [feed_line(gap) for gap in gaps if gap.state in {"open", "unfilled"}]
    rest = Counter(gap.state for gap in gaps if gap.state not in {"open", "unfilled"})
    if rest:
        told = ", ".join(f"{count} {GAP_WORDS[state]}" for state, count in rest.items())
        recovered = sum(gap.recovered for gap in gaps if gap.state == "filled")
        told += f" ({recovered:,} recovered)" if recovered else ""
        lines.append(("dim", plain(f"{gaps[0].connection}: gaps ({gaps[0].cause}): {told}")))
    return lines


def _step(event: FeedEvent) -> Styled:  # noqa: PLR0911 - one return a kind of event
    match event:
        case Connecting():
            return "dim", f"connecting to {address(event.url)}" + (
                f" (attempt {event.attempt})" if event.attempt > 1 else ""
            )
        case Connected():
            times = f" again ({event.reconnect})" if event.reconnect else ""
            return "green", f"connected{times} to {address(event.url)}"
        case Disconnected() if event.loss.cause == "stopped":
            return "dim", "line closed by us"
        case Disconnected():
            then = "giving up" if event.final else f"next attempt in {event.retry_in or 0:.1f} s"
            return "red", f"line lost: {event.loss}; {then}"
        case Subscribed():
            return "green", f"{_some(event.subscriptions)} live"
        case Recovered():
            return "green", f"{_some(event.subscriptions)} back after {event.seconds:.2f} s"
        case Stopped():
            return (
                "red" if event.error else "dim"
            ), "stopped" if event.reason == "stopped" else f"stopped: {event.reason}"
        case _:
            return _trouble(event)


def _trouble(event: FeedEvent) -> Styled:  # noqa: PLR0911 - one return a kind of event
    match event:
        case Rejected():
            about = f" ({_some(event.subscriptions)})" if event.subscriptions else ""
            return "red", f"refused: {event.name}: {event.message}{about}"
        case Gap():
            style = "yellow" if event.state in {"open", "unfilled"} else "dim"
            return style, f"gap in {event.subscription} ({event.cause}): {GAP_WORDS[event.state]}{gap_bounds(event)}"
        case Stale():
            return "green" if event.over else "yellow", f"{event.subscription} {event.words}"
        case Polling():
            return _polling(event)
        case Lagged():
            dropped = count_of(event.dropped, "event")
            return "yellow", f"{event.subscriber} fell behind: {dropped} dropped ({event.rule})"
        case Taping():
            return ("red", f"the tape is not written: {event.reason}") if event.reason else ("dim", tape_words(event))
        case Conflict():
            return (
                "yellow",
                f"two trades of {event.subscription.symbol} have the id {event.sequential_id}: one is refused",
            )
        case Limited():
            return (
                "yellow",
                f"over the limit of {event.group or 'REST'} (HTTP {event.status}): waits {event.seconds:.1f} s",
            )
        case Notice():
            return "yellow" if event.moving else "dim", f"notice {event.name} {event.message}".rstrip()
        case Quarantined():
            return "yellow", f"unreadable frame kept apart: {event.reason}: {event.payload[:60]!r}"
        case CallbackFailed():
            return "red", f"callback {event.subscriber} raised {event.error}"
        case _:
            return "dim", type(event).__name__


def tape_words(event: Taping) -> str:
    """What is good to know of a tape that is written."""
    return f"cut off: {'; '.join(event.mended)}" if event.mended else "the tape is written again"


def _polling(event: Polling) -> Styled:
    streams = _some(event.subscriptions)
    if event.over:
        return "dim", f"{streams}: not polled any more"
    if event.error:
        return "red", f"{streams}: polling fails, too: {event.error}"
    return "yellow", f"{streams}: no WebSocket ({event.cause}), REST is polled every {event.interval:.1f} s"


def _some(things: tuple[object, ...]) -> str:
    if len(things) == 1:
        return str(things[0])
    return f"{len(things)} streams"
