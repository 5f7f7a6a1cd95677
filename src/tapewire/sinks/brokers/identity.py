"""The id of an event, by which a broker or a consumer drops doubles: ``venue|type|symbol|identity`` (pure)."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from msgspec import Struct, json, msgpack
from msgspec.structs import replace

from tapewire.model.events import Event, MyOrderEvent, TradeEvent
from tapewire.model.status import FeedEvent
from tapewire.sinks.brokers.subjects import Place, place_of, token
from tapewire.venues.registry import get_venue

#: Bytes of a digest: two different events have the same one with a chance of 2^-96.
_DIGEST = 12
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_encode = msgpack.Encoder(order="deterministic").encode
_encode_numbers = json.Encoder().encode


def event_id(item: Event | FeedEvent) -> str:
    """The id of one event. Two collectors give the same event the same id; no two events have one.

    * A trade is known by the venue's own number, ``upbit|trade|KRW-BTC|17``; one that stands for several trades of its
      taker (``count``) by that and their number, ``17x3``.
    * Anything else is known by the venue's time stamp and a digest of all that the venue said:
      ``upbit|ticker|KRW-BTC|1786611600000-kq3…``. What is ours does not count: when it was received, whether it came as
      a snapshot or live, by WebSocket or by REST.

    The parts are percent-encoded where they hold more than letters, digits, ``-``, ``_``, ``.`` (RELIABILITY.md P7).
    """
    return full_id(place_of(item), identity(item))


def identity(item: Event | FeedEvent) -> str:
    """The last part of the id: unique among the events of one venue, type and symbol."""
    if isinstance(item, TradeEvent) and item.sequential_id is not None:
        count = item.count
        return str(item.sequential_id) if count is None or count == 1 else f"{item.sequential_id}x{count}"
    if isinstance(item, Event):
        bare = replace(item, stream_type=None, received_ns=0, raw=None, recovered=False, polled=False)
        return f"{item.timestamp or 0}-{_digest(bare)}"
    return f"{item.at_ns}-{_digest(item)}"


def identities(items: Sequence[Event]) -> str:
    """The ``identity`` of each, joined by commas."""
    numbers = [
        item.sequential_id for item in items if item.__class__ is TradeEvent and (item.count is None or item.count == 1)
    ]
    if len(numbers) < len(items) or None in numbers:
        return ",".join(map(identity, items))
    return _encode_numbers(numbers)[1:-1].decode()  # a third of the time of ``str`` of each


def marked_identity(item: Event | FeedEvent) -> str:
    """As ``identity``, but an order's event by its order and what only one event of that can be.

    So an execution, a beginning and an end have the same id whether the stream told of it or REST, in other words.
    """
    if not isinstance(item, MyOrderEvent) or not item.uuid:
        return identity(item)
    account = get_venue(item.venue).account
    if account is None:
        return identity(item)
    words = account.words
    mark = words.mark(item)
    if item.prevented_volume and not words.executes(item) and item.state not in words.ends:
        mark = f"{mark} {item.prevented_volume}"  # may come several times
    return f"{token(item.uuid)}-{token(mark)}"


def marked_identities(items: Sequence[Event]) -> str:
    """The ``marked_identity`` of each, joined by commas."""
    return ",".join(map(marked_identity, items))


def marked_id(item: Event | FeedEvent) -> str:
    """The id of one event, as ``event_id``, with ``marked_identity``."""
    return full_id(place_of(item), marked_identity(item))


def full_id(place: Place, one: str) -> str:
    """``upbit|candle.1s|KRW-BTC|one``."""
    return f"{_start(place)}|{one}"


@lru_cache(maxsize=16_384)
def _start(place: Place) -> str:
    kind, dot, unit = place.type.partition(".")
    return f"{token(place.venue)}|{token(kind)}{dot}{token(unit)}|{token(place.symbol)}"


def batch_identity(count: int, joined: str) -> str:
    """The last part of the id of a message that holds several events, from their own joined by commas: the same events
    in the same order have the same one.
    """
    return f"{count}*{_text(blake2b(joined.encode(), digest_size=_DIGEST).digest())}"


def _digest(value: Struct) -> str:
    return _text(blake2b(_encode(value), digest_size=_DIGEST).digest())


def _text(digest: bytes) -> str:
    return b2a_base64(digest, newline=False).translate(_URL_SAFE).decode()
