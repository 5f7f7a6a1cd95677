"""Every figure as a Prometheus metric, read at scrape time: stable names, bounded labels, no secret."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, Literal, NamedTuple, Protocol
from weakref import ref

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from tapewire.errors import FeedError
from tapewire.model.health import ConnectionState, HealthState, HealthStatus
from tapewire.model.metrics import (
    ConnectionMetrics,
    LatencyStatistics,
    MailboxMetrics,
    ProcessMetrics,
    VenueMetrics,
)

#: Subscribers with a mailbox that are named; the others are summed up as "other".
NAMED_MAILBOXES = 100
#: Seconds that a scrape from another thread waits for the event loop.
LOOP_TIMEOUT = 5.0
_HEALTH = {HealthState.HEALTHY: 1.0, HealthState.DEGRADED: 0.5, HealthState.UNHEALTHY: 0.0}
_QUANTILES = (("0.5", "p50"), ("0.9", "p90"), ("0.99", "p99"), ("1", "max"))

Sample = tuple[tuple[str, ...], float]


class Source(Protocol):
    """Who knows the figures: a manager."""

    def get_health_status(self) -> HealthStatus: ...
    def get_all_connection_metrics(self) -> dict[str, Any]: ...


class Snapshot(NamedTuple):
    """What one scrape tells."""

    health: HealthStatus
    connections: tuple[ConnectionMetrics, ...]
    venues: tuple[VenueMetrics, ...]
    mailboxes: tuple[MailboxMetrics, ...]
    process: ProcessMetrics


class Metric(NamedTuple):
    """One metric: its name (a counter's ends with ``_total``), labels, and how it is read from a snapshot."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...]
    read: Callable[[Snapshot], Iterable[Sample]]


def _of_connections(
    name: str, kind: Literal["counter", "gauge"], text: str, read: Callable[[ConnectionMetrics], float | None]
) -> Metric:
    def samples(snapshot: Snapshot) -> Iterator[Sample]:
        for one in snapshot.connections:
            value = read(one)
            if value is not None:
                yield (one.venue, one.name, one.side), float(value)

    return Metric(f"tapewire_connection_{name}", kind, text, ("venue", "connection", "side"), samples)


def _of_venues(name: str, text: str, read: Callable[[VenueMetrics], int]) -> Metric:
    def samples(snapshot: Snapshot) -> Iterable[Sample]:
        return _summed(((one.venue,), read(one)) for one in snapshot.venues)

    return Metric(f"tapewire_{name}_total", "counter", text, ("venue",), samples)


def _of_mailboxes(
    name: str, kind: Literal["counter", "gauge"], text: str, read: Callable[[MailboxMetrics], int]
) -> Metric:
    def samples(snapshot: Snapshot) -> Iterable[Sample]:
        names = list(dict.fromkeys(one.name for one in snapshot.mailboxes))[:NAMED_MAILBOXES]
        return _summed(
            ((one.venue, one.name if one.name in names else "other"), read(one)) for one in snapshot.mailboxes
        )

    return Metric(f"tapewire_mailbox_{name}", kind, text, ("venue", "subscriber"), samples)


def _summed(samples: Iterable[Sample]) -> list[Sample]:
    """One sample for each set of labels: two pools of one venue count together."""
    sums: dict[tuple[str, ...], float] = {}
    for labels, value in samples:
        sums[labels] = sums.get(labels, 0.0) + value
    return list(sums.items())


def _latencies(read: Callable[[ConnectionMetrics], LatencyStatistics | None]) -> Callable[[Snapshot], Iterable[Sample]]:
    def samples(snapshot: Snapshot) -> Iterator[Sample]:
        for one in snapshot.connections:
            figures = read(one)
            if figures is not None:
                for quantile, name in _QUANTILES:
                    yield (one.venue, one.name, quantile), getattr(figures, name) / 1e3

    return samples


def _states(snapshot: Snapshot) -> Iterator[Sample]:
    for one in snapshot.connections:
        for state in ConnectionState:
            yield (one.venue, one.name, one.side, state), float(one.state == state)


def _reasons(snapshot: Snapshot) -> Iterator[Sample]:
    for state in (HealthState.DEGRADED, HealthState.UNHEALTHY):
        yield (state,), float(sum(reason.status == state for reason in snapshot.health.reasons))


def _messages(snapshot: Snapshot) -> Iterable[Sample]:
    return _summed(((one.venue, kind), float(count)) for one in snapshot.venues for kind, count in one.messages.items())


def _symbols(snapshot: Snapshot) -> Iterable[Sample]:
    return _summed(
        ((one.venue, *stream.partition(" ")[::2]), float(count))
        for one in snapshot.connections
        for stream, count in one.streams.items()
    )


def _seconds(ns: int | None) -> float | None:
    return None if ns is None else ns / 1e9


_RUNNING = frozenset({ConnectionState.CONNECTED, ConnectionState.SUBSCRIBING, ConnectionState.ACTIVE})

METRICS: tuple[Metric, ...] = (
    Metric("tapewire_health", "gauge", "1 healthy, 0.5 degraded, 0 unhealthy", (),
           lambda s: [((), _HEALTH[s.health.status])]),
    Metric("tapewire_health_reasons", "gauge", "what is wrong, by what it makes of the feed", ("status",), _reasons),
    Metric("tapewire_uptime_seconds", "gauge", "seconds since the first line opened", (),
           lambda s: [((), s.health.uptime_seconds)]),
    Metric("tapewire_messages_total", "counter", "data messages received, by kind (trade, candle.1s …)",
           ("venue", "kind"), _messages),
    _of_venues("connects", "dials begun", lambda one: one.connects),
    _of_venues("reconnects", "lines that came back after a loss", lambda one: one.reconnects),
    _of_venues("connection_errors", "lines lost and dials failed", lambda one: one.errors),
    _of_venues("rejected", "subscriptions refused, before sending or by the exchange", lambda one: one.rejected),
    _of_venues("gaps", "interruptions of a stream", lambda one: one.gaps),
    _of_venues("recovered", "events that a line missed and REST told", lambda one: one.recovered),
    _of_venues("doubled", "trades that came twice and were dropped", lambda one: one.doubled),
    _of_venues("conflicts", "those of them that were another trade under the same id", lambda one: one.conflicts),
    _of_venues("quarantined", "frames that could not be read", lambda one: one.quarantined),
    _of_venues("callback_errors", "callbacks that raised", lambda one: one.callback_errors),
    _of_venues("dropped", "events dropped by full mailboxes, told within a second", lambda one: one.dropped),
    Metric("tapewire_connection_state", "gauge", "1 for the state that a connection is in",
           ("venue", "connection", "side", "state"), _states),
    _of_connections("up", "gauge", "1 while the line is open", lambda one: one.state in _RUNNING),
    _of_connections("uptime_seconds", "gauge", "seconds since the line opened", lambda one: one.uptime_seconds),
    _of_connections("health_score", "gauge", "1 is well, 0 is down", lambda one: one.health_score),
    _of_connections("consecutive_errors", "gauge", "losses in a row", lambda one: one.consecutive_errors),
    _of_connections("subscriptions", "gauge", "streams wanted", lambda one: one.subscriptions),
    _of_connections("pending_subscriptions", "gauge", "streams not confirmed yet", lambda one: one.pending),
    _of_connections("stale_streams", "gauge", "streams silent beyond their rhythm", lambda one: one.stale),
    _of_connections("open_gaps", "gauge", "interrupted streams without data since", lambda one: one.open_gaps),
    _of_connections("received_messages_total", "counter", "messages received, of any sort",
                    lambda one: one.messages_received),
    _of_connections("sent_messages_total", "counter", "messages and pings sent", lambda one: one.messages_sent),
    _of_connections("received_bytes_total", "counter", "bytes received (TCP payload; encrypted ones over TLS)",
                    lambda one: one.bytes_received),
    _of_connections("sent_bytes_total", "counter", "bytes sent, counted likewise", lambda one: one.bytes_sent),
    _of_connections("last_data_timestamp_seconds", "gauge", "when data came last, Unix time",
                    lambda one: _seconds(one.last_data_ns)),
    _of_connections("last_alive_timestamp_seconds", "gauge", "when data or a pong came last, Unix time",
                    lambda one: _seconds(one.last_alive_ns)),
    _of_connections("clock_offset_seconds", "gauge", "our clock less the exchange's: the smallest latency sampled",
                    lambda one: None if one.clock_offset_ms is None else one.clock_offset_ms / 1e3),
    _of_connections("firsts_total", "counter", "messages brought before the sister lines, with redundancy",
                    lambda one: one.firsts),
    _of_connections("copies_total", "counter", "messages that a sister line had brought",
                    lambda one: None if one.firsts is None else one.copies),
    Metric("tapewire_lead_seconds", "gauge", "by how much the next line came later than the first",
           ("venue", "connection", "quantile"), _latencies(lambda one: one.lead_ms)),
    Metric("tapewire_latency_seconds", "gauge", "exchange's time stamp to receipt, of sampled messages",
           ("venue", "connection", "quantile"), _latencies(lambda one: one.latency_ms)),
    Metric("tapewire_handling_seconds", "gauge", "receipt to the return of the callbacks, of sampled messages",
           ("venue", "connection", "quantile"), _latencies(lambda one: one.handling_ms)),
    _of_mailboxes("waiting", "gauge", "events that wait for a subscriber", lambda one: one.waiting),
    _of_mailboxes("size", "gauge", "the most that may wait", lambda one: one.size),
    _of_mailboxes("dropped_total", "counter", "events dropped", lambda one: one.dropped),
    _of_mailboxes("conflated_total", "counter", "events replaced by newer ones", lambda one: one.conflated),
    Metric("tapewire_process_memory_bytes", "gauge", "resident memory of the process", (),
           lambda s: [((), float(s.process.memory_bytes))]),
    Metric("tapewire_process_cpu_seconds_total", "counter", "CPU seconds of the process", (),
           lambda s: [((), s.process.cpu_seconds)]),
)  # fmt: skip
#: Only with ``per_symbol``: as many series as there are streams.
PER_SYMBOL = Metric(
    "tapewire_stream_messages_total", "counter", "data messages of each present stream", ("venue", "kind", "symbol"),
    _symbols,
)  # fmt: skip


class MetricsCollector(Collector):
    """For ``prometheus_client``'s registries: ``registry.register(metrics.collector(manager))``.

    It may be scraped from any thread: the figures are read on the manager's event loop. It holds the manager weakly.
    """

    def __init__(self, manager: Source, *, per_symbol: bool = False) -> None:
        self._manager = ref(manager)
        self._metrics = (*METRICS, PER_SYMBOL) if per_symbol else METRICS
        self._loop = asyncio.get_running_loop()

    def describe(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """The names, for a registry that looks for doubles."""
        return (_family(metric) for metric in self._metrics)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Every metric with its samples.

        Raises:
            FeedError: the event loop did not answer within 5 s.
        """
        manager = self._manager()
        snapshot = None if manager is None else self._read(manager)
        for metric in self._metrics:
            family = _family(metric)
            for labels, value in metric.read(snapshot) if snapshot is not None else ():
                family.add_metric(labels, value)
            yield family

    def _read(self, manager: Source) -> Snapshot:
        if self._loop.is_closed() or asyncio._get_running_loop() is self._loop:  # noqa: SLF001 - asks without an error
            return snapshot_of(manager)
        answer: Future[Snapshot] = Future()
        self._loop.call_soon_threadsafe(_answer, answer, manager)
        try:
            return answer.result(LOOP_TIMEOUT)
        except TimeoutError:
            raise FeedError(f"metrics: the event loop did not answer within {LOOP_TIMEOUT:g} s") from None


def snapshot_of(manager: Source) -> Snapshot:
    """All figures as of now; on the manager's own loop."""
    everything = manager.get_all_connection_metrics()
    return Snapshot(
        manager.get_health_status(),
        tuple(everything["connections"].values()),
        tuple(everything["venues"]),
        tuple(everything["mailboxes"]),
        everything["process"],
    )


def _answer(answer: Future[Snapshot], manager: Source) -> None:
    try:
        answer.set_result(snapshot_of(manager))
    except Exception as error:  # it belongs to the thread that asked
        answer.set_exception(error)


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    made = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return made(metric.name, f"{metric.help[0].upper()}{metric.help[1:]}.", labels=metric.labels)
