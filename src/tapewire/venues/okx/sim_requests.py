"""What OKX reads in a client's message: operations, arguments, and the codes of its refusals (spec/okx.md A1, A5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from tapewire.venues.exchange import Offer
from tapewire.venues.okx.sim_books import BOOK_CHANNELS
from tapewire.venues.okx.sim_instruments import instrument
from tapewire.venues.okx.sim_rows import UNITS
from tapewire.venues.okx.sim_switches import Switches

#: Bytes of one request, and of all arguments that one connection holds (A2).
LARGEST = 64 * 1024
TYPES = ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION", "EVENTS")
_CONTRACTS = frozenset({"SWAP", "FUTURES", "OPTION"})
_ID = re.compile(r"[A-Za-z0-9]{1,32}")
#: A5; some texts stand in the documents, the others are made up alike.
MESSAGES: Mapping[str, str] = {
    "50120": "This API key doesn't have permission to use this function",
    "60004": "Invalid timestamp",
    "60005": "Invalid apiKey",
    "60006": "Timestamp request expired",
    "60007": "Invalid sign",
    "60009": "Login failed.",
    "60011": "Please log in",
    "60012": "Invalid request: {0}",
    "60013": "Invalid args",
    "60014": "Requests too frequent",
    "60018": "Wrong URL or {0} doesn't exist. Please use the correct URL, channel and parameters referring to API "
    "document.",
    "60019": "Invalid op: {0}",
    "60024": "Wrong passphrase",
    "60027": "Parameter {0} can not be empty",
    "60028": "The current operation is not supported by this URL. Please use the correct WebSocket URL for the "
    "operation.",
    "60031": "The WebSocket endpoint does not allow multiple or repeated logins.",
    "60032": "API key doesn't exist.",
    "64000": "Subscription parameter uly is unavailable anymore, please replace uly with instFamily.",
    "64001": "This channel has been migrated to the '/business' URL. Please subscribe using the new URL.",
    "64002": 'This channel is not supported by "/business" URL. Please use "/private"(for private channels), or '
    '"/public"(for public channels).',
    "64003": "Your trading fee tier doesn't meet the requirement to access this channel",
    "64004": "Subscribe to both {0} and books-l2-tbt for {1} is not allowed. Unsubscribe {0} first.",
}


class Refused(Exception):
    """OKX's word for what is wrong: a code of A5 and its text."""

    def __init__(self, code: str, *details: str) -> None:
        super().__init__(code, *details)
        self.code, self.message = code, MESSAGES[code].format(*details)


class Channel(NamedTuple):
    """One channel.

    ``side`` is the path that carries it; ``by`` what it must name: an instrument, its type, an index, nothing;
    ``types`` of instruments that have it (none named: all); ``login``: wants one; ``tier``: wants a fee tier.
    """

    side: str
    by: str = "instId"
    types: frozenset[str] = frozenset()
    login: bool = False
    tier: bool = False


#: What a tape calls the stream of a channel, where it is not the channel's own word.
_KINDS: Mapping[str, str] = {"tickers": "ticker", "trades": "trade", "trades-all": "trade"}
#: Prefixes of a channel of candles → what it must name: trades' prices, and of the marks and the index.
TWINS: Mapping[str, str] = {"candle": "instId", "mark-price-candle": "instId", "index-candle": "index"}
_CANDLE = re.compile(
    r"(candle|mark-price-candle|index-candle)(1s|1m|3m|5m|15m|30m|1H|2H|4H|(?:6H|12H|1D|2D|3D|5D|1W|1M|3M)(?:utc)?)"
)
CHANNELS: Mapping[str, Channel] = {
    "tickers": Channel("public"),
    "trades": Channel("public"),
    **{name: Channel("public", login="tbt" in name and name != "bbo-tbt", tier="l2" in name) for name in BOOK_CHANNELS},
    "instruments": Channel("public", "instType"),
    "status": Channel("public", ""),
    "funding-rate": Channel("public", types=frozenset({"SWAP"})),
    "mark-price": Channel("public"),
    "index-tickers": Channel("public", "index"),
    "open-interest": Channel("public", types=_CONTRACTS),
    "price-limit": Channel("public"),
    "liquidation-orders": Channel("public", "instType"),
    "trades-all": Channel("business"),
    "orders": Channel("private", "instType", login=True),
    "fills": Channel("private", "", login=True, tier=True),
    "account": Channel("private", "", login=True),
    "positions": Channel("private", "instType", login=True),
    "balance_and_position": Channel("private", "", login=True),
}
#: Channels that only so many connections of an account may have (A2).
LIMITED = ("orders", "account", "positions", "balance_and_position")


