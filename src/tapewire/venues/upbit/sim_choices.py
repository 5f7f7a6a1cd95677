"""What Upbit reads in a type object of its private and info sides (spec/upbit.md 3.3, 4.5 to 4.9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from tapewire.errors import SubscriptionError
from tapewire.venues.upbit.details import CATEGORIES, TIMEFRAMES, check_indicator
from tapewire.venues.upbit.sim_requests import Refused, codes_of, texts, truth, type_name, wrong_format

_COMBINATIONS = 100  # sum over type objects of codes x indicators, spec 3.8


class Choice(Struct, frozen=True):
    """One type object; what does not belong to its type is empty.

    Attributes:
        type: ``myOrder``, ``myAsset``, ``announcement``, ``indicator``, ``indicator_signal``.
        codes: markets; none for ``myOrder`` are all of them.
        categories: of announcements; none are all.
        include_body: announcements with their text.
        timeframe, indicators: of indicators and signals.
    """

    type: str
    codes: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    include_body: bool = False
    timeframe: str = ""
    indicators: tuple[dict[str, Any], ...] = ()


def private_type(part: dict[str, Any]) -> Choice:
    """A type object of the private side.

    Raises:
        Refused: with the error name of spec 5.1.
    """
    return _read(part, {"myOrder": _my_order, "myAsset": _my_asset, "announcement": _announcement})


def info_type(part: dict[str, Any]) -> Choice:
    """A type object of the info side.

    Raises:
        Refused: with the error name of spec 5.1.
    """
    return _read(part, {"indicator": _indicator, "indicator_signal": _indicator})


def check_combinations(choices: Iterable[Choice]) -> None:
    """Refuse more indicators of one request than are allowed.

    Raises:
        Refused: ``TOO_MANY_REQUEST``.
    """
    count = sum(len(choice.codes) * len(choice.indicators) for choice in choices)
    if count > _COMBINATIONS:
        raise Refused("TOO_MANY_REQUEST", f"{count} combinations of codes and indicators, {_COMBINATIONS} are allowed.")


def _read(part: dict[str, Any], readers: dict[str, Callable[[dict[str, Any]], Choice]]) -> Choice:
    name = type_name(part)
    if name not in readers:
        raise Refused("INVALID_PARAM", f"type {name} is not supported.")
    return readers[name](part)


def _my_order(part: dict[str, Any]) -> Choice:
    codes = part.get("codes")
    return Choice("myOrder", tuple(dict.fromkeys(texts(codes))) if codes is not None else ())


def _my_asset(part: dict[str, Any]) -> Choice:
    if "codes" in part:
        raise wrong_format()
    return Choice("myAsset")


def _announcement(part: dict[str, Any]) -> Choice:
    categories = texts(part.get("categories", []))
    if unknown := [category for category in categories if category not in CATEGORIES]:
        raise Refused("INVALID_PARAM", f"category {unknown[0]} is not supported.")
    return Choice(
        "announcement", categories=tuple(dict.fromkeys(categories)), include_body=truth(part.get("include_body", False))
    )


def _indicator(part: dict[str, Any]) -> Choice:
    kind, codes, timeframe, indicators = part["type"], codes_of(part), part.get("timeframe"), part.get("indicators")
    if timeframe not in TIMEFRAMES:
        raise Refused("INVALID_PARAM", f"timeframe {timeframe} is not supported.")
    if not isinstance(indicators, list) or not all(isinstance(one, dict) for one in indicators):
        raise wrong_format()
    if not indicators:
        raise Refused("INVALID_PARAM", "indicators 필드가 비어 있습니다.")
    for one in indicators:
        try:
            check_indicator(kind, {name: value for name, value in one.items() if name != "event_params" or value})
        except SubscriptionError as error:
            raise Refused("INVALID_PARAM", str(error)) from None
    return Choice(kind, tuple(dict.fromkeys(codes)), timeframe=timeframe, indicators=tuple(indicators))
