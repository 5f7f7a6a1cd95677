"""A scenario as a value: which exchange, which markets, what goes wrong, how fast time runs; from TOML or arguments."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from functools import cache
from importlib.resources import files
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tapewire.config import Secret
from tapewire.errors import ConfigError
from tapewire.model.market import Market
from tapewire.sim.announcements import Crier
from tapewire.sim.book import DEPTH
from tapewire.sim.customer import Customer
from tapewire.sim.desk import Desk
from tapewire.sim.faults import Fault, FaultPlan, parse_fault
from tapewire.sim.market import Recorded, SeededMarket
from tapewire.sim.peer import Exchange
from tapewire.sim.pit import Listing
from tapewire.sim.taped import TapedMarket
from tapewire.sim.ticks import Tick, tick_of
from tapewire.venues.exchange import Rhythm, SimKey, Terms, VenueExchange
from tapewire.venues.registry import get_venue

_DATA = files("tapewire.sim") / "data"
_RECORDING = "upbit_2021-04-17"
_USUAL = 10
#: The key of a scenario that names none.
DEMO_KEY = SimKey(
    access_key="sim-access-key",
    secret_key=Secret("sim-secret-key-0123456789-0123456789-01"),
    passphrase=Secret("sim-passphrase"),
)
_AMPLE = 1_000  # mean trades that an account's coins are enough for
_AMOUNT = Decimal(10_000_000)
_MONEY = {"BTC": Decimal(10), "USDT": Decimal(100_000), "SGD": Decimal(100_000), "IDR": Decimal(10) ** 10}
_Row = tuple[str, str, str, float, float, float, float]
_MOST = 5_000  # Upbit lists some 700; each costs a few milliseconds at the start


class Scenario(Struct, frozen=True, kw_only=True):
    """What a ``Simulator`` plays. The same scenario gives the same traffic, draw by draw.

    Attributes:
        venue: whose exchange, as in ``tapewire.venues``.
        seed: of the market and of the faults' chances.
        markets: codes; or how many (beyond the known ones they are made up); None: the ten usual ones.
        recorded: begin with recorded traffic of 2021 (its markets are added), carried on by the seeded market.
        speed: exchange seconds per second.
        rate: messages a second that all streams together come to; None: the rhythms of the real exchange.
        depth: levels on each side of a book, 30 at least and fewer than the exchange's own (None: those): quicker.
        faults: what goes wrong, as text (see ``tapewire.sim.faults``) or as values.
        limits: refuse what is over the exchange's limits; violations are counted in any case.
        retry_after, block: see ``tapewire.sim.peer.Exchange``.
        compression: agree to permessage-deflate when a client offers it.
        switches: where the exchange's behaviour is uncertain (``tapewire.venues.upbit.sim.Switches``).
        start_ms: wall clock of the beginning, ms UTC; None: now.
        keys: API keys that the signed sides accept; None: one that may do everything, ``sim-access-key``.
        balances: what each account has at the beginning, by currency; none: ample for everything that is listed.
        customer: mean seconds between two orders of a seeded customer, who trades on the first key's account; None: no.
        announcements: mean seconds between two seeded announcements; None: none.
    """

    venue: str = "upbit"
    seed: int = 1
    markets: tuple[str, ...] | int | None = None
    recorded: bool = False
    speed: float = 1.0
    rate: float | None = None
    depth: int | None = None
    faults: tuple[Fault | str, ...] = ()
    limits: bool = True
    retry_after: float | None = None
    block: float | None = None
    compression: bool = True
    switches: dict[str, Any] = {}
    start_ms: int | None = None
    keys: tuple[SimKey, ...] | None = None
    balances: dict[str, Decimal] = {}
    customer: float | None = None
    announcements: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.speed < inf:
            raise ConfigError("speed", self.speed, "more than 0, and a number")
        if self.rate is not None and not 0 < self.rate < inf:
            raise ConfigError("rate", self.rate, "more than 0 messages a second, and a number")
        for name in ("customer", "announcements"):
            pause = getattr(self, name)
            if pause is not None and not 0 < pause < inf:
                raise ConfigError(name, pause, "more than 0 s, and a number")
        for currency, amount in self.balances.items():
            if not amount.is_finite() or amount < 0:
                raise ConfigError("balances", f"{currency} {amount}", "0 or more, and a number")
        known = [key.access_key for key in self.keys or ()]
        if self.keys == () or len(set(known)) < len(known):
            raise ConfigError("keys", ", ".join(known), "one key at least, no access key twice (None: the usual one)")
        if self.recorded and self.venue != "upbit":
            raise ConfigError("recorded", self.recorded, "used with the venue upbit, whose traffic is in the package")
        for fault in self.faults:
            if isinstance(fault, str):
                parse_fault(fault)


def read_scenario(path: str | Path) -> Scenario:
    """Read a TOML file whose keys are ``Scenario``'s; ``faults`` are texts, ``[switches]`` is a table.

    Raises:
        ConfigError: the file cannot be read, or a key or value is impossible; names which.
    """
    try:
        content = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("scenario", str(path), f"a readable TOML file ({error})") from error
    unknown = sorted(content.keys() - set(Scenario.__struct_fields__))
    if unknown:
        raise ConfigError("scenario", unknown[0], f"one of {', '.join(Scenario.__struct_fields__)}")
    try:
        return msgspec.convert(content, Scenario, dec_hook=_hidden)
    except msgspec.ValidationError as error:
        raise ConfigError("scenario", str(path), f"valid ({error})") from error


def _hidden(kind: type, value: Any) -> Any:
    """A secret in a file is text there."""
    if kind is Secret:
        return Secret(value)
    raise NotImplementedError


def build(scenario: Scenario, start_ms: int, taped: TapedMarket | None = None) -> Exchange:
    """The exchange that plays a scenario, its clock at 0 when the wall clock says ``start_ms``.

    Args:
        scenario: what is played.
        start_ms: when it begins, ms UTC.
        taped: tells a tape in place of the scenario's market; customers have nothing there.

    Raises:
        UnknownName: no such venue.
        ConfigError: a market of another quote currency, a switch that does not exist.
    """
    side = side_of(scenario)
    if taped is not None:
        return _around(side, scenario, taped, {key.account: {} for key in keys_of(scenario)})
    recorded = recording() if scenario.recorded else ()
    rows = listings(scenario, tuple(dict.fromkeys(entry.event.symbol for entry in recorded)), side)
    rhythm = _rhythm(scenario, side)
    chance, pace = _random(scenario.seed), _pace(scenario.rate, rows, rhythm)
    market = SeededMarket(scenario.venue, rows, start_ms, chance, pace=pace, recorded=recorded, rhythm=rhythm)
    exchange = _around(side, scenario, market, _accounts(scenario, rows))
    if scenario.customer is not None:
        chance = _random(f"customer {scenario.seed}")
        Customer(exchange.desk, market, keys_of(scenario)[0].account, scenario.customer, chance)
    if scenario.announcements is not None:
        exchange.crier.cry_by_seed(scenario.announcements, _random(f"announcements {scenario.seed}"))
    return exchange


def _around(
    side: VenueExchange, scenario: Scenario, market: SeededMarket, accounts: dict[str, dict[str, Decimal]]
) -> Exchange:
    """All but the market, which is there."""
    faults = [parse_fault(fault) if isinstance(fault, str) else fault for fault in scenario.faults]
    plan = FaultPlan(faults, _random(f"faults {scenario.seed}").random)
    desk, crier = Desk(scenario.venue, market, scenario.seed, accounts), Crier(scenario.venue, market)
    return Exchange(
        side, market, desk, crier, plan, limits=scenario.limits, retry_after=scenario.retry_after, block=scenario.block
    )


def side_of(scenario: Scenario) -> VenueExchange:
    """The venue's own side of a scenario.

    Raises:
        ConfigError: it cannot be simulated, or a switch does not exist.
    """
    venue = get_venue(scenario.venue)
    if venue.exchange is None:
        raise ConfigError("venue", scenario.venue, "one that can be simulated")
    try:
        side: VenueExchange = venue.exchange(switches=scenario.switches, keys=keys_of(scenario))
    except msgspec.ValidationError as error:
        raise ConfigError("switches", scenario.switches, f"the exchange's own ({error})") from error
    return side


def _rhythm(scenario: Scenario, side: VenueExchange) -> Rhythm:
    most = side.rhythm.depth
    if scenario.depth is None:
        return side.rhythm
    if not DEPTH <= scenario.depth <= most:
        raise ConfigError("depth", scenario.depth, f"from {DEPTH} to {most} levels with the venue {scenario.venue}")
    return replace(side.rhythm, depth=scenario.depth)


def keys_of(scenario: Scenario) -> tuple[SimKey, ...]:
    """The keys that the exchange of a scenario accepts."""
    return (DEMO_KEY,) if scenario.keys is None else scenario.keys


def _accounts(scenario: Scenario, rows: list[Listing]) -> dict[str, dict[str, Decimal]]:
    balances = dict(scenario.balances)
    if not balances:
        for row in rows:
            if row.spot:
                balances[row.market.base] = Decimal(round(row.size * _AMPLE)) + 1
        for row in rows:
            currency = row.contract.settle if row.contract else row.market.quote
            balances[currency] = _MONEY.get(currency, _AMOUNT)
    return {key.account: balances for key in keys_of(scenario)}


def _random(seed: int | str) -> Random:
    return Random(seed)  # noqa: S311 - repeatable by seed, nothing secret


def listings(scenario: Scenario, also: tuple[str, ...] = (), side: VenueExchange | None = None) -> list[Listing]:
    """The markets of a scenario, in order.

    Args:
        scenario: says which.
        also: further codes.
        side: the exchange that lists them; None: it is made.
    """
    rows = _known(scenario.venue)
    side = side or side_of(scenario)
    known = {row[0]: _listing(row, side.terms(row[0], row[3])) for row in rows}
    wanted = scenario.markets
    if wanted is None:
        wanted = _USUAL
    if isinstance(wanted, int):
        if not 1 <= wanted <= _MOST:
            raise ConfigError("markets", wanted, f"from 1 to {_MOST:,}")
        codes = [*list(known)[:wanted]]
        codes += [side.made_up(number) for number in range(len(codes), wanted)]
    else:
        codes = list(wanted)
        if not 1 <= len(codes) <= _MOST:
            raise ConfigError("markets", f"{len(codes)} codes", f"from 1 to {_MOST:,}")
    return [known.get(code) or _made_up(code, known, side) for code in dict.fromkeys((*codes, *also))]


def recording() -> tuple[Recorded, ...]:
    """The package's recorded traffic as events with their moments."""
    codec = get_venue("upbit").codec("SIMPLE", "float", False)
    lines = (_DATA / f"{_RECORDING}.jsonl").read_bytes().splitlines()
    times = [float(text) for text in (_DATA / f"{_RECORDING}.recv_ts.txt").read_text().split()]
    return tuple(
        Recorded(at - times[0], event)
        for at, line in zip(times, lines, strict=True)
        for event in codec.read(line).events
    )


