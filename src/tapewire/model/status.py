"""The feed's own events: every step of a connection, told in the same way as the data."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from tapewire.model.line import Loss
from tapewire.model.subscription import Subscription


class FeedEvent(Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every feed event has.

    Attributes:
        venue: ``upbit``, ``upbit-sg`` …
        connection: name of the connection it happened on, such as ``upbit-1``.
        at_ns: when it happened, nanoseconds UTC.
    """

    venue: str
    connection: str
    at_ns: int


class Connecting(FeedEvent, frozen=True, kw_only=True, tag="connecting"):
    """A dial begins. ``attempt`` is 1 for the first after a success or the start."""

    url: str
    attempt: int


class Connected(FeedEvent, frozen=True, kw_only=True, tag="connected"):
    """The line is open. ``reconnect`` is the number of times this connection came back so far."""

    url: str
    reconnect: int
    seconds: float = 0.0


class Disconnected(FeedEvent, frozen=True, kw_only=True, tag="disconnected"):
    """The line was lost or could not be had.

    ``retry_in`` is the seconds until the next attempt, None when there will be none: ``final`` says that the
    connection gave up or was asked to stop (``loss.cause`` is ``stopped``); otherwise nobody wants it at present.
    ``attempt`` counts losses in a row without a stable line between them.
    """

    loss: Loss
    attempt: int
    retry_in: float | None
    final: bool = False


class Subscribed(FeedEvent, frozen=True, kw_only=True, tag="subscribed"):
    """Streams that are live: data came, or nothing spoke against them within the quiet time."""

    subscriptions: tuple[Subscription, ...]


class Rejected(FeedEvent, frozen=True, kw_only=True, tag="rejected"):
    """The exchange refused something. ``subscriptions`` are those that ended for it (empty: none did).

    ``name`` is the exchange's word (``WRONG_FORMAT``), ``message`` its text; an unknown name is kept.
    """

    name: str
    message: str
    subscriptions: tuple[Subscription, ...] = ()
    final: bool = False


GapState = Literal["open", "filling", "filled", "unfilled", "nothing_missed", "full_state"]


class Gap(FeedEvent, frozen=True, kw_only=True, tag="gap"):
    """One row of the gap ledger: a stream was interrupted from ``last_*`` to ``first_*``.

    Attributes:
        subscription: the stream that was interrupted.
        cause: what interrupted it: a ``Loss.cause``, ``stale`` for trades missed while the line was alive, or what
            spoilt an order book (``sequence``, ``checksum``, ``unreadable``), or ``trimmed``: a broker that is heard
            in the exchange's place threw it away before it was heard.
        state: ``open``: no data yet since; ``filling``: what was missed is being asked by REST, the row comes again;
            ``filled``: everything between the bounds was delivered; ``unfilled``: messages may be missing there;
            ``nothing_missed``: the first trade after is the last one before; ``full_state``: the stream
            sends complete state (ticker, order book, candle), only the span without it is lost; no candle ended in it.
        last_id, first_id: trade ids on either side, None where the kind has none or nothing was seen.
        last_timestamp, first_timestamp: the venue's milliseconds on either side.
        recovered: how many events were delivered afterwards.
        polled: it was filled by polling; another row begins where that ended.
        from_ns, to_ns: our clock, nanoseconds UTC: line lost, first data again (None while open).
    """

    subscription: Subscription
    cause: str
    state: GapState
    from_ns: int
    to_ns: int | None = None
    last_id: int | None = None
    first_id: int | None = None
    last_timestamp: int | None = None
    first_timestamp: int | None = None
    recovered: int = 0
    polled: bool = False


class Recovered(FeedEvent, frozen=True, kw_only=True, tag="recovered"):
    """Every stream that the loss interrupted has data again. ``seconds`` since the loss."""

    subscriptions: tuple[Subscription, ...]
    seconds: float


#: Why a stream is not to be relied on: it brings nothing · its order book has a hole · is not what the exchange's
#: checksum says · cannot be read.
StaleCause = Literal["silent", "sequence", "checksum", "unreadable"]

_WORDS: dict[str, str] = {
    "sequence": "its order book misses a change and is fetched anew",
    "checksum": "its order book is not the exchange's (checksum) and is fetched anew",
    "unreadable": "its order book has a level that cannot be read and is fetched anew",
}


