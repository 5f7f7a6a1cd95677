"""Alerts at work beside a client: hears its feed and the data that rules need, keeps their time, tells the channels."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct

from tapewire.client.channels import Channel, Log, as_channel
from tapewire.client.component import Component
from tapewire.client.handle import Handle
from tapewire.client.posting import Tools
from tapewire.config import FeedOptions
from tapewire.errors import ConfigError
from tapewire.hub.alert_rules import Latencies, Rule
from tapewire.hub.alerting import Alerting, Fact
from tapewire.hub.notices import Notice
from tapewire.model.status import Connecting
from tapewire.runtime.clock import Clock
from tapewire.runtime.pool import Pool
from tapewire.transport.http import AiohttpHttp

#: Seconds that the last notices have to get out when the end has come, and those of the client's end as a whole.
FLUSH, CLOSE = 3.0, 4.5
#: Seconds between two looks at the latency figures, where a rule asks for them.
LATENCY_EVERY = 5.0


class ChannelStatistics(Struct, frozen=True):
    """One channel: notices handed over, given up, dropped untried, waiting now."""

    name: str
    sent: int
    failed: int
    dropped: int
    waiting: int


class AlertStatistics(Struct, frozen=True):
    """Notices told and held back by the rate limits, each by the name of the rule; and the channels."""

    told: dict[str, int]
    held_back: dict[str, int]
    channels: tuple[ChannelStatistics, ...]


class Alerts:
    """What ``client.alerts`` gives back: rules at work until ``aclose`` or the client's ``cleanup``.

    It holds nothing that leads to its client, which may go without a word.

    Attributes:
        closed: it hears nothing any more.
    """

    def __init__(
        self,
        alerting: Alerting,
        channels: Sequence[Channel],
        tools: Tools,
        latencies: Callable[[], Latencies | None],
    ) -> None:
        self._alerting, self._clock, self._latencies = alerting, tools.clock, latencies
        self._outlets = [(channel, channel.open(tools)) for channel in channels]
        self._timers: dict[Callable[[Alerts], None], tuple[float, asyncio.Handle]] = {}
        self._data: Callable[[], Handle | None] = lambda: None
        self.closed = False
        self._arm()
        if alerting.needs_latency:
            self._measure()

    def hear(self, fact: Fact) -> None:
        """Something happened: tell what the rules make of it."""
        if self.closed:
            return
        now = self._clock.now()
        notices = self._alerting.hear(fact, now.t, now.ns)
        self._arm()
        self._tell(notices)

    def needs(self, handle: Handle) -> None:
        """The subscription that brings the rules' data, to be ended with the alerts; its client holds it."""
        self._data = weakref.ref(handle)

    def statistics(self) -> AlertStatistics:
        """What was told so far, and what became of it."""
        counts = self._alerting.counts()
        return AlertStatistics(
            {name: told for name, (told, _) in counts.items()},
            {name: held for name, (_, held) in counts.items()},
            tuple(
                ChannelStatistics(out.name, out.sent, out.failed, out.dropped, out.waiting) for _, out in self._outlets
            ),
        )

    async def aclose(self, seconds: float = FLUSH) -> None:
        """Hear no more, deliver what waits for at most ``seconds``. A second call does nothing."""
        if self.closed:
            return
        self.closed = True
        for _, timer in self._timers.values():
            timer.cancel()
        handle = self._data()
        if handle is not None:
            handle.end()
        self._tell(self._alerting.flush())
        await asyncio.gather(*(outlet.aclose(seconds) for _, outlet in self._outlets))

    def _tell(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            for channel, outlet in self._outlets:
                if channel.takes(notice):
                    outlet.put(notice)

    def _tick(self) -> None:
        now = self._clock.now()
        notices = self._alerting.tick(now.t, now.ns)
        self._arm()
        self._tell(notices)

    def _arm(self) -> None:
        self._at(self._alerting.deadline, Alerts._tick)

    def _measure(self) -> None:
        self._at(self._clock.now().t + LATENCY_EVERY, Alerts._measure)
        figures = self._latencies()
        if figures is not None:
            self.hear(figures)

    def _at(self, t: float | None, method: Callable[[Alerts], None]) -> None:
        """Call one of our methods then, in place of its earlier date; the timer alone does not keep us alive."""
        due, timer = self._timers.get(method, (None, None))
        if timer is not None:
            if not timer.cancelled() and due == t:
                return
            timer.cancel()
        if t is not None and not self.closed:
            self._timers[method] = t, self._clock.call_at(t, _weakly(self, method))


def _weakly(alerts: Alerts, method: Callable[[Alerts], None]) -> Callable[[], None]:
    find = weakref.ref(alerts)

    def call() -> None:
        found = find()
        if found is not None:
            found._timers.pop(method, None)  # noqa: SLF001 - our own
            method(found)

    return call


class Alerted:
    """The part of the client that has alerts."""

    name: str
    options: FeedOptions
    _component: Component
    _alerts: tuple[Alerts, ...] = ()
    subscribe: Callable[..., Awaitable[Handle]]
    subscribe_feed: Callable[[Callable[[Any], Any]], None]

    @property
    def _pool(self) -> Pool:
        raise NotImplementedError

    async def alerts(
        self, rules: Sequence[Rule], channels: Sequence[Channel | Callable[[Notice], Any]] = (), *, gather: float = 1.0
    ) -> Alerts:
        """Watch the feed and prices by ``rules`` (``tapewire.alerts``) and tell ``channels``, by default the log.

        Args:
            rules: what to watch for. Streams that they need (``Price``, ``Silence``) are subscribed here.
            channels: where notices go: ``Log()``, ``Webhook(…)``, ``Slack(…)``, ``Telegram(…)``, or a function, plain
                or async, that takes one ``Notice``.
            gather: seconds for which notices of one rule that follow the first are gathered into one; 0: none are.

        Raises:
            ConfigError: no rule, or a rule or channel that is none.
            SubscriptionError: a symbol that a rule names cannot be subscribed.
        """
        pool, clock = self._pool, self._component.manager.clock
        if isinstance(rules, Rule) or isinstance(channels, Channel) or callable(channels):
            raise ConfigError("rules and channels", "one by itself", "lists: rules=[…], channels=[…]")
        opened = [as_channel(channel) for channel in channels] or [Log()]
        alerting = Alerting(list(rules), clock.now().t, gather)
        tools = Tools(self.name, clock, _http_maker(self.options, clock))
        alerts = Alerts(alerting, opened, tools, _latencies_of(pool))
        self._alerts = (*(one for one in self._alerts if not one.closed), alerts)
        self.subscribe_feed(alerts.hear)
        for one in pool.statistics(dropped=0).connections:
            if one.state in {"waiting", "connecting"}:  # what is down already
                at_ns = clock.wall_ns()
                alerts.hear(Connecting(venue=pool.venue.name, connection=one.name, at_ns=at_ns, url=one.url, attempt=1))
        if alerting.streams:
            await self._bring_data(alerts, alerting)
        return alerts

    async def _bring_data(self, alerts: Alerts, alerting: Alerting) -> None:
        try:
            handle = await self.subscribe(alerting.streams, alerts.hear)
            alerts.needs(handle)
        except BaseException:
            await alerts.aclose(0.0)
            raise
        if handle.refused:  # a rule that hears nothing must not look like one that watches
            await alerts.aclose(0.0)
            raise next(iter(handle.refused.values()))

    async def _end_alerts(self, close: Callable[[], Awaitable[None]]) -> None:
        """Close the client (4 s at most), then let the last notices out: half a second at least, 3 s at most."""
        until = asyncio.get_running_loop().time() + CLOSE
        try:
            await close()
        finally:
            left = min(FLUSH, max(0.5, until - asyncio.get_running_loop().time()))
            await asyncio.gather(*(alerts.aclose(left) for alerts in self._alerts))


def _http_maker(options: FeedOptions, clock: Clock) -> Callable[[], AiohttpHttp]:
    line = options.line
    return lambda: AiohttpHttp(clock.wall_ns, proxy=line.proxy, ssl_context=line.ssl_context)


def _latencies_of(pool: Pool) -> Callable[[], Latencies | None]:
    def latencies() -> Latencies | None:
        found = pool.statistics(dropped=0).latency_ms
        return None if found is None else Latencies(pool.venue.name, found.p50, found.p90, found.p99, found.max)

    return latencies
