"""What clients of the gateway's own doors ask for: their messages and addresses → wishes → streams (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tapewire.apps.gateway.problems import Problem
from tapewire.model.subscription import Subscription
from tapewire.venues.contract import Facts

#: Seconds between two rounds that a client may ask for at most.
SLOWEST = 10.0
#: Codes of one wish, wishes of one message.
_MOST = 1000
_DEFAULT_UNIT = "1s"


class Wish(Struct, frozen=True, forbid_unknown_fields=True):
    """Streams of one type. ``symbols``: codes; a ``*`` at the end stands for all that begin so."""

    type: str
    symbols: tuple[str, ...] | str = ()
    venue: str | None = None
    unit: str | None = None
    depth: int | None = None
    level: float = 0.0
    detail: str = ""

    @property
    def codes(self) -> tuple[str, ...]:
        """Its symbols, one of them or many; none: what belongs to no market."""
        codes = (self.symbols,) if isinstance(self.symbols, str) else self.symbols
        return codes or ("",)


class Message(Struct, frozen=True, forbid_unknown_fields=True):
    """One message of a client; what is not in it stays as it is. ``unsubscribe``: wishes, or ``*`` for all."""

    subscribe: tuple[Wish, ...] = ()
    unsubscribe: tuple[Wish, ...] | str = ()
    news: bool | UnsetType = UNSET
    interval: float | UnsetType = UNSET
    resume: str | None = None
    id: str | int | None = None


class Stream(Struct, frozen=True):
    """What a client hears: a venue's subscription. A book's ``depth`` is cut here, not upstream."""

    venue: str
    subscription: Subscription


_READ = msgspec.json.Decoder(Message)


def read_message(payload: bytes) -> Message:
    """A client's message.

    Raises:
        Problem: it is something else; says what and where.
    """
    try:
        message = _READ.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("bad_request", f"no message of this door: {error}") from None
    _check(message)
    return message


def read_query(pairs: Iterable[tuple[str, str]]) -> Message:
    """The parameters of ``/v1/events`` as the message that says the same.

    Raises:
        Problem: one of them cannot be read.
    """
    wishes: list[tuple[str, str]] = []
    said: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    for name, value in pairs:
        if name == "subscribe":
            kind, _, codes = value.partition(":")
            wishes.append((kind, codes))
        elif name in ("venue", "level"):
            shared[name] = value
        elif name in ("news", "interval", "resume"):
            said[name] = value
        elif name != "token":
            raise Problem(
                "bad_request", f"{_shown(name)} is no parameter; subscribe, venue, level, news, interval, resume"
            )
    said["subscribe"] = [_word(kind) | {"symbols": _codes(codes)} | shared for kind, codes in wishes]
    try:
        message = msgspec.convert(said, Message, strict=False)
    except msgspec.ValidationError as error:
        raise Problem("bad_request", str(error)) from None
    _check(message)
    return message


def _word(word: str) -> dict[str, Any]:
    """``candle.1m``, ``orderbook.15`` and the like."""
    kind, _, rest = word.partition(".")
    if not rest:
        return {"type": kind}
    return {"type": kind, "depth" if kind == "orderbook" else "unit": rest}


def _codes(text: str) -> list[str]:
    return [code for code in text.split(",") if code]


def _check(message: Message) -> None:
    if isinstance(message.unsubscribe, str) and message.unsubscribe != "*":
        raise Problem("bad_request", 'unsubscribe must be a list of wishes, or "*"')
    if message.interval is not UNSET and not 0 <= message.interval <= SLOWEST:
        raise Problem("bad_request", f"interval must be 0 to {SLOWEST:g} seconds")
    wishes = (*message.subscribe, *(message.unsubscribe if isinstance(message.unsubscribe, tuple) else ()))
    if len(wishes) > _MOST or any(len(wish.codes) > _MOST for wish in wishes):
        raise Problem("bad_request", f"at most {_MOST:,} wishes in a message, and codes in a wish")


def template_of(wish: Wish, venue: str, facts: Facts) -> Subscription:
    """The wish without its symbols.

    Args:
        wish: what was asked for.
        venue: its name.
        facts: of the venue.

    Raises:
        Problem: the venue has no such type, unit or depth.
    """
    if wish.type not in facts.kinds:
        raise Problem("bad_request", f"type is {_shown(wish.type)}; {venue} has {', '.join(facts.kinds)}")
    unit = wish.unit
    if wish.type == "candle":
        unit = _DEFAULT_UNIT if unit is None else unit
        if unit not in facts.candle_units:
            raise Problem("bad_request", f"unit is {_shown(unit)}; {venue} has {', '.join(facts.candle_units)}")
    if (wish.depth is not None and not 1 <= wish.depth <= 5000) or not 0 <= wish.level < 1e12:
        raise Problem("bad_request", "depth must be 1 to 5000, level 0 or more")
    return Subscription(wish.type, "", unit=unit, depth=wish.depth, level=wish.level, detail=wish.detail)


def streams_of(
    wish: Wish, venue: str, template: Subscription, markets: Sequence[str], subscribed: Iterable[Stream] | None = None
) -> dict[Stream, object]:
    """Every stream that a wish means, each with what it counts as: those of one code with a star are one.

    Args:
        wish: what was asked for.
        venue: whose.
        template: see ``template_of``.
        markets: all codes of the venue, for codes with a star.
        subscribed: streams whose codes are looked at in place of ``markets`` (what is taken off).
    """
    own = (
        markets
        if subscribed is None
        else [one.subscription.symbol for one in subscribed if _alike(one, venue, template)]
    )
    found: dict[Stream, object] = {}
    for code in wish.codes:
        starred = code.endswith("*")
        for symbol in [one for one in own if one.startswith(code[:-1])] if starred else [code]:
            stream = Stream(venue, msgspec.structs.replace(template, symbol=symbol))
            found.setdefault(stream, (venue, template, code) if starred else stream)
    return found


def _alike(stream: Stream, venue: str, template: Subscription) -> bool:
    same = msgspec.structs.replace(template, symbol=stream.subscription.symbol)
    return stream.venue == venue and stream.subscription == same


def upstream_of(stream: Subscription) -> Subscription:
    """What the exchange is asked for: books whole, whatever the depth that is wanted here."""
    return msgspec.structs.replace(stream, depth=None) if stream.kind == "orderbook" else stream


def chosen(name: str | None, venues: Mapping[str, Any]) -> str:
    """The venue that is meant; None: the first.

    Raises:
        Problem: it is not served here.
    """
    if name is None:
        return next(iter(venues))
    if name not in venues:
        raise Problem("not_found", f"venue is {_shown(name)}; served here: {', '.join(venues)}")
    return name


def _shown(text: str) -> str:
    return repr(text[:40])
