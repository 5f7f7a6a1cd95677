"""Reads the figures of connections and mailboxes when somebody asks; nothing here costs a message anything."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tapewire.hub.first_copy import Score
from tapewire.hub.mailbox import Mailbox
from tapewire.model.health import ConnectionState
from tapewire.model.metrics import ConnectionMetrics, MailboxMetrics, latency_statistics
from tapewire.model.subscription import Subscription
from tapewire.runtime.driver import Driver
from tapewire.runtime.notes import Notes, total_of
from tapewire.runtime.observe import ConnectionStatistics
from tapewire.session.actions import Now
from tapewire.session.health import ConnectionFacts, score, told


def statistics_of(driver: Driver, t: float) -> ConnectionStatistics:
    """What ``client.statistics()`` says of one connection; ``t`` in the loop's seconds."""
    machine = driver.machine
    return ConnectionStatistics(
        name=driver.origin.connection,
        url=driver.origin.url,
        state=machine.state,
        subscriptions=len(driver.router.streams),
        connects=driver.connects,
        reconnects=machine.reconnects,
        messages=driver.router.counts(),
        unwanted=driver.router.unwanted,
        quarantined=driver.quarantine.count,
        open_gaps=len(machine.gaps),
        retry_in=_retry_in(driver, t),
        last_error=None if machine.last_loss is None else str(machine.last_loss),
        **_against_sisters(driver.score),
    )


def metrics_of(driver: Driver, now: Now, quiet_kinds: frozenset[str]) -> ConnectionMetrics:
    """Everything about one connection. ``quiet_kinds`` are sent only when something happens."""
    machine, router, notes, origin = driver.machine, driver.router, _looked(driver), driver.origin
    counts, carried = router.counts(), notes.carried
    return ConnectionMetrics(
        name=origin.connection,
        venue=origin.venue,
        side=origin.side,
        url=origin.url,
        state=state_of(driver),
        uptime_seconds=0.0 if notes.connected is None else now.t - notes.connected,
        connected_at_ns=_ns(notes.connected, now),
        connects=driver.connects,
        reconnects=machine.reconnects,
        errors=notes.errors,
        consecutive_errors=machine.attempt,
        last_error=notes.last_error,
        last_error_ns=_ns(notes.last_error_at, now),
        messages_received=sum(counts.values()) + router.unwanted + notes.words + driver.quarantine.count,
        messages_sent=notes.sent,
        bytes_received=None if carried is None else carried[0],
        bytes_sent=None if carried is None else carried[1],
        messages=counts,
        streams={str(subscription): stream.count for subscription, stream in router.streams.items()},
        symbols=_by_symbol(driver),
        subscriptions=len(router.streams),
        pending=len(router.streams.keys() - machine.live),
        stale=len(notes.stale.keys() | machine.watch.mute().keys()),
        open_gaps=len(machine.gaps),
        unwanted=router.unwanted,
        quarantined=driver.quarantine.count,
        last_data_ns=_ns(notes.last_data, now),
        last_alive_ns=_ns(notes.last_alive, now),
        last_ping_sent_ns=_ns(notes.last_ping, now),
        last_pong_received_ns=_ns(notes.last_pong, now),
        retry_in=_retry_in(driver, now.t),
        health_score=_score(driver, now, quiet_kinds),
        **_sampled(notes),
        messages_per_second=notes.rate(total_of(router)),
        **_against_sisters(driver.score),
    )


def facts_of(driver: Driver, now: Now, quiet_kinds: frozenset[str], patience: float | None) -> ConnectionFacts:
    """What the judgement of its health needs.

    Args:
        driver: the connection.
        now: the present.
        quiet_kinds: kinds that are sent only when something happens.
        patience: seconds that a stream may take to bring the snapshot it was asked with; None: for ever.
    """
    notes, machine = _looked(driver), driver.machine
    streams = tuple(driver.router.streams)
    return ConnectionFacts(
        name=driver.origin.connection,
        streams=streams,
        watched=sum(stream.kind not in quiet_kinds for stream in streams),
        down_since=notes.down_since,
        was_open=notes.first_opened is not None,
        failures=machine.attempt,
        last_error=notes.last_error,
        silent=_unanswered(driver, now, quiet_kinds, patience) | notes.stale | _mute(driver, now),
        spoilt=frozenset(driver.books.spoilt_streams),
        last_data=float("-inf") if notes.last_realtime is None else notes.last_realtime,
        polled={stream: entry.since for stream, entry in driver.standby.open.items()},
        polling_fails={stream: entry.error for stream, entry in driver.standby.open.items() if entry.error},
        gaps={gap.subscription: now.t - (now.ns - gap.from_ns) / 1e9 for gap in machine.gaps},
    )


