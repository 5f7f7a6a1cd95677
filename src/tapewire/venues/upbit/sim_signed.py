"""Upbit's side of the talk on its private and info sides (spec/upbit.md 4.5 to 4.9)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from tapewire.config import Format
from tapewire.model.events import AnnouncementEvent, Event, IndicatorEvent, IndicatorSignalEvent, MyOrderEvent
from tapewire.venues.exchange import Due, MarketView, Permission, SimKey
from tapewire.venues.upbit.fields import (
    ASSET_FIELDS,
    ATTRIBUTES,
    FIELDS,
    INDICATOR_FIELDS,
    OBJECT_FIELDS,
)
from tapewire.venues.upbit.profile import Region
from tapewire.venues.upbit.sim_auth import Unauthorized, demand
from tapewire.venues.upbit.sim_choices import Choice, check_combinations, info_type, private_type
from tapewire.venues.upbit.sim_indicators import HISTORY, Series, fires, values_of
from tapewire.venues.upbit.sim_requests import Refused
from tapewire.venues.upbit.sim_switches import Switches
from tapewire.venues.upbit.sim_talk import Talk

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_PERMISSIONS: dict[str, Permission] = {"myOrder": "view_orders", "myAsset": "view_accounts"}
_PREVENTED = ("prevented_volume", "prevented_locked")


class WarmUp:
    """When each account first asked for its balances: for a while after that nothing is told (spec 4.6)."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._first: dict[str, float] = {}

    def is_cold(self, account: str, now: float) -> bool:
        """Whether a request of now stays silent."""
        return now < self._first.setdefault(account, now) + self._seconds


class PrivateTalk(Talk[Choice]):
    """An account's orders and balances, and announcements."""

    def __init__(self, switches: Switches, market: MarketView, key: SimKey, warm_up: WarmUp) -> None:
        super().__init__(switches, market)
        self._key, self._account, self._warm_up = key, key.account, warm_up
        self._mute = False

    def realtime(self, due: Due, cache: dict[object, bytes]) -> list[bytes]:
        """Frames of what concerns this account."""
        event = due.event
        if event is None or due.account not in ("", self._account):
            return []
        if isinstance(event, AnnouncementEvent):
            return self._announcement(event)
        if not self._wants(due) or (isinstance(event, MyOrderEvent) and self._left_out(event)):
            return []
        frame = cache.get(self.format)
        if frame is None:
            frame = cache[self.format] = self._encoded(event)
        return [frame]

    def _read(self, part: dict[str, Any]) -> Choice:
        return private_type(part)

    def _subscribe(self, now: float, wanted: tuple[Choice, ...]) -> list[bytes]:
        for choice in wanted:
            self._demand(choice.type)
        self._types = list(wanted) if self._switches.replaces else [*self._types, *wanted]
        if any(choice.type == "myAsset" for choice in wanted):
            self._mute = self._warm_up.is_cold(self._account, now)
        return []

    def _demand(self, kind: str) -> None:
        permission = _PERMISSIONS.get(kind)
        if permission is None:
            return
        try:
            demand(self._key, permission)
        except Unauthorized as error:
            raise Refused(error.name, f"{error.message} ({permission})") from None

    def _wants(self, due: Due) -> bool:
        if due.kind == "myAsset":
            return not self._mute and any(choice.type == "myAsset" for choice in self._types)
        return any(
            choice.type == "myOrder" and (not choice.codes or due.symbol in choice.codes) for choice in self._types
        )

    def _left_out(self, event: MyOrderEvent) -> bool:
        """Of the two words for a fill that completes an order, one may be missing (section 11, 12)."""
        if self._switches.fill_states == "both":
            return False
        if self._switches.fill_states == "trade":
            return event.state == "done"
        return event.state == "trade" and event.remaining_volume == 0

    def _announcement(self, event: AnnouncementEvent) -> list[bytes]:
        told = [
            choice
            for choice in self._types
            if choice.type == "announcement" and (not choice.categories or event.category in choice.categories)
        ]
        if not told:
            return []
        with_body = any(choice.include_body for choice in told)
        return [encode_signed(event, self.format, without=() if with_body else ("body",))]

    def _encoded(self, event: Event) -> bytes:
        return encode_signed(event, self.format, as_text=_PREVENTED if self._switches.prevented_text else ())

    def _entry(self, asked: Choice) -> dict[str, Any]:
        return listed_choice(asked, short=False)


