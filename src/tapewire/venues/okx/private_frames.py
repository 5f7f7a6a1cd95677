"""The pushes of an account's events that REST told, as the stream would have sent them (spec/okx.md A7)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from tapewire.model.events import BalanceAndPositionEvent, Event, FillEvent, MyAssetEvent, MyOrderEvent, PositionEvent
from tapewire.venues.okx.fields import FIELDS, MAKER, PARTS, SIDES
from tapewire.venues.okx.words import executes

#: What stands beside the ``data`` of balances and positions (A7.2, A7.3).
_BESIDE = ("eventType", "curPage", "lastPage")
_WIRE_SIDES = {ours: theirs for theirs, ours in SIDES.items()}
_WIRE_MAKER = {ours: theirs for theirs, ours in MAKER.items()}


def private_frame(event: Event) -> bytes | None:
    """The push; None: it is no event of an account."""
    if isinstance(event, MyOrderEvent):
        return _encode({"arg": {"channel": "orders", "instType": "ANY"}, "data": [_order(event)]})
    if isinstance(event, MyAssetEvent):
        beside = {name: event.fields[name] for name in _BESIDE if name in event.fields}
        return _encode({"arg": {"channel": "account"}, **beside, "data": [_assets(event)]})
    if isinstance(event, PositionEvent):
        beside = {name: event.fields[name] for name in _BESIDE if name in event.fields}
        return _encode({"arg": {"channel": "positions", "instType": "ANY"}, **beside, "data": [_position(event)]})
    if isinstance(event, FillEvent):
        return _encode({"arg": {"channel": "fills"}, "data": [_fill(event)]})
    if isinstance(event, BalanceAndPositionEvent):
        return _encode({"arg": {"channel": "balance_and_position"}, "data": [_both(event)]})
    return None


def _fill(event: FillEvent) -> dict[str, Any]:
    said = _named(event, FIELDS["myFill"])
    said["side"] = _WIRE_SIDES.get(said.get("side", ""), "")
    if event.is_maker is not None:
        said["execType"] = _WIRE_MAKER[event.is_maker]
    return said


def _both(event: BalanceAndPositionEvent) -> dict[str, Any]:
    return _named(event, FIELDS["balanceAndPosition"]) | {
        "balData": [_named(one, PARTS["balance"]) for one in event.balances],
        "posData": [one.fields | _named(one, PARTS["position"]) for one in event.positions],
        "trades": [_named(one, PARTS["trade"]) for one in event.trades],
    }


def _named(one: object, names: Mapping[str, str]) -> dict[str, Any]:
    """What it says, under the exchange's names."""
    said = {name: _text(getattr(one, attribute)) for attribute, name in names.items()}
    return {name: value for name, value in said.items() if value}


def _position(event: PositionEvent) -> dict[str, Any]:
    rest = {name: value for name, value in event.fields.items() if name not in _BESIDE}
    return rest | _named(event, FIELDS["myPosition"])


def _order(event: MyOrderEvent) -> dict[str, Any]:
    said = {name: _text(getattr(event, attribute)) for attribute, name in FIELDS["myOrder"].items()}
    said["side"] = _WIRE_SIDES.get(said["side"], said["side"])
    price, size = ("fillPx", "fillSz") if executes(event) else ("px", "sz")
    said |= {price: _text(event.price), size: _text(event.volume)}
    if event.is_maker is not None:
        said["execType"] = _WIRE_MAKER[event.is_maker]
    return event.fields | {name: value for name, value in said.items() if value}


def _assets(event: MyAssetEvent) -> dict[str, Any]:
    """Those that the event names, each with what else was said of it."""
    told = {one["ccy"]: one for one in event.fields.get("details", ())}
    details = [
        told.get(asset.currency, {})
        | {name: _text(getattr(asset, attribute)) for attribute, name in PARTS["asset"].items()}
        for asset in event.assets
    ]
    rest = {name: value for name, value in event.fields.items() if name not in (*_BESIDE, "details")}
    return rest | {"uTime": _text(event.timestamp), "details": details}


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _encode(said: dict[str, Any]) -> bytes:
    return msgspec.json.encode(said)