def state_of(driver: Driver) -> ConnectionState:
    """In the words of the v6 guide."""
    machine = driver.machine
    again = machine.attempt > 0 or driver.notes.first_opened is not None
    match machine.state:
        case "open":
            if not driver.router.streams.keys() - machine.live:
                return ConnectionState.ACTIVE
            return ConnectionState.SUBSCRIBING if driver.notes.has_asked else ConnectionState.CONNECTED
        case "waiting" | "connecting":
            return ConnectionState.RECONNECTING if again else ConnectionState.CONNECTING
        case _:
            return ConnectionState.ERROR if driver.error is not None else ConnectionState.DISCONNECTED


def _sampled(notes: Notes) -> dict[str, Any]:
    return {
        "latency_ms": latency_statistics(notes.latencies), "handling_ms": latency_statistics(notes.handling),
        "clock_offset_ms": min(notes.latencies, default=None),
    }  # fmt: skip


def _against_sisters(score: Score | None) -> dict[str, Any]:
    """What both kinds of figures say of a line of several; nothing of one that has no sister."""
    if score is None:
        return {}
    return {
        "firsts": score.firsts, "copies": score.copies, "late": score.late,
        "first_share": score.share, "lead_ms": latency_statistics(score.leads),
    }  # fmt: skip


def mailbox_metrics(venue: str, mailbox: Mailbox) -> MailboxMetrics:
    """One subscriber's queue."""
    figures = mailbox.statistics()
    return MailboxMetrics(
        name=mailbox.name,
        venue=venue,
        rule=mailbox.options.rule,
        waiting=figures.waiting,
        size=figures.size,
        put=figures.put,
        taken=figures.taken,
        dropped=figures.dropped,
        conflated=figures.conflated,
    )


def _looked(driver: Driver) -> Notes:
    """Its notes, with what came since the last tick."""
    driver.notes.look(total_of(driver.router))
    return driver.notes


def _unanswered(
    driver: Driver, now: Now, quiet_kinds: frozenset[str], patience: float | None
) -> dict[Subscription, float]:
    """Streams that were asked with their snapshot, which is long overdue; since when."""
    opened = driver.notes.connected
    if opened is None or patience is None:
        return {}
    asked = {
        subscription: max(opened, driver.notes.wanted.get(subscription, now.t))
        for subscription, stream in driver.router.streams.items()
        if stream.count == stream.base and subscription.kind not in quiet_kinds and stream.wish.snapshot
    }
    return {subscription: t for subscription, t in asked.items() if now.t - t > patience}


def _mute(driver: Driver, now: Now) -> dict[Subscription, float]:
    """Streams that bring nothing by themselves, although they once did; since when."""
    mute = driver.machine.watch.mute()
    return {stream: now.t - seconds for stream, seconds in mute.items() if stream in driver.router.streams}


def _by_symbol(driver: Driver) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for subscription, stream in driver.router.streams.items():
        counts[subscription.symbol or "all"] += stream.count
    return dict(counts)


def _score(driver: Driver, now: Now, quiet_kinds: frozenset[str]) -> float:
    notes, streams = driver.notes, driver.router.streams
    if not streams or all(subscription.kind in quiet_kinds for subscription in streams):
        quiet = 0.0  # the line's own keep-alive ends it in time
    else:
        signs = [t for t in (notes.last_data, notes.connected) if t is not None]
        quiet = now.t - max(signs) if signs else 0.0
    return score(
        is_down=driver.error is not None or notes.down_since is not None,
        failures=driver.machine.attempt,
        quiet_seconds=quiet,
    )


def _retry_in(driver: Driver, t: float) -> float | None:
    return None if driver.machine.retry_at is None else max(0.0, driver.machine.retry_at - t)


def _ns(t: float | None, now: Now) -> int | None:
    return None if t is None else told(t, now)
