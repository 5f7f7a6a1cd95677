"""Words of the command line → subscriptions: ``orderbook.15``, ``indicator.5m.rsi:period=14``, ``trade:channel=…``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from tapewire.model.subscription import Subscription

DEFAULT_TYPES = "ticker,trade,orderbook"
WORDS = (
    "ticker, trade, orderbook, orderbook.15 (its depth), candle.1s, candle.1m …; with a key: myOrder, myAsset, "
    "announcement, announcement.trade, indicator.5m.rsi:period=14, "
    "indicator_signal.15m.rsi:period=14:trigger=overbought:threshold=70; at OKX: fundingRate, markPrice, indexTicker, "
    "openInterest, priceLimit, status, instrument:instType=SPOT, liquidation:instType=SWAP, trade:channel=trades-all, "
    "with a key: myPosition, myFill, balanceAndPosition"
)
#: Kinds that belong to no market.
_NO_MARKET = ("myAsset", "announcement", "status", "instrument", "liquidation", "balanceAndPosition")
#: Kinds that may be of every market.
_ANY_MARKET = ("myOrder", "myPosition", "myFill")
#: Kinds that may have a detail: ``trade:channel=trades-all``.
_DETAILED = ("trade", "orderbook", "candle", "instrument", "liquidation")


def subscriptions(symbols: Sequence[str], types: str, level: float = 0) -> list[Subscription]:
    """Symbols (``KRW-BTC KRW-ETH`` or ``KRW-BTC,KRW-ETH``) times types (``trade,orderbook.15,candle.1s``).

    Without symbols ``myOrder`` and its like are every market's; ``myAsset``, ``announcement`` … never have one.

    Raises:
        click.UsageError: a type that there is not, named with those there are; or symbols are missing.
    """
    from msgspec.structs import replace  # noqa: PLC0415 - heavy, loaded when used

    codes = list(dict.fromkeys(code for text in symbols for code in text.split(",") if code))
    wanted: list[Subscription] = []
    for word in dict.fromkeys(word.strip() for word in types.split(",") if word.strip()):
        template = _template(word, level)
        wanted += [replace(template, symbol=code) for code in _codes(template.kind, codes)]
    if not wanted:
        raise click.BadParameter("nothing is left to subscribe", param_hint="'SYMBOLS' or '--types'")
    return wanted


def _codes(kind: str, codes: list[str]) -> list[str]:
    if kind in _NO_MARKET:
        return [""]
    if not codes and kind not in _ANY_MARKET:
        raise click.UsageError(f"Missing argument 'SYMBOLS...': {kind} needs a market code such as KRW-BTC.")
    return codes or [""]


def _template(word: str, level: float) -> Subscription:
    from tapewire.model.subscription import Subscription  # noqa: PLC0415 - heavy, loaded when used

    kind = word.partition(".")[0].partition(":")[0]
    read: Callable[[str, str], dict[str, Any]] | None = _READERS.get(kind)
    if read is None:
        _refuse(word)
    plain, detail = _without_detail(word) if kind in _DETAILED else (word, {})
    said = read(word, plain.removeprefix(kind).removeprefix("."))
    return Subscription(kind, "", level=level if kind == "orderbook" else 0, **said, **detail)


def _without_detail(word: str) -> tuple[str, dict[str, Any]]:
    """``orderbook.5:channel=books`` → ``orderbook.5`` and what it says besides, as ``Subscription`` has it."""
    from tapewire.model.subscription import as_detail  # noqa: PLC0415 - heavy, loaded when used

    plain, *pairs = word.split(":")
    said = dict(pair.partition("=")[::2] for pair in pairs)
    if not all(name and value for name, value in said.items()) or len(said) != len(pairs):
        _refuse(word)
    return plain, {"detail": as_detail(said)} if said else {}


def _bare(word: str, rest: str) -> dict[str, Any]:
    return _refuse(word) if rest else {}


def _candle(_word: str, rest: str) -> dict[str, Any]:
    return {"unit": rest or "1s"}


def _orderbook(word: str, rest: str) -> dict[str, Any]:
    if rest and not rest.isdecimal():
        _refuse(word)
    return {"depth": int(rest)} if rest else {}


def _announcement(_word: str, rest: str) -> dict[str, Any]:
    from tapewire.model.subscription import as_detail  # noqa: PLC0415 - heavy, loaded when used

    return {"detail": as_detail({"categories": sorted(set(rest.split(".")))})} if rest else {}


def _indicator(word: str, rest: str) -> dict[str, Any]:
    """``5m.rsi:period=14``; what follows ``trigger=`` are the trigger's own parameters."""
    from tapewire.model.subscription import as_detail  # noqa: PLC0415 - heavy, loaded when used

    unit, _, indicator = rest.partition(".")
    name, *pairs = indicator.split(":")
    if not unit or not name:
        _refuse(word)
    said: dict[str, Any] = {"type": name, "params": {}}
    table = said["params"]
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals or not value:
            _refuse(word)
        if key == "trigger":
            said["trigger"], table = value, said.setdefault("event_params", {})
        else:
            table[key] = _value(value)
    detail = as_detail({key: value for key, value in said.items() if key != "event_params" or value})
    return {"unit": unit, "detail": detail}


def _value(text: str) -> int | float | str:
    if text.isdecimal():
        return int(text)
    return float(text) if text.replace(".", "", 1).isdecimal() else text


def _refuse(word: str) -> NoReturn:
    raise click.BadParameter(f"{word!r} is no type; there are {WORDS}", param_hint="'--types'")


_READERS: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "ticker": _bare,
    "trade": _bare,
    "orderbook": _orderbook,
    "candle": _candle,
    "myOrder": _bare,
    "myAsset": _bare,
    "announcement": _announcement,
    "indicator": _indicator,
    "indicator_signal": _indicator,
    "instrument": _bare,
    "status": _bare,
    "fundingRate": _bare,
    "markPrice": _bare,
    "indexTicker": _bare,
    "openInterest": _bare,
    "priceLimit": _bare,
    "liquidation": _bare,
    "myPosition": _bare,
    "balanceAndPosition": _bare,
    "myFill": _bare,
}
