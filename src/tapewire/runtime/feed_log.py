"""Turns feed events into log lines with fields; what comes in masses is summed up."""

from __future__ import annotations

import logging
from typing import Any

from msgspec.structs import asdict

from tapewire.model.counted import count_of
from tapewire.model.line import Loss
from tapewire.model.status import (
    CallbackFailed,
    Conflict,
    Connected,
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
    TradeBody,
)
from tapewire.model.subscription import Subscription
from tapewire.runtime.observe import logger

#: Nanoseconds between two lines about frames in quarantine on one connection.
QUARANTINE_EVERY = 60 * 10**9
#: Connections whose last such line is remembered; the oldest is let go.
REMEMBERED = 1_000
#: Streams that one record names in its field; ``streams`` counts them all.
NAMED = 50
#: Fields of an event whose names a log record has for itself, by the names they get there.
_RENAMED = {"name": "error_name", "message": "error_message"}
#: Fields that are in the text already, and may be long.
_LEFT_OUT = ("traceback", "payload")

_PLURALS = {"trade": "trades", "candle": "candles", "myOrder": "order messages", "myAsset": "balance messages"}


class FeedLog:
    """One line for each feed event of a pool; user text stands in it, secrets never do.

    Each record carries the event's fields (``fields_of``), for handlers that want them apart.
    """

    def __init__(self) -> None:
        self._unfilled = 0
        #: Rows that were told as being filled.
        self._filling: set[tuple[str, Subscription, int]] = set()
        #: Connection → (when its last line about quarantine was written, frames not told since).
        self._quarantine: dict[str, tuple[int, int]] = {}

    def tell(self, event: FeedEvent) -> None:
        """Log ``event``; the gaps of one loss are summed up in the line that tells of its end.

        Of frames in quarantine the first is told, then one a minute and connection, with the number of the others.
        """
        level, text = _line(event)
        if isinstance(event, Gap):
            level, text = self._gap(event) or (level, text)
        elif isinstance(event, Recovered) and self._unfilled:
            level, text = logging.WARNING, f"{text}; messages may be missing in {self._unfilled} (see the Gap events)"
            self._unfilled = 0
        elif isinstance(event, Quarantined):
            held = self._held_back(event)
            if held is None:
                return
            text += f" (and {held} more since the last such line)" if held else ""
        if logger.isEnabledFor(level):
            logger.log(level, "%s: %s", event.connection or event.venue, text, extra=fields_of(event))

    def _gap(self, gap: Gap) -> tuple[int, str] | None:
        """What became of a hole that was being filled; None: a row like others."""
        row = gap.connection, gap.subscription, gap.from_ns
        if gap.state == "filling":
            self._filling.add(row)
            return None
        began = row in self._filling
        self._filling.discard(row)
        what = _what(gap)
        if not began:
            self._unfilled += gap.state == "unfilled"
            return None
        if gap.state == "filled":
            return logging.INFO, f"{gap.recovered:,} {what} recovered" if gap.recovered else f"nothing missed of {what}"
        return logging.WARNING, f"{what} may be missing: {gap.recovered:,} recovered, REST told no more ({gap.cause})"

    def _held_back(self, event: Quarantined) -> int | None:
        """How many were not told before this one, which is to be; None: it is not, either."""
        last, held = self._quarantine.get(event.connection, (None, 0))
        if last is not None and 0 <= event.at_ns - last < QUARANTINE_EVERY:
            self._quarantine[event.connection] = last, held + 1
            return None
        self._quarantine.pop(event.connection, None)
        self._quarantine[event.connection] = event.at_ns, 0
        if len(self._quarantine) > REMEMBERED:
            del self._quarantine[next(iter(self._quarantine))]
        return held


def fields_of(event: FeedEvent) -> dict[str, Any]:
    """The event for a log record: ``event`` (its kind), venue, connection, times and counts; streams as text."""
    fields: dict[str, Any] = {"event": event.__struct_config__.tag}
    for name, value in asdict(event).items():
        if name not in _LEFT_OUT:
            fields[_RENAMED.get(name, name)] = _plain(value)
            if isinstance(value, tuple):
                fields["streams"] = len(value)
    return fields


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [str(one) for one in value[:NAMED]]
    if isinstance(value, TradeBody):
        return _words(value)
    return str(value) if isinstance(value, Subscription | Loss) else value


