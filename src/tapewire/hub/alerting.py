"""Rules at work: events of the feed and of the market in, notices out; one next deadline (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tapewire.errors import ConfigError
from tapewire.hub.alert_judges import Judge
from tapewire.hub.alert_rules import HighLatency, Latencies, Rule, check_number
from tapewire.hub.notices import Bundle, Limiter, Notice, Sign
from tapewire.model.events import Event
from tapewire.model.status import FeedEvent
from tapewire.model.subscription import Subscription

#: What rules are told: what happened to the feed, market data, figures.
Fact = FeedEvent | Event | Latencies


class _Watcher:
    """One rule with its judge, its limit and its two bundles (begun, over)."""

    def __init__(self, rule: Rule, t: float, gather: float) -> None:
        self.judge: Judge = rule.judge(t)
        self.limiter = Limiter(rule.title, rule.weight, rule.every, recovery=rule.recovery)
        self.bundles = (Bundle(gather), Bundle(gather))

    @property
    def deadline(self) -> float | None:
        deadlines = (self.judge.deadline, self.limiter.deadline, *(bundle.deadline for bundle in self.bundles))
        return min((one for one in deadlines if one is not None), default=None)

    def take(self, signs: Iterable[Sign], t: float, ns: int) -> list[Notice]:
        notices = (self.limiter.take(sign, t, ns) for sign in signs)
        return self._bundled([notice for notice in notices if notice is not None], t)

    def tick(self, t: float, ns: int) -> list[Notice]:
        due = [notice for bundle in self.bundles for notice in bundle.tick(t)]
        due += self.take(self.judge.tick(t), t, ns)
        return due + self._bundled(self.limiter.tick(t, ns), t)

    def _bundled(self, notices: list[Notice], t: float) -> list[Notice]:
        begun, over = self.bundles
        return [
            *begun.add((notice for notice in notices if not notice.over), t),
            *over.add((notice for notice in notices if notice.over), t),
        ]


class Alerting:
    """All rules of one client. ``t`` is monotonic seconds, ``ns`` the wall clock in nanoseconds UTC.

    Args:
        rules: what to watch for.
        t: now.
        gather: seconds for which notices of one rule after the first are gathered into one; 0: each by itself.

    Raises:
        ConfigError: no rule, or something that is none.
    """

    def __init__(self, rules: Sequence[Rule], t: float, gather: float = 1.0) -> None:
        given: Sequence[object] = rules
        wrong = [rule for rule in given if not isinstance(rule, Rule)]
        if wrong or not given:
            raise ConfigError("rules", wrong or list(given), "a list of rules such as tapewire.alerts.Down(10)")
        check_number("gather", gather, at_least=0)
        self._watchers = [_Watcher(rule, t, gather) for rule in rules]
        self._of_feed = [watcher for watcher, rule in zip(self._watchers, rules, strict=True) if not rule.streams]
        self._of_data: dict[tuple[str, str], list[_Watcher]] = {}
        for watcher, rule in zip(self._watchers, rules, strict=True):
            for stream in rule.streams:
                self._of_data.setdefault((stream.kind, stream.symbol), []).append(watcher)
        self.streams: tuple[Subscription, ...] = tuple(dict.fromkeys(one for rule in rules for one in rule.streams))
        self.needs_latency = any(isinstance(rule, HighLatency) for rule in rules)
        self.deadline: float | None = None
        self._look()

    def hear(self, fact: Fact, t: float, ns: int) -> list[Notice]:
        """Notices that this fact makes, after those that were due before it."""
        notices = self.tick(t, ns) if self.deadline is not None and t >= self.deadline else []
        watchers = self._of_data.get((fact.kind, fact.symbol), ()) if isinstance(fact, Event) else self._of_feed
        moved = watchers is self._of_feed  # data without signs moves deadlines only later: the next tick sees that
        for watcher in watchers:
            signs = watcher.judge.hear(fact, t)
            if signs:
                moved = True
                notices += watcher.take(signs, t, ns)
        if moved:
            self._look()
        return notices

    def tick(self, t: float, ns: int) -> list[Notice]:
        """Notices that are due."""
        notices = [notice for watcher in self._watchers for notice in watcher.tick(t, ns)]
        self._look()
        return notices

    def flush(self) -> list[Notice]:
        """What is still being gathered: the end has come."""
        return [notice for watcher in self._watchers for bundle in watcher.bundles for notice in bundle.flush()]

    def counts(self) -> dict[str, tuple[int, int]]:
        """Notices told and held back so far, by the name of their rule."""
        counts: dict[str, tuple[int, int]] = {}
        for limiter in (watcher.limiter for watcher in self._watchers):
            told, held = counts.get(limiter.name, (0, 0))
            counts[limiter.name] = told + limiter.told, held + limiter.suppressed
        return counts

    def _look(self) -> None:
        deadlines = (watcher.deadline for watcher in self._watchers)
        self.deadline = min((one for one in deadlines if one is not None), default=None)