class Stale(FeedEvent, frozen=True, kw_only=True, tag="stale"):
    """A stream is not to be relied on although the line is alive; ``over`` tells the end of it.

    ``cause`` ``silent``: it brings nothing beyond its own rhythm (``silent`` seconds, its ``limit``). Any other: its
    order book is not the exchange's any more, and nothing of it is delivered until it was fetched anew; ``silent`` is
    then 0, and at the end the seconds that this took.
    """

    subscription: Subscription
    silent: float
    limit: float
    over: bool = False
    cause: StaleCause = "silent"

    @property
    def words(self) -> str:
        """What is wrong with the stream, or that nothing is any more, for people."""
        if self.over:
            return "has data again" if self.cause == "silent" else f"has its order book again after {self.silent:.1f} s"
        return _WORDS.get(self.cause, f"silent for {self.silent:.0f} s (limit {self.limit:.0f} s)")


class Polling(FeedEvent, frozen=True, kw_only=True, tag="polling"):
    """REST is asked again and again for these streams, because WebSocket cannot be had; ``over``: not any more.

    Attributes:
        subscriptions: which streams; their events are marked ``polled``.
        cause: why there is no stream: a ``Loss.cause``, or ``stale``: the line is open and brings nothing.
        interval: seconds between two answers of one stream, when all goes well (the slowest of them).
        error: REST fails, too, and is asked again; empty: it answers.
        over: their stream is back, or nobody wants them any more.
    """

    subscriptions: tuple[Subscription, ...]
    cause: str = ""
    interval: float = 0.0
    error: str = ""
    over: bool = False


class Lagged(FeedEvent, frozen=True, kw_only=True, tag="lagged"):
    """A subscriber fell behind and its mailbox followed its rule; ``dropped`` since the last such event."""

    subscriber: str
    rule: str
    dropped: int
    total_dropped: int
    size: int


class Taping(FeedEvent, frozen=True, kw_only=True, tag="taping"):
    """The feed's tape: ``reason`` says why nothing can be written to it, ``""`` that all is well (again).

    What comes meanwhile waits in memory; ``missed`` records found no room there so far. ``mended`` says what
    was cut off: what a crash of an earlier recorder had left unfinished, or what the disk did not confirm (it is in
    another file then).
    """

    folder: str
    reason: str = ""
    missed: int = 0
    mended: tuple[str, ...] = ()


class Quarantined(FeedEvent, frozen=True, kw_only=True, tag="quarantined"):
    """A frame that is no data: unknown type, unreadable, or a control answer. Kept raw, never fatal."""

    reason: str
    payload: bytes
    count: int


class CallbackFailed(FeedEvent, frozen=True, kw_only=True, tag="callback_failed"):
    """A user's callback raised; the feed went on. ``traceback`` is the full text."""

    subscriber: str
    error: str
    traceback: str


class Limited(FeedEvent, frozen=True, kw_only=True, tag="limited"):
    """The exchange refused a call or a dial over its limits; nothing under the same limit is sent for ``seconds``.

    ``group`` is what it counts it as (``candles``, ``websocket-connect``), ``status`` its answer: 429 too many, 418 a
    block of the address or the account.
    """

    group: str
    status: int
    seconds: float


class Notice(FeedEvent, frozen=True, kw_only=True, tag="notice"):
    """The exchange let know something that asks for nothing: ``name`` is its word or code, ``message`` its text.

    ``moving``: it will close this connection soon; another one takes its streams over before.
    """

    name: str
    message: str
    moving: bool = False


class TradeBody(Struct, frozen=True):
    """What a trade is, its id aside; ``ask_bid`` is the taker's side. None: not told."""

    trade_price: float | None = None
    trade_volume: float | None = None
    ask_bid: str | None = None


class Conflict(FeedEvent, frozen=True, kw_only=True, tag="conflict"):
    """The exchange sent two different trades under one id. The first was delivered, the other was not.

    Attributes:
        subscription: the stream of trades.
        sequential_id: the id.
        delivered, refused: what came first, and what came again.
        count: conflicts of the stream so far; of those within a minute one is told.
    """

    subscription: Subscription
    sequential_id: int
    delivered: TradeBody
    refused: TradeBody
    count: int


class Listed(FeedEvent, frozen=True, kw_only=True, tag="listed"):
    """The exchange's answer to what it holds for this connection (``client.list_subscriptions``).

    ``missing`` was asked for and is not held, ``unexpected`` is held and nobody wants it: both are mended at once.
    """

    subscriptions: tuple[Subscription, ...]
    missing: tuple[Subscription, ...] = ()
    unexpected: tuple[Subscription, ...] = ()


class Stopped(FeedEvent, frozen=True, kw_only=True, tag="stopped"):
    """The connection ended for good: on request, or with the error that trying again cannot mend."""

    reason: str
    error: bool = False