def _line(event: FeedEvent) -> tuple[int, str]:  # noqa: C901, PLR0911, PLR0912 - one branch a kind of event
    match event:
        case Connected():
            again = f" (reconnect {event.reconnect})" if event.reconnect else ""
            return logging.INFO, f"connected to {event.url}{again}"
        case Disconnected():
            if event.loss.cause == "stopped":
                return logging.INFO, f"line closed: {event.loss}"
            then = "giving up" if event.final else f"try {event.attempt} in {event.retry_in or 0:.1f} s"
            return logging.ERROR if event.final else logging.WARNING, f"line lost: {event.loss}; {then}"
        case Subscribed():
            return logging.INFO, f"{_streams(event.subscriptions)} live"
        case Rejected():
            about = ", ".join(map(str, event.subscriptions)) or "no subscription ended"
            level = logging.ERROR if event.final else logging.WARNING
            return level, f"refused: {event.name}: {event.message} ({about})"
        case Gap():
            # one for each stream: a hundred at once would bury the line that says why, so they are for who asks
            return logging.INFO, f"gap ({event.state}) in {event.subscription}: {event.cause}"
        case Stale():
            return logging.INFO if event.over else logging.WARNING, f"{event.subscription} {event.words}"
        case Lagged():
            return logging.WARNING, f"{event.subscriber} fell behind: {event.dropped} dropped ({event.rule})"
        case Polling() | Taping() | Conflict():
            return _at_length(event)
        case Limited():
            group = event.group or "REST"  # where all calls are one
            return logging.WARNING, f"over the limit of {group}: HTTP {event.status}, waits {event.seconds:.1f} s"
        case Notice():
            return logging.WARNING if event.moving else logging.INFO, f"notice: {event.name} {event.message}".rstrip()
        case Quarantined():
            return logging.WARNING, f"frame kept in quarantine: {event.reason}: {event.payload[:80]!r}"
        case CallbackFailed():
            return logging.ERROR, f"callback of {event.subscriber} raised {event.error}\n{event.traceback}"
        case Stopped():
            return logging.ERROR if event.error else logging.INFO, f"stopped: {event.reason}"
        case Recovered():
            return logging.INFO, f"{_streams(event.subscriptions)} back after {event.seconds:.1f} s"
        case _:
            return logging.DEBUG, str(event)


def _at_length(event: Polling | Taping | Conflict) -> tuple[int, str]:
    match event:
        case Polling():
            return _polling(event)
        case Taping():
            return _tape(event)
        case Conflict():
            return logging.WARNING, _conflict(event)


def _tape(event: Taping) -> tuple[int, str]:
    if event.reason:
        return logging.ERROR, f"the tape in {event.folder} is not written: {event.reason}"
    if event.mended:
        return logging.WARNING, f"the tape in {event.folder}: cut off {'; '.join(event.mended)}"
    left_out = count_of(event.missed, "record")
    return logging.INFO, f"the tape in {event.folder} is written again ({left_out} left out so far)"


def _polling(event: Polling) -> tuple[int, str]:
    streams = _streams(event.subscriptions)
    if event.over:
        return logging.INFO, f"{streams} not polled any more"
    if event.error:
        return logging.WARNING, f"{streams} cannot be polled, either: {event.error}"
    return logging.WARNING, f"{streams} polled (no WebSocket: {event.cause}), REST every {event.interval:.1f} s"


def _conflict(event: Conflict) -> str:
    which = f"two trades of {event.subscription.symbol} have the id {event.sequential_id}"
    return f"{which}: {_words(event.delivered)} was delivered, {_words(event.refused)} was not ({event.count} so far)"


def _words(body: TradeBody) -> str:
    return f"{body.ask_bid} {body.trade_volume} at {body.trade_price}"


def _what(gap: Gap) -> str:
    """``trades of KRW-BTC``, ``1m candles of KRW-BTC``, ``orders``, ``balances``."""
    stream = gap.subscription
    plural = _PLURALS.get(stream.kind, f"{stream.kind} messages")
    return f"{stream.unit + ' ' if stream.unit else ''}{plural}{' of ' + stream.symbol if stream.symbol else ''}"


def _streams(subscriptions: tuple[Subscription, ...]) -> str:
    return str(subscriptions[0]) if len(subscriptions) == 1 else f"{len(subscriptions)} streams"
