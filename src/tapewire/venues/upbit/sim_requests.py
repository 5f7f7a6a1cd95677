"""What Upbit reads in a client's message, and the names of its refusals (spec/upbit.md sections 3 and 5.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from tapewire.config import Format
from tapewire.venues.upbit.messages import WIRE_TYPES
from tapewire.venues.upbit.profile import DEPTHS, INFO_KINDS, PRIVATE_KINDS

Asked = TypeVar("Asked")

_FORMATS: tuple[Format, ...] = ("DEFAULT", "SIMPLE", "JSON_LIST", "SIMPLE_LIST")
#: Types that only an authenticated connection may ask for.
SIGNED_KINDS = frozenset(PRIVATE_KINDS + INFO_KINDS)
_FLAGS = {
    "is_only_snapshot": "snapshot",
    "isOnlySnapshot": "snapshot",
    "is_only_realtime": "realtime",
    "isOnlyRealtime": "realtime",
}


class Refused(Exception):
    """The exchange's word for what is wrong with a request."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(name, message)
        self.name, self.message = name, message


class Code(Struct, frozen=True):
    """One element of ``codes``: the market, and how many levels of its book."""

    symbol: str
    depth: int
    asked: str


class TypeObject(Struct, frozen=True):
    """One type object of a request."""

    type: str
    kind: str
    unit: str | None
    codes: tuple[Code, ...]
    level: float = 0
    snapshot: bool = True
    realtime: bool = True


class Request(Struct, Generic[Asked], frozen=True):
    """A request that the exchange can serve; ``types`` is empty for a method."""

    ticket: str
    format: Format
    method: str | None
    types: tuple[Asked, ...]


def parse(payload: bytes, read: Callable[[dict[str, Any]], Asked], *, format_required: bool = False) -> Request[Asked]:
    """Read a request. The order of its objects does not matter (seen on the wire, spec 3.1).

    Args:
        payload: the message.
        read: reads one type object of this side.
        format_required: whether a request without a format object is refused.

    Raises:
        Refused: with the error name of spec 5.1.
    """
    parts = _parts(payload)
    ticket = next((part["ticket"] for part in parts if "ticket" in part), None)
    if not isinstance(ticket, str) or not ticket:
        raise Refused("NO_TICKET", "티켓이 존재하지 않거나, 유효하지 않습니다.")
    format = _format(parts, required=format_required)  # noqa: A001 - Upbit's word
    method = next((part["method"] for part in parts if "method" in part), None)
    if method is not None:
        if method != "LIST_SUBSCRIPTIONS":
            raise Refused("INVALID_PARAM", f"method {method} is not supported.")
        return Request(ticket, format, method, ())
    wanted = [part for part in parts if "type" in part or not part.keys() & {"ticket", "format"}]
    if not wanted:
        raise Refused("NO_TYPE", "type 필드가 존재하지 않습니다.")
    return Request(ticket, format, None, tuple(map(read, wanted)))


def _parts(payload: bytes) -> list[dict[str, Any]]:
    try:
        parts = msgspec.json.decode(payload, type=list[dict[str, Any]])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        parts = []
    if not parts:
        raise wrong_format()
    return parts


def _format(parts: list[dict[str, Any]], *, required: bool) -> Format:
    asked = next((part["format"] for part in parts if "format" in part), None)
    if asked is None and not required:
        return "DEFAULT"
    for known in _FORMATS:
        if asked == known:
            return known
    raise Refused("INVALID_PARAM", f"format {asked} is not supported.")


def type_name(part: dict[str, Any]) -> str:
    """The ``type`` of a type object.

    Raises:
        Refused: it has none, or something else than text.
    """
    name = part.get("type")
    if name is None:
        raise Refused("NO_TYPE", "type 필드가 존재하지 않습니다.")
    if not isinstance(name, str):
        raise wrong_format()
    return name


def public_type(part: dict[str, Any]) -> TypeObject:
    """A type object of the public side.

    Raises:
        Refused: with the error name of spec 5.1.
    """
    name = type_name(part)
    if name in SIGNED_KINDS:
        raise Refused("INVALID_AUTH", "인증 정보가 올바르지 않습니다.")
    if name not in WIRE_TYPES:
        raise Refused("INVALID_PARAM", f"type {name} is not supported.")
    only = {_FLAGS[flag] for flag in _FLAGS if flag in part and truth(part[flag])}
    wire = WIRE_TYPES[name]
    return TypeObject(
        type=name,
        kind=wire.kind,
        unit=wire.unit,
        codes=tuple(map(_code, codes_of(part))),
        level=_level(part.get("level", 0)) if wire.kind == "orderbook" else 0,
        # Both flags at once are undocumented: taken as snapshot only.
        snapshot=only != {"realtime"},
        realtime="snapshot" not in only,
    )


def codes_of(part: dict[str, Any]) -> list[str]:
    """The ``codes`` that a type object must have.

    Raises:
        Refused: it has none.
    """
    codes = part.get("codes")
    if codes is None:
        raise Refused("NO_CODES", "codes 필드가 존재하지 않습니다.")
    if not (found := texts(codes)):
        raise Refused("INVALID_PARAM", "codes 필드가 비어 있습니다.")
    return found


def texts(value: object) -> list[str]:
    """A list of texts.

    Raises:
        Refused: it is something else.
    """
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise wrong_format()
    return value


def wrong_format() -> Refused:
    """The word for a message of another shape."""
    return Refused("WRONG_FORMAT", "Format 이 맞지 않습니다.")


def _code(asked: str) -> Code:
    symbol, _, count = asked.partition(".")
    depth = int(count) if count.isascii() and count.isdigit() and len(count) < 4 else DEPTHS[-1]
    return Code(symbol, depth if depth in DEPTHS else DEPTHS[-1], asked)


def truth(value: object) -> bool:
    """A flag: JSON boolean, or its text (the guide's table types it "String")."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise wrong_format()


def _level(value: object) -> float:
    """Number or numeric text (spec section 11, 6)."""
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    raise wrong_format()
