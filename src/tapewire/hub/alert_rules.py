"""The rules of alerts: what each is set to, and how it judges the feed's events, prices and silences (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any, ClassVar, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import force_setattr

from tapewire.errors import ConfigError
from tapewire.hub.alert_judges import Beyond, Crossing, Judge, Outages, Rate, Silences, StaleStreams, Stateless
from tapewire.hub.notices import SEVERITIES, Severity, Sign
from tapewire.model import status
from tapewire.model.counted import clause_of
from tapewire.model.subscription import Subscription

#: The most that a rate rule may count to: it remembers so many moments of each connection.
MOST_COUNTED = 100_000


class Latencies(NamedTuple):
    """Milliseconds from the exchange's time stamp to our receipt, of the newest messages of ``subject`` (a venue)."""

    subject: str
    p50: float
    p90: float
    p99: float
    max: float


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """What every rule has.

    Attributes:
        name: shown in its notices; by default the rule's type.
        severity: ``info``, ``warning`` or ``critical``; by default the rule's usual one.
        every: seconds within which one subject gets one notice at most; what is held back is counted.
        recovery: tell when a condition is over.
    """

    name: str = ""
    severity: Severity | None = None
    every: float = 60.0
    recovery: bool = True

    usual_severity: ClassVar[Severity] = "warning"

    def __post_init__(self) -> None:
        if self.severity is not None and self.severity not in SEVERITIES:
            raise ConfigError("severity", self.severity, " or ".join(f'"{one}"' for one in SEVERITIES))
        check_number("every", self.every, at_least=0)

    @property
    def title(self) -> str:
        """The name to show."""
        return self.name or str(self.__struct_config__.tag)

    @property
    def weight(self) -> Severity:
        """The severity of its notices."""
        return self.severity or self.usual_severity

    @property
    def streams(self) -> tuple[Subscription, ...]:
        """The data that this rule needs."""
        return ()

    def judge(self, t: float) -> Judge:
        """The rule at work from ``t`` on."""
        raise NotImplementedError


class Momentary(Rule, frozen=True):
    """A rule that needs no memory: each fact says all."""

    def judge(self, t: float) -> Judge:  # noqa: ARG002 - it has no time of its own
        return Stateless(self.signs)

    def signs(self, fact: Any) -> list[Sign]:
        """What this fact says."""
        raise NotImplementedError


class Down(Rule, frozen=True, tag="down"):
    """A connection is down for longer than ``seconds``; one that gives up is told at once.

    It is back when its streams are live again, not at the handshake.
    """

    seconds: float = 10.0

    usual_severity: ClassVar[Severity] = "critical"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("seconds", self.seconds, above=0)

    def judge(self, t: float) -> Judge:  # noqa: ARG002
        return Outages(self.seconds)


class StaleStream(Rule, frozen=True, tag="stale"):
    """A stream is silent beyond its own rhythm although the line is alive (``Stale`` events)."""

    def judge(self, t: float) -> Judge:  # noqa: ARG002
        return StaleStreams()


class UnfilledGap(Momentary, frozen=True, tag="gap"):
    """Messages may be missing in a stream (``Gap`` events, state ``unfilled``)."""

    def signs(self, fact: Any) -> list[Sign]:
        if not isinstance(fact, status.Gap) or fact.state != "unfilled":
            return []
        missed = f"between {fact.last_id} and {fact.first_id}" if fact.last_id is not None else "of unknown number"
        return [Sign("once", str(fact.subscription), f"messages of {fact.subscription} {missed} may be missing")]


class Drops(Momentary, frozen=True, tag="drops"):
    """A slow subscriber's mailbox dropped events (``Lagged``), ``at_least`` so many within one report."""

    at_least: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("at_least", self.at_least, above=0)

    def signs(self, fact: Any) -> list[Sign]:
        if not isinstance(fact, status.Lagged) or fact.dropped < self.at_least:
            return []
        dropped = clause_of(fact.dropped, "event", "was", "were")
        lost = f"{dropped} dropped, {fact.total_dropped:,} so far ({fact.rule}, size {fact.size:,})"
        return [Sign("once", fact.subscriber, f"{fact.subscriber} fell behind: {lost}")]


class Refusal(Momentary, frozen=True, tag="rejected"):
    """The exchange, or the check before it, refused a subscription (``Rejected``)."""

    def signs(self, fact: Any) -> list[Sign]:
        if not isinstance(fact, status.Rejected):
            return []
        subjects = [str(one) for one in fact.subscriptions] or [fact.connection or fact.venue]
        return [Sign("once", one, f"{one} was refused: {fact.name}: {fact.message}") for one in subjects]


class FailingCallback(Momentary, frozen=True, tag="callback"):
    """A callback of the program raised (``CallbackFailed``)."""

    def signs(self, fact: Any) -> list[Sign]:
        if not isinstance(fact, status.CallbackFailed):
            return []
        return [Sign("once", fact.subscriber, f"callback of {fact.subscriber} raised {fact.error}")]