class Wish(Struct, frozen=True):
    """One argument that can be served; ``sent`` is what pushes repeat, ``key`` tells it from others."""

    channel: str
    sent: dict[str, Any]
    key: str
    symbol: str = ""
    type: str = ""
    family: str = ""
    unit: str = ""


class Request(Struct, frozen=True):
    """One message of a client."""

    op: str
    args: list[Any]
    id: str | None = None


def parse(payload: bytes) -> Request:
    """Read a message.

    Raises:
        Refused: 60012.
    """
    text = payload.decode("utf-8", "replace")[:1_000]
    try:
        request = msgspec.json.decode(payload, type=Request)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Refused("60012", text) from None
    if not request.args or (request.id is not None and not _ID.fullmatch(request.id)):
        raise Refused("60012", text)
    return request


def read(arg: object, side: str, market: Offer, switches: Switches) -> Wish:
    """One argument of a subscription on one side.

    Raises:
        Refused: with the code of A5.
    """
    if not isinstance(arg, dict) or not all(isinstance(value, str) for value in arg.values()):
        raise Refused("60013")
    name = arg.get("channel", "")
    if not name:
        raise Refused("60027", "channel")
    if "uly" in arg:
        raise Refused("64000")
    candle = _CANDLE.fullmatch(name)
    channel = Channel("business", TWINS[candle[1]]) if candle else CHANNELS.get(name)
    if channel is None:
        raise _unknown(arg)
    if channel.side != side:
        raise _moved(arg, channel, side, switches)
    wish = Wish(
        name, arg, _key(arg), arg.get("instId", ""), arg.get("instType", ""), arg.get("instFamily", ""),
        candle[2] if candle else "",
    )  # fmt: skip
    if not _exists(wish, channel, market):
        raise _unknown(arg)
    if channel.side != "private" and (why := _lacking(wish, market)):
        raise _unknown(arg, f" ({why})")
    return wish


def _lacking(wish: Wish, market: Offer) -> str:
    """Why a tape cannot serve that."""
    kind = "candle" if wish.unit else "orderbook" if wish.channel in BOOK_CHANNELS else _KINDS.get(wish.channel)
    return market.lacks(kind or wish.channel, wish.symbol, UNITS.get(wish.unit, ""))


def _exists(wish: Wish, channel: Channel, market: Offer) -> bool:
    if channel.by == "index":
        return any(instrument(symbol).index == wish.symbol for symbol in market.symbols)
    if channel.by == "instId":
        known = wish.symbol in market.symbols
        return known and (not channel.types or instrument(wish.symbol).type in channel.types)
    if channel.by == "instType":
        return wish.type in (*TYPES, "ANY") if channel.side == "private" else wish.type in TYPES
    return True


def _key(arg: Mapping[str, str]) -> str:
    return msgspec.json.encode(arg, order="sorted").decode()


def _unknown(arg: Mapping[str, str], why: str = "") -> Refused:
    return Refused("60018", ",".join(f"{name}:{value}" for name, value in arg.items()) + why)


def _moved(arg: Mapping[str, str], channel: Channel, side: str, switches: Switches) -> Refused:
    if switches.moved_code == "60018":
        return _unknown(arg)
    return Refused("64001" if channel.side == "business" else "64002" if side == "business" else "60028")
