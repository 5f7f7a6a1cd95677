"""What the members of a fleet tell each other: one value a collector, in the fleet's key-value bucket (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import msgspec
from msgspec import Struct

from tapewire.errors import ConfigError, DecodeError
from tapewire.fleet.shares import Member

#: Version of the values.
VERSION = 1
NO_ACCOUNTS: Mapping[str, Seat] = {}
_NAME_MOST = 100
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
#: Seconds that a lease may last.
LEASE_LEAST, LEASE_MOST = 1.0, 3600.0


class Plan(Struct, frozen=True, kw_only=True):
    """What a fleet carries; all its members have the same.

    Attributes:
        venue: whose markets.
        markets: patterns of symbols: ``KRW-*``, ``KRW-BTC``.
        types: as ``--types`` has them.
        copies: collectors that carry each symbol.
        stream, prefix: where to, at the broker.
    """

    venue: str
    markets: tuple[str, ...]
    types: str
    copies: int = 2
    stream: str = "md"
    prefix: str = "md"

    def __post_init__(self) -> None:
        if not self.markets or not all(self.markets):
            raise ConfigError("markets", ",".join(self.markets), "at least one symbol or pattern, such as KRW-*")
        if not 1 <= self.copies <= 5:
            raise ConfigError("copies", self.copies, "1 to 5")

    def symbols(self, listed: list[str]) -> list[str]:
        """Those of a venue's symbols that the fleet carries, sorted. Raises ConfigError: there are none."""
        found = sorted({one for one in listed if any(fnmatchcase(one, pattern) for pattern in self.markets)})
        if not found:
            raise ConfigError("markets", ",".join(self.markets), f"a pattern that fits one of {self.venue}'s symbols")
        return found


class FleetOptions(Struct, frozen=True, kw_only=True):
    """How one collector belongs to its fleet.

    Attributes:
        fleet: name of the fleet: of its bucket at NATS, ``tapewire-NAME``.
        name: of this collector, unique in the fleet.
        lease: seconds after which a member that is not heard of is replaced; of the whole fleet.
        handover: seconds that a clean stop waits for others to take over.
        replicas: NATS servers that keep the bucket.
    """

    fleet: str
    name: str
    lease: float = 5.0
    handover: float = 20.0
    replicas: int = 1

    def __post_init__(self) -> None:
        for option in ("fleet", "name"):
            check_name(option, getattr(self, option))
        if not LEASE_LEAST <= self.lease <= LEASE_MOST:
            raise ConfigError("lease", self.lease, f"{LEASE_LEAST:g} to {LEASE_MOST:g} seconds")
        if not self.handover >= 0:
            raise ConfigError("handover", self.handover, "0 seconds or more")
        if self.replicas not in (1, 2, 3, 4, 5):
            raise ConfigError("replicas", self.replicas, "1 to 5")

    @property
    def bucket(self) -> str:
        return f"tapewire-{self.fleet}"

    @property
    def stories(self) -> str:
        """The bucket in which it stands what was told of each account."""
        return f"tapewire_accounts-{self.fleet}"


def check_name(option: str, value: str) -> None:
    """Raises ConfigError: it cannot stand in a name at NATS."""
    if not 1 <= len(value) <= _NAME_MOST or set(value) - _NAME:
        raise ConfigError(option, value, f"1 to {_NAME_MOST} letters, digits, - and _")


class Seat(Struct, frozen=True, kw_only=True):
    """What one collector has to do with an account whose key it holds.

    Attributes:
        mark: of the key, which does not give it away (``runtime.limits.account_of``).
        types: the account's streams, as ``--private`` has them.
        live: it carries them.
    """

    mark: str
    types: tuple[str, ...]
    live: bool = False


class Counts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a collector did since it began.

    Attributes:
        first, second: events whose copy from here the broker had first; that another had brought before.
        waiting: events that it has not confirmed; spooled: bytes of them on disk.
        gaps: interruptions of single streams that cost something; unfilled: those of them that nobody could fill.
        reconnects: to the exchange. losses: of the line to the broker. fenced: times that its lease was lost.
        lag_ms: the exchange's time stamp to receipt here, median of late; None: nothing came.
    """

    first: int = 0
    second: int = 0
    waiting: int = 0
    spooled: int = 0
    gaps: int = 0
    unfilled: int = 0
    reconnects: int = 0
    losses: int = 0
    fenced: int = 0
    lag_ms: float | None = None


class State(Struct, frozen=True, kw_only=True):
    """One collector's value.

    Attributes:
        plan: of its fleet. host: where it runs. since_ns: when it began (ns UTC).
        asked: symbols that it has asked for; carries: those of them that are live.
        accounts: name → what it has to do with each account whose key it holds.
        leaving: it is ending.
    """

    version: int = VERSION
    name: str
    plan: Plan
    host: str = ""
    since_ns: int = 0
    asked: int = 0
    carries: tuple[str, ...] = ()
    accounts: dict[str, Seat] = {}
    leaving: bool = False
    counts: Counts = Counts()

    @property
    def member(self) -> Member:
        return Member(self.name, frozenset(self.carries), self.leaving)

    def holder(self, account: str) -> Member | None:
        """It as a carrier of an account; None: it does not hold the key."""
        seat = self.accounts.get(account)
        return None if seat is None else Member(self.name, frozenset({account} if seat.live else ()), self.leaving)


encode = msgspec.json.Encoder().encode
_decode: Any = msgspec.json.Decoder(State).decode


def read(value: bytes) -> State:
    """A collector's value. Raises DecodeError: it is none."""
    try:
        state: State = _decode(value)
    except (msgspec.MsgspecError, ConfigError, RecursionError) as error:
        raise DecodeError("fleet", f"no collector's state ({error})", value) from None
    return state


def disagreement(plan: Plan, others: list[State], accounts: Mapping[str, Seat] = NO_ACCOUNTS) -> str:
    """Where another member has another plan, or means another account by a name, in words; empty: nowhere."""
    for other in others:
        for name in accounts.keys() & other.accounts.keys():
            theirs, ours = other.accounts[name], accounts[name]
            if theirs.mark != ours.mark:
                return f"{other.name} has another key for the account {name}"
            if theirs.types != ours.types:
                return f"{other.name} carries {_shown(theirs.types)} of the account {name}, not {_shown(ours.types)}"
        for field in plan.__struct_fields__:
            said, meant = getattr(other.plan, field), getattr(plan, field)
            if said != meant:
                return f"{other.name} has {field} {_shown(said)}, not {_shown(meant)}"
    return ""


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
