"""Names of subjects, streams, routing keys and topics at a broker: ``md.upbit.kr.trade.KRW-BTC`` (pure, reversible)."""

from __future__ import annotations

import re
from functools import lru_cache
from string import ascii_letters, digits
from typing import NamedTuple

from tapewire.errors import ConfigError
from tapewire.model.events import Event
from tapewire.model.status import FeedEvent
from tapewire.model.subscription import in_full

#: What the feed's own events have in the place of a type; in the place of the symbol they have their own.
FEED = "feed"
#: In the place of a symbol, for what belongs to no market.
NO_SYMBOL = "_"
_HOME = {"upbit": "kr"}
_ELSEWHERE = "global"
_SAFE = frozenset((ascii_letters + digits + "-_").encode())
_ESCAPES = re.compile(rb"%([0-9A-F]{2})")
_PREFIX = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


class Place(NamedTuple):
    """What a name stands for: venue (``upbit-sg``), type (``trade``, ``candle.1s``, ``feed``), symbol (``KRW-BTC``)."""

    venue: str
    type: str
    symbol: str


def place_of(item: Event | FeedEvent) -> Place:
    """Where an event belongs. Candles and indicators have their unit in the type, grouped books their level."""
    if not isinstance(item, Event):
        return Place(item.venue, FEED, str(item.__struct_config__.tag))
    unit = getattr(item, "unit", None)
    if unit is None and (level := getattr(item, "level", None)):
        unit = in_full(level)
    return Place(item.venue, typed(item.kind, unit), item.symbol)


def typed(kind: str, unit: str | None) -> str:
    """``candle.1s``, ``orderbook.10000``; of what has no unit, or a level of 0, the kind alone."""
    return f"{kind}.{unit}" if unit and unit != "0" else kind


def subject(place: Place, prefix: str = "md") -> str:
    """``md.upbit.kr.trade.KRW-BTC``: prefix, exchange, its region, type, symbol.

    Letters, digits, ``-`` and ``_`` stand as they are, everything else of a part is percent-encoded, so no part holds
    a ``.``, a blank or a wildcard of any broker. Upbit's own region is ``kr``, that of others without one ``global``.
    A candle's unit follows its type after a ``-`` (``candle-1s``); no symbol at all is ``_``.
    """
    exchange, _, region = place.venue.partition("-")
    region = region or _HOME.get(exchange, _ELSEWHERE)
    kind, _, unit = place.type.partition(".")
    words = [token(exchange), token(region), f"{token(kind)}-{token(unit)}" if unit else token(kind)]
    return ".".join([prefix, *words, _symbol(place.symbol)])


def parse_subject(name: str, prefix: str = "md") -> Place | None:
    """What ``subject`` made this name from; None for any other name."""
    start, words = f"{prefix}.", name.removeprefix(f"{prefix}.").split(".")
    if not name.startswith(start) or len(words) != 4:
        return None
    try:
        exchange, region, kind, symbol = map(_untoken, words)
    except ValueError:
        return None
    home = _HOME.get(exchange, _ELSEWHERE)
    word, dash, unit = kind.partition("-")
    place = Place(
        exchange if region == home else f"{exchange}-{region}",
        f"{word}.{unit}" if dash else word,
        "" if words[3] == NO_SYMBOL else symbol,
    )
    return place if subject(place, prefix) == name else None


def topic(place: Place, prefix: str = "md") -> str:
    """The name without its symbol, for brokers that have a key beside the topic: ``md.upbit.kr.trade``."""
    return subject(place, prefix).rpartition(".")[0]


def check_prefix(prefix: str) -> str:
    """The prefix, if it is one. Raises ConfigError."""
    if not _PREFIX.fullmatch(str(prefix)) or len(prefix) > 100:
        raise ConfigError("prefix", prefix, "letters, digits, - and _, in parts joined by dots (md, prod.md)")
    return prefix


@lru_cache(maxsize=16_384)
def token(text: str) -> str:
    """Any text as one part of a name; reversible."""
    plain = text.encode("utf-8", "surrogatepass")
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in plain)


def _symbol(symbol: str) -> str:
    if not symbol:
        return NO_SYMBOL
    return "%5F" if symbol == NO_SYMBOL else token(symbol)


def _untoken(text: str) -> str:
    plain = _ESCAPES.sub(lambda match: bytes.fromhex(match[1].decode()), text.encode("utf-8", "surrogatepass"))
    return plain.decode("utf-8", "surrogatepass")
