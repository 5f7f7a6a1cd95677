"""What a stream may be asked with: choices of announcements, indicators and signals (spec/upbit.md 4.7 to 4.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from tapewire.errors import SubscriptionError
from tapewire.model.subscription import Subscription, as_detail
from tapewire.venues.wording import choice

#: Section 4.7: the documented ones, then those that only the SDK names.
CATEGORIES = (
    "notice", "trade", "wallet", "maintenance", "digital_asset", "nft", "service", "event",
    "note", "trading", "airdrop", "feature", "disclosure",
)  # fmt: skip
TIMEFRAMES = ("5m", "15m", "60m", "240m", "1d")

#: Names that are chosen together → the combinations of values that exist.
Choices = Mapping[tuple[str, ...], tuple[tuple[Any, ...], ...]]


def _one(name: str, *values: Any) -> dict[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
    return {(name,): tuple((value,) for value in values)}


_AVERAGE = _one("type", "SMA", "EMA")
_CROSSOVER = {("short_period", "long_period"): ((5, 20), (20, 60), (30, 90), (50, 200))}
#: Indicator → its parameters; every one must be given (section 4.8).
INDICATORS: Mapping[str, Choices] = {
    "volume": _one("period", *range(5, 51, 5)),
    "rsi": _one("period", *range(2, 15), 21, 25),
    "moving_average": _AVERAGE | _one("period", 3, 5, 7, 10, 15, 20, 25, 30, 50, 60, 90, 99, 100, 120, 200),
    "ma_crossover": _AVERAGE | _CROSSOVER,
    "bollinger_bands": _one("period", 10, 20, 50) | _one("multiplier", 1.0, 1.5, 2.0, 2.5, 3.0),
    "macd": {("fast", "slow", "signal_period"): ((12, 26, 9), (8, 17, 9), (5, 35, 5))},
}


class Signal(Struct, frozen=True):
    """What a trigger may be asked with for one indicator."""

    params: Choices
    event_params: Choices = {}


_RSI = _one("period", 7, 9, 14, 21, 25)
_PRICE_CROSS = {
    "moving_average": Signal(_AVERAGE | _one("period", 5, 10, 20, 30, 60, 90, 120, 200)),
    "bollinger_bands": Signal(_one("period", 20) | _one("multiplier", 1.5, 2.0, 2.5)),
}
_MACD = {"macd": Signal(INDICATORS["macd"])}
_CROSS = {"ma_crossover": Signal(INDICATORS["ma_crossover"]), **_MACD}
#: Trigger → the indicators that have it (section 4.9).
SIGNALS: Mapping[str, Mapping[str, Signal]] = {
    "volume_spike": {"volume": Signal(_one("period", 10, 20, 50), _one("multiplier", 2, 3, 5))},
    "overbought": {"rsi": Signal(_RSI, _one("threshold", 70, 80))},
    "oversold": {"rsi": Signal(_RSI, _one("threshold", 20, 30))},
    "price_cross_above": _PRICE_CROSS,
    "price_cross_below": _PRICE_CROSS,
    "golden_cross": _CROSS,
    "dead_cross": _CROSS,
    "zero_cross_above": _MACD,
    "zero_cross_below": _MACD,
}


def check_detail(subscription: Subscription) -> None:
    """Refuse a ``detail`` that this kind has not, or that asks for what does not exist.

    Raises:
        SubscriptionError: names the field within it, what came and what would be right.
    """
    kind, detail = subscription.kind, subscription.detail
    if kind == "announcement":
        if detail != "":
            check_announcement(_read(detail, '{"categories":["notice"]}'))
    elif kind in ("indicator", "indicator_signal"):
        check_indicator(kind, _read(detail, '{"params":{"period":14},"type":"rsi"}'))
    elif detail != "":
        raise SubscriptionError("detail", detail, f'"" for {kind}: only announcements and indicators have one')


def check_announcement(said: Mapping[str, Any]) -> None:
    """See ``check_detail``; ``said`` is what the type object says beside its type."""
    _check_names("announcement", said, (), ("categories", "include_body"))
    if "categories" in said:
        chosen = said["categories"]
        right = f"a list of {choice(CATEGORIES)} (or left out for all)"
        if not isinstance(chosen, list) or not chosen or not all(one in CATEGORIES for one in chosen):
            raise SubscriptionError("categories", chosen, right)
    if said.get("include_body", True) is not True:
        raise SubscriptionError("include_body", said["include_body"], "true, or left out for notices without text")


def check_indicator(kind: str, said: Mapping[str, Any]) -> None:
    """See ``check_detail``; ``said`` is one of the ``indicators`` of a type object, ``kind`` that object's type."""
    signal = kind == "indicator_signal"
    _check_names("indicators", said, ("type", "params", *(["trigger"] if signal else [])), ["event_params"] * signal)
    word = said["type"]
    if not isinstance(word, str) or word not in INDICATORS:
        raise SubscriptionError("indicators.type", word, choice(list(INDICATORS)))
    allowed = _signal(word, said["trigger"]) if signal else Signal(INDICATORS[word])
    where = f"{word} {said['trigger']}" if signal else word
    _check_choices("indicators.params", said["params"], allowed.params, where)
    _check_choices("indicators.event_params", said.get("event_params", {}), allowed.event_params, where)


def _read(detail: str, example: str) -> dict[str, Any]:
    """The object that a detail says, if it is the canonical text: two texts of one stream would be two streams."""
    try:
        said: dict[str, Any] = msgspec.json.decode(detail, type=dict[str, Any])
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        raise SubscriptionError("detail", detail, f"an object as JSON, such as {example}") from None
    if isinstance(said.get("categories"), list) and all(isinstance(one, str) for one in said["categories"]):
        said["categories"] = sorted(set(said["categories"]))
    if as_detail(said) != detail:
        raise SubscriptionError("detail", detail, f"{as_detail(said)} (see tapewire.model.subscription.as_detail)")
    return said


def _signal(indicator: str, trigger: object) -> Signal:
    known = [name for name, indicators in SIGNALS.items() if indicator in indicators]
    if trigger not in known:
        raise SubscriptionError("indicators.trigger", trigger, f"{choice(known)} for {indicator}")
    return SIGNALS[str(trigger)][indicator]


def _check_names(field: str, said: Mapping[str, Any], needed: Sequence[str], possible: Sequence[str] = ()) -> None:
    if not set(needed) <= said.keys() <= {*needed, *possible}:
        right = "left out"
        if needed:
            right = f"an object with {', '.join(needed)}" + "".join(f" and maybe {name}" for name in possible)
        elif possible:
            right = f"an object with nothing but {', '.join(possible)}"
        raise SubscriptionError(field, dict(said), right)


def _check_choices(field: str, said: object, choices: Choices, where: str) -> None:
    if not isinstance(said, Mapping):
        raise SubscriptionError(field, said, f"an object for {where}")
    _check_names(field, said, [name for names in choices for name in names])
    for names, combinations in choices.items():
        values = tuple(said[name] for name in names)
        if values not in combinations or any(isinstance(value, bool) for value in values):
            came = values[0] if len(values) == 1 else values
            right = choice(["/".join(map(_shown, combination)) for combination in combinations])
            raise SubscriptionError(f"{field}.{'/'.join(names)}", came, f"{right} for {where}")


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