class HighLatency(Momentary, frozen=True, tag="latency"):
    """``percentile`` of the latency from exchange time stamp to receipt is above ``above_ms`` milliseconds.

    The exchange's clock and ours may differ: see the figure of a good day first.
    """

    above_ms: float
    percentile: Literal["p50", "p90", "p99", "max"] = "p90"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("above_ms", self.above_ms)
        if self.percentile not in ("p50", "p90", "p99", "max"):
            raise ConfigError("percentile", self.percentile, '"p50", "p90", "p99" or "max"')

    def signs(self, fact: Any) -> list[Sign]:
        if not isinstance(fact, Latencies):
            return []
        value = float(getattr(fact, self.percentile))
        state: Literal["on", "off"] = "on" if value > self.above_ms else "off"
        text = f"latency of {fact.subject} ({self.percentile}) is {value:,.0f} ms, the limit is {self.above_ms:,.0f} ms"
        return [Sign(state, fact.subject, text)]


class BadFrames(Rule, frozen=True, tag="quarantine"):
    """``count`` frames or more within ``seconds`` could not be read (``Quarantined``)."""

    count: int = 10
    seconds: float = 60.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _rate(self.count, self.seconds)

    def judge(self, t: float) -> Judge:  # noqa: ARG002
        return Rate(status.Quarantined, self.count, self.seconds, "frames that could not be read")


class ReconnectStorm(Rule, frozen=True, tag="reconnects"):
    """A connection came back ``count`` times or more within ``seconds``."""

    count: int = 5
    seconds: float = 300.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _rate(self.count, self.seconds)

    def judge(self, t: float) -> Judge:  # noqa: ARG002
        return Rate(status.Connected, self.count, self.seconds, "reconnects")


class Price(Rule, frozen=True, tag="price"):
    """The last price of ``symbol`` is above or below a bound, or crosses it in either direction (name one of them).

    Attributes:
        symbol: market code, such as KRW-BTC.
        above, below: on while the price is beyond the bound (not at it).
        crosses: told at each passage from one side to the other.
        margin: how far it must come back for ``above`` and ``below`` to be over.
        of: ``ticker`` or ``trade``, the stream whose ``trade_price`` is taken.
    """

    symbol: str
    above: float | None = None
    below: float | None = None
    crosses: float | None = None
    margin: float = 0.0
    of: Literal["ticker", "trade"] = "ticker"

    usual_severity: ClassVar[Severity] = "info"

    def __post_init__(self) -> None:
        super().__post_init__()
        bounds = {"above": self.above, "below": self.below, "crosses": self.crosses}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        if len(given) != 1:
            raise ConfigError("price", given or None, "exactly one of above, below, crosses")
        for name, bound in given.items():
            check_number(name, bound)
        check_number("margin", self.margin, at_least=0)
        _symbols((self.symbol,))
        if self.of not in ("ticker", "trade"):
            raise ConfigError("of", self.of, '"ticker" or "trade"')

    @property
    def streams(self) -> tuple[Subscription, ...]:
        return (Subscription(self.of, self.symbol),)

    def judge(self, t: float) -> Judge:  # noqa: ARG002
        if self.crosses is not None:
            return Crossing(self.crosses)
        if self.above is not None:
            return Beyond(self.above, self.margin, above=True)
        return Beyond(self.below or 0.0, self.margin, above=False)


class Silence(Rule, frozen=True, tag="silence"):
    """Nothing came for one of ``symbols`` for ``seconds``, whatever the reason; counted from the start of the watch."""

    symbols: str | Sequence[str]
    seconds: float = 60.0
    of: Literal["ticker", "trade", "orderbook"] = "trade"

    def __post_init__(self) -> None:
        super().__post_init__()
        force_setattr(self, "symbols", (self.symbols,) if isinstance(self.symbols, str) else tuple(self.symbols))
        _symbols(self.symbols)
        check_number("seconds", self.seconds, above=0)
        if self.of not in ("ticker", "trade", "orderbook"):
            raise ConfigError("of", self.of, '"ticker", "trade" or "orderbook"')

    @property
    def streams(self) -> tuple[Subscription, ...]:
        return tuple(Subscription(self.of, symbol) for symbol in dict.fromkeys(self.symbols))

    def judge(self, t: float) -> Judge:
        return Silences(self.streams, self.seconds, t)


#: Every rule by its type in a settings file.
RULES: dict[str, type[Rule]] = {
    str(rule.__struct_config__.tag): rule
    for rule in (
        Down, StaleStream, UnfilledGap, Drops, BadFrames, HighLatency, Refusal, ReconnectStorm, FailingCallback,
        Price, Silence,
    )
}  # fmt: skip


def check_number(option: str, value: object, *, above: float | None = None, at_least: float | None = None) -> None:
    """Raises ConfigError for what is no finite number, or not within its bound."""
    bound = f" more than {above:g}" if above is not None else f" {at_least:g} or more" if at_least is not None else ""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ConfigError(option, value, f"a number{bound and f',{bound}'}")
    if (above is not None and value <= above) or (at_least is not None and value < at_least):
        raise ConfigError(option, value, bound.strip())


def _rate(count: object, seconds: object) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_COUNTED:
        raise ConfigError("count", count, f"a whole number from 1 to {MOST_COUNTED:,}")
    check_number("seconds", seconds, above=0)


def _symbols(symbols: Sequence[object]) -> None:
    if not symbols or not all(isinstance(symbol, str) and symbol for symbol in symbols):
        raise ConfigError("symbols", symbols, "market codes such as KRW-BTC")
