"""Judges from facts how well the feed is, and why not (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct
from msgspec.structs import replace

from tapewire.model.health import HealthState, Reason
from tapewire.model.subscription import Subscription
from tapewire.session.actions import Now

#: Seconds that a lost line may take to come back, at its first retry, before the feed counts as unhealthy.
DOWN_GRACE = 5.0
#: Seconds for which a subscriber counts as lagging after its last drop.
LAG_MEMORY = 60.0
#: Seconds for which a refused subscription counts, unless it is live before.
REJECTED_MEMORY = 300.0
#: Share of a mailbox that may wait before its subscriber counts as lagging.
FULL = 0.8
#: Seconds without data after which the score falls, and those within which it falls to its lowest (S3-39).
QUIET = 60.0
#: Streams whose last signs are no further apart (seconds) fell silent together: they are looked at once a second.
_TOGETHER = 2.0
#: Streams that a reason names; the others are counted.
_NAMED = 3


class ConnectionFacts(Struct, frozen=True, kw_only=True):
    """What is known of one connection. Times are monotonic seconds: a wall clock that jumps changes no judgement.

    Attributes:
        streams: what is wanted of it; idle ones have none.
        watched: how many of them should bring data by themselves (the rest is sent when something happens).
        down_since: since when there is no line; None: it is open.
        was_open: it had a line once.
        failures: dials and lines lost in a row.
        last_error: why, in words.
        silent: streams beyond their rhythm, or without the snapshot they asked for, with the time of their last sign.
        spoilt: those of them that are silent because their order book has a hole.
        last_data: when any stream of it brought something by itself, which a snapshot does not show.
        gaps: interrupted streams without data since, with the beginning.
        polled: streams that REST is asked for, since they have no data by WebSocket; with the beginning of that.
        polling_fails: those of them for which REST fails, too, with its words.
    """

    name: str
    streams: tuple[Subscription, ...]
    watched: int
    down_since: float | None = None
    was_open: bool = False
    failures: int = 0
    last_error: str | None = None
    silent: Mapping[Subscription, float] = {}
    spoilt: frozenset[Subscription] = frozenset()
    last_data: float = float("-inf")
    gaps: Mapping[Subscription, float] = {}
    polled: Mapping[Subscription, float] = {}
    polling_fails: Mapping[Subscription, str] = {}


class Incident(Struct, frozen=True):
    """Something that happened: to ``streams``, at ``name``, between two times (monotonic seconds)."""

    name: str
    text: str
    first: float
    last: float
    streams: tuple[Subscription, ...] = ()


def reasons_of_lines(lines: Sequence[ConnectionFacts], now: Now) -> list[Reason]:
    """What is wrong with one connection, or with several that carry the same streams.

    Of several, one that is down makes the feed degraded and no more, as long as another is open; and only what none of
    the open ones brings is silent.
    """
    standing = [line for line in lines if line.down_since is None]
    if len(lines) == 1 or not standing:
        return [reason for line in lines for reason in reasons_of(line, now)]
    sisters = ", ".join(line.name for line in standing)
    down = [replace(reason, status=HealthState.DEGRADED, text=f"{reason.text}; carried by {sisters}")
            for line in lines if line.down_since is not None for reason in reasons_of(line, now)]  # fmt: skip
    brought = [set(line.streams) - line.silent.keys() - line.gaps.keys() for line in standing]
    return down + [reason for line in standing for reason in reasons_of(_less(line, set().union(*brought)), now)]


def _less(line: ConnectionFacts, brought: AbstractSet[Subscription]) -> ConnectionFacts:
    """Without the troubles of streams that another line brings."""
    silent = {stream: since for stream, since in line.silent.items() if stream not in brought}
    gaps = {stream: since for stream, since in line.gaps.items() if stream not in brought}
    return replace(line, silent=silent, gaps=gaps)


def reasons_of(connection: ConnectionFacts, now: Now) -> list[Reason]:
    """What is wrong with one connection; nothing, if nobody wants anything of it."""
    if not connection.streams:
        return []
    found = _polled(connection, now)
    if connection.down_since is not None:
        left = tuple(stream for stream in connection.streams if stream not in connection.polled)
        return [*found, _down(connection, left, connection.down_since, now)] if left else found
    quiet = {stream: since for stream, since in connection.silent.items() if stream not in connection.polled}
    spoilt = {stream: since for stream, since in quiet.items() if stream in connection.spoilt}
    if spoilt:
        found.append(_about(connection, HealthState.DEGRADED, "order book with a hole, fetched anew", spoilt, now))
    silent = {stream: since for stream, since in quiet.items() if stream not in spoilt}
    if silent:
        dead = _is_dead(connection)
        text = "no data, although the line is alive" if dead else "silent beyond its rhythm"
        found.append(_about(connection, _severity(bad=dead), text, silent, now))
    told_of = connection.silent.keys() | connection.polled.keys()
    gaps = {stream: since for stream, since in connection.gaps.items() if stream not in told_of}
    if gaps:
        found.append(_about(connection, HealthState.DEGRADED, "no data yet since the line was lost", gaps, now))
    return found


def given_up(failures: Iterable[Incident], now: Now) -> list[Reason]:
    """Connections that ended for good."""
    return [
        Reason(HealthState.UNHEALTHY, one.name, f"gave up: {one.text}", told(one.first, now), one.streams)
        for one in failures
    ]


def lasting(incidents: Iterable[Incident], now: Now, seconds: float) -> list[Reason]:
    """Of what happened, that which still counts: it was within the last ``seconds``."""
    return [
        Reason(HealthState.DEGRADED, one.name, one.text, told(one.first, now), one.streams)
        for one in incidents
        if now.t - one.last <= seconds
    ]


def filling(holes: Iterable[Incident], now: Now) -> list[Reason]:
    """Holes that are not filled yet: what was missed is being asked for, one reason for each connection."""
    by_name: dict[str, list[Incident]] = {}
    for hole in holes:
        by_name.setdefault(hole.name, []).append(hole)
    return [
        Reason(
            HealthState.DEGRADED,
            name,
            f"{named(streams)}: what was missed is being asked for by REST",
            told(min(hole.first for hole in those), now),
            streams,
        )
        for name, those in by_name.items()
        for streams in [tuple(dict.fromkeys(stream for hole in those for stream in hole.streams))]
    ]


def verdict(reasons: Iterable[Reason]) -> tuple[HealthState, tuple[Reason, ...]]:
    """The worst of all, and the reasons with the worst first, the oldest of them before the others."""
    ordered = sorted(reasons, key=lambda reason: (reason.status != HealthState.UNHEALTHY, reason.since_ns))
    return (ordered[0].status if ordered else HealthState.HEALTHY), tuple(ordered)


def score(*, is_down: bool, failures: int, quiet_seconds: float) -> float:
    """One connection's health, 0 to 1 (requirement S3-39): 0 while a wanted line is down, else 1 less deductions.

    Args:
        is_down: something is wanted, and there is no line.
        failures: losses in a row; each takes 0.1, at most 0.5.
        quiet_seconds: without data, or for what is sent only when something happens without any sign of life; beyond
            60 s it takes up to 0.3, all of it from 120 s on.
    """
    if is_down:
        return 0.0
    quiet = min(1.0, max(0.0, quiet_seconds - QUIET) / QUIET)
    return round(1.0 - min(0.5, 0.1 * failures) - 0.3 * quiet, 6)


def told(t: float, now: Now) -> int:
    """A time in monotonic seconds as ns UTC, by the present wall clock."""
    return now.ns - round((now.t - t) * 1e9)


def named(streams: Iterable[Subscription]) -> str:
    """``trade KRW-BTC, ticker KRW-ETH and 12 more``."""
    every = [str(stream) for stream in streams]
    rest = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return ", ".join(every[:_NAMED]) + rest


def _polled(connection: ConnectionFacts, now: Now) -> list[Reason]:
    """Streams without a line: told by REST, or by nobody at all."""
    why = f" ({connection.last_error})" if connection.last_error else ""
    well = {stream: t for stream, t in connection.polled.items() if stream not in connection.polling_fails}
    ill = {stream: t for stream, t in connection.polled.items() if stream in connection.polling_fails}
    found = []
    if well:
        text = f"polling: REST is asked in place of WebSocket{why}"
        found.append(_about(connection, HealthState.DEGRADED, text, well, now))
    if ill:
        text = f"no WebSocket{why}, and polling fails: {connection.polling_fails[next(iter(ill))]}"
        found.append(_about(connection, HealthState.UNHEALTHY, text, ill, now))
    return found


def _down(connection: ConnectionFacts, streams: Sequence[Subscription], since: float, now: Now) -> Reason:
    allowed = connection.failures <= connection.was_open
    recent = now.t - since <= DOWN_GRACE
    what = "line down" if connection.was_open else "no line yet"
    why = f": {connection.last_error}" if connection.last_error and connection.failures else ""
    text = f"{what}{why}; waiting: {named(streams)}"
    return Reason(_severity(bad=not (allowed and recent)), connection.name, text, told(since, now), tuple(streams))


def _is_dead(connection: ConnectionFacts) -> bool:
    """Nothing comes at all: every stream that should speak is silent, or none has since the first of them fell."""
    silent = {stream: since for stream, since in connection.silent.items() if stream not in connection.spoilt}
    if len(silent) >= connection.watched:
        return True
    return connection.last_data <= max(silent.values()) + _TOGETHER


def _severity(*, bad: bool) -> HealthState:
    return HealthState.UNHEALTHY if bad else HealthState.DEGRADED


def _about(
    connection: ConnectionFacts, status: HealthState, text: str, streams: Mapping[Subscription, float], now: Now
) -> Reason:
    since = told(min(streams.values()), now)
    return Reason(status, connection.name, f"{named(streams)}: {text}", since, tuple(streams))