@cache
def _known(venue: str) -> list[_Row]:
    listed: dict[str, list[_Row] | str] = msgspec.json.decode((_DATA / "markets.json").read_bytes())
    rows = listed.get(venue)
    if isinstance(rows, str):  # the same as another venue's
        return _known(rows)
    if rows is None:
        raise ConfigError("venue", venue, "one with simulated markets")
    return rows


def _listing(row: _Row, terms: Terms) -> Listing:
    code, local_name, name, price, trades, books, size = row
    tick = Tick(*terms.tick) if terms.tick else tick_of(terms.quote, price)
    # The grouping units of KRW-BTC (tick 1,000) are 10,000 to 100,000,000 (spec/upbit.md 3.5).
    levels = (0.0, *(tick.price(10**power) for power in range(1, 6))) if terms.grouped else (0.0,)
    market = Market(symbol=code, base=terms.base, quote=terms.quote, name=name, local_name=local_name, levels=levels)
    return Listing(
        market=market, price=price, trades=trades, books=books, size=size, tick=terms.tick, lot=terms.lot,
        spot=terms.spot, contract=terms.contract,
    )  # fmt: skip


def _made_up(code: str, known: dict[str, Listing], side: VenueExchange) -> Listing:
    """A market that nobody knows: as busy, and at the price, as the one most like it (form, quote, base)."""
    terms = side.terms(code, None)

    def likeness(one: Listing) -> int:
        market = one.market
        same_form = market.symbol.count("-") == code.count("-")
        return 4 * same_form + 2 * (market.quote == terms.quote) + (market.base == terms.base)

    like = max(known.values(), key=likeness)
    row = (code, terms.base, terms.base, like.price, like.trades, like.books, like.size)
    return _listing(row, side.terms(code, like.price))


def _pace(rate: float | None, rows: list[Listing], rhythm: Rhythm) -> float:
    """The factor on all rhythms that makes the streams come to ``rate`` (a trade is a ticker too)."""
    pause = rhythm.book_pause + rhythm.book_spread / 2
    natural = sum(2 * row.trades + 1 / (pause + 1 / (row.books + row.trades)) for row in rows)
    return 1.0 if rate is None else rate / natural
