"""The answer of LIST_SUBSCRIPTIONS → the streams that Upbit says it holds (spec/upbit.md section 3.9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from tapewire.model.subscription import Subscription, as_detail
from tapewire.venues.upbit.fields import INDICATOR_FIELDS, OBJECT_FIELDS, RESULT_FIELDS, full_names
from tapewire.venues.upbit.profile import INFO_KINDS


class Held(Struct):
    """One element of ``result``, under its full names. What other types than its own have is left out."""

    type: str
    codes: list[str] = []
    level: float | None = None
    categories: list[str] | None = None
    include_body: bool | None = None
    timeframe: str | None = None
    indicators: list[dict[str, Any]] = []


def entry(said: Mapping[str, Any]) -> dict[str, Any]:
    """One element of ``result`` under its full names, whatever the format it came in; nulls are left out."""
    values = {name: value for name, value in full_names(said, RESULT_FIELDS).items() if value is not None}
    if isinstance(values.get("indicators"), list):
        values["indicators"] = [_indicator(one) for one in values["indicators"]]
    return values


def read_list(details: Mapping[str, Any]) -> list[Subscription]:
    """See ``Venue.read_list``. A code's depth suffix may be there or not (section 11, 9): both are read.

    Raises:
        ValueError: an entry that is not of the documented shape (the codec puts such an answer into quarantine).
    """
    held = msgspec.convert(details["result"], list[Held], strict=False)  # level: number or text (11, 6)
    return [subscription for one in held for subscription in _streams(one)]


def _indicator(said: Any) -> Any:
    if not isinstance(said, Mapping):
        return said
    values = full_names(said, INDICATOR_FIELDS)
    for name in ("params", "event_params"):
        if isinstance(values.get(name), Mapping):
            values[name] = full_names(values[name], OBJECT_FIELDS[name])
    return values


def _streams(held: Held) -> Iterator[Subscription]:
    if held.type in INFO_KINDS:
        details = [as_detail(_said(one)) for one in held.indicators]
        for code in held.codes:
            for detail in details:
                yield Subscription(held.type, code, unit=held.timeframe, detail=detail)
        return
    kind, _, unit = held.type.partition(".")
    detail = _announcements(held) if kind == "announcement" else ""
    for code in held.codes or [""]:
        symbol, depth = _split(code)
        yield Subscription(kind, symbol, unit or None, depth, held.level or 0, detail)


def _split(code: str) -> tuple[str, int | None]:
    symbol, dot, depth = code.partition(".")
    if dot and not (depth.isascii() and depth.isdigit()):
        raise ValueError(f"unknown depth in {code!r}")
    return symbol, int(depth) if dot else None


def _said(indicator: Mapping[str, Any]) -> dict[str, Any]:
    """As ``Subscription.detail`` has it: no event_params where there are none."""
    return {name: value for name, value in indicator.items() if value or name == "params"}


def _announcements(held: Held) -> str:
    chosen: dict[str, Any] = {}
    if held.categories:
        chosen["categories"] = sorted(held.categories)
    if held.include_body:
        chosen["include_body"] = True
    return as_detail(chosen) if chosen else ""