class InfoTalk(Talk[Choice]):
    """Indicators and their signals, told at the close of a candle."""

    def __init__(self, switches: Switches, market: MarketView, region: Region) -> None:
        super().__init__(switches, market)
        self._past = market
        self._closes_after_error = True  # documented for these types (section 5.1)
        self._quote = region.quotes[0]

    def realtime(self, due: Due, cache: dict[object, bytes]) -> list[bytes]:  # noqa: ARG002 - sides differ
        """Frames of the indicators of a candle that closed."""
        if due.kind != "close" or self._market.listing(due.symbol).quote != self._quote:
            return []
        asked = {
            (choice.type, _ENCODER.encode(said)): said
            for choice in self._types
            if choice.timeframe == due.unit and due.symbol in choice.codes
            for said in choice.indicators
        }
        if not asked:
            return []
        told = self._told(due, [(kind, said) for (kind, _), said in asked.items()])
        return [encode_signed(event, self.format) for event in told]

    def _told(self, due: Due, asked: list[tuple[str, dict[str, Any]]]) -> Iterator[IndicatorEvent]:
        candles = self._past.candles(due.symbol, due.unit, due.ms, HISTORY)[::-1]
        series = Series(
            [candle.trade_price or 0.0 for candle in candles],
            [candle.candle_acc_trade_volume or 0.0 for candle in candles],
        )
        first = candles[-1]
        for kind, said in asked:
            if kind == "indicator_signal" and not fires(said, series):
                continue
            common: dict[str, Any] = {
                "venue": first.venue, "symbol": due.symbol, "timeframe": due.unit, "indicator": said["type"],
                "params": said["params"], "value": values_of(said["type"], said["params"], series),
                "candle_date_time_utc": first.candle_date_time_utc, "timestamp": self._past.now_ms,
            }  # fmt: skip
            if kind == "indicator":
                yield IndicatorEvent(**common)
            else:
                yield IndicatorSignalEvent(
                    **common, trigger=said["trigger"], event_params=said.get("event_params") or {}
                )

    def _read(self, part: dict[str, Any]) -> Choice:
        return info_type(part)

    def _subscribe(self, now: float, wanted: tuple[Choice, ...]) -> list[bytes]:  # noqa: ARG002 - sides differ
        types = list(wanted) if self._switches.replaces else [*self._types, *wanted]
        check_combinations(types)
        self._types = types
        return []

    def _entry(self, asked: Choice) -> dict[str, Any]:
        return listed_choice(asked, short=self.format.startswith("SIMPLE"))


def listed_choice(asked: Choice, *, short: bool) -> dict[str, Any]:
    """A type object as LIST_SUBSCRIPTIONS tells it, under full names; ``short``: indicators with short ones."""
    if asked.timeframe:
        indicators = [_named(said, INDICATOR_FIELDS) if short else said for said in asked.indicators]
        return {
            "type": asked.type, "codes": list(asked.codes), "timeframe": asked.timeframe, "indicators": indicators,
        }  # fmt: skip
    entry: dict[str, Any] = {"type": asked.type}
    if asked.codes:
        entry["codes"] = list(asked.codes)
    if asked.categories:
        entry["categories"] = list(asked.categories)
    if asked.include_body:
        entry["include_body"] = True
    return entry


def encode_signed(
    event: Event,
    format: Format,  # noqa: A002 - Upbit's word
    *,
    without: tuple[str, ...] = (),
    as_text: tuple[str, ...] = (),
) -> bytes:
    """The frame of an event of these sides; nulls are sent as such (spec 4.5).

    Args:
        event: what is told.
        format: of the connection.
        without: fields that are left out.
        as_text: numbers that are sent as text.
    """
    kind = str(event.__struct_config__.tag)
    short = format.startswith("SIMPLE")
    message: dict[str, Any] = {"ty" if short else "type": kind}
    for full, short_name in FIELDS[kind].items():
        if full not in without:
            value = "REALTIME" if full == "stream_type" else getattr(event, ATTRIBUTES.get(full, full))
            message[short_name if short else full] = _wire_value(full, value, short=short, as_text=full in as_text)
    payload = _ENCODER.encode(message)
    return b"[%b]" % payload if format.endswith("_LIST") else payload


def _wire_value(full: str, value: Any, *, short: bool, as_text: bool) -> Any:
    if full == "assets":
        return [
            {name if short else whole: _plain(getattr(asset, whole)) for whole, name in ASSET_FIELDS.items()}
            for asset in value
        ]
    if isinstance(value, Decimal):
        return f"{value:f}" if as_text else _plain(value)
    return _named(value, OBJECT_FIELDS[full]) if short and full in OBJECT_FIELDS else value


def _plain(value: Any) -> Any:
    """Without the zeros that arithmetic left at its end."""
    if not isinstance(value, Decimal):
        return value
    return msgspec.Raw(plain(value).encode())


def plain(value: Decimal) -> str:
    """A decimal in full: no exponent, no zeros at the end of its fraction."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _named(said: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """An object under its short names, those within it too."""
    return {
        names.get(name, name): _named(value, OBJECT_FIELDS[name]) if isinstance(value, dict) else value
        for name, value in said.items()
    }
