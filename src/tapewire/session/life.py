"""The two kinds of life of one line: its own (answers to pings) and its streams' (data in their rhythm)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from msgspec import Struct

from tapewire.config import SessionOptions
from tapewire.model.line import Loss
from tapewire.model.subscription import Subscription, Wish
from tapewire.session.actions import Action, Close, Now, Ping, Progress, Send
from tapewire.session.heartbeat import Heartbeat
from tapewire.session.sending import Sending
from tapewire.session.stale import Watch
from tapewire.session.telling import Teller
from tapewire.venues.contract import Facts


class Signs(Struct, frozen=True):
    """What a look found: what is to be done, and streams that are to be asked again with their snapshot."""

    actions: list[Action]
    again: list[Subscription] = []

    @property
    def broken(self) -> bool:
        """Whether the line is to be cut."""
        return any(isinstance(action, Close) for action in self.actions)


class Life:
    """Asks one connection for signs of life, line after line, and says when they are missing.

    Args:
        facts, options: the venue's and the session's.
        sending: gives a text ping its turn.
        teller: words what is silent.
    """

    def __init__(self, facts: Facts, options: SessionOptions, sending: Sending, teller: Teller) -> None:
        self._facts, self._options, self._sending, self._teller = facts, options, sending, teller
        self._text = (options.keep_alive or facts.keep_alive) == "text"
        self._interval = min(options.ping_interval, facts.ping_most)
        self._heartbeat = Heartbeat(self._interval, options.ping_timeout, 0.0)
        self.watch = Watch(options)
        self.held = False

    def opened(self, t: float) -> None:
        """A new line."""
        self._heartbeat = Heartbeat(self._interval, self._options.ping_timeout, t)
        self.watch.opened(t)

    def deadlines(self, *, live: bool) -> list[float]:
        """When to look again; ``live``: there are streams to watch."""
        if self.held:
            return []
        heartbeat, watch = self._heartbeat.deadline, self.watch.deadline
        if self._text and not self._heartbeat.waiting:
            heartbeat = self._sending.other_at(heartbeat)
        return [heartbeat, watch] if live and watch is not None else [heartbeat]

    def word(self) -> bool:
        """The exchange said that it is alive. Whether that was the kind of sign that is asked for."""
        if self._text:
            self._heartbeat.alive()
        return self._text

    def pong(self, payload: bytes) -> bool:
        """A PONG frame came. Whether that was the kind of sign that is asked for."""
        if not self._text:
            self._heartbeat.answer(payload)
        return not self._text

    def hold(self, t: float, *, holding: bool) -> None:
        """The line is not read any more, or again: what nobody reads is no sign of death; it is asked for at once."""
        self.held = holding
        self._heartbeat.ask_anew(t)

    def overdue(self, t: float) -> Close | None:
        """The cut of a line that did not answer in time."""
        if self.held or not self._heartbeat.expired(t):
            return None
        return _cut("ping_timeout", f"no pong within {self._options.ping_timeout:g} s")

    def ping(self, t: float) -> list[Action]:
        """Ask for a sign of life, if it is time."""
        if self.held or not self._heartbeat.due(t):
            return []
        if not self._text:
            return [Ping(self._heartbeat.ask(t))]
        if not self._sending.begin_other(t):
            return []
        self._heartbeat.ask(t)
        return [Send(self._facts.text_ping, request=False)]

    def look(
        self,
        now: Now,
        live: Collection[Subscription],
        standing: Mapping[Subscription, Wish],
        progress: Mapping[Subscription, Progress],
    ) -> Signs:
        """Compare what the streams brought with their rhythm."""
        if self.held:
            return Signs([])
        rare = self._facts.event_kinds
        streams = [s for s, wish in standing.items() if wish.realtime and s in live and s.kind not in rare]
        report = self.watch.look(now.t, streams, progress)
        actions: list[Action] = [self._teller.stale(now, silence) for silence in report.news]
        if report.advice == "replace":
            actions.append(_cut("stale", f"no data for {report.silent:g} s although the line is alive"))
        return Signs(actions, streams if report.advice == "ask" else [])


def _cut(cause: Literal["ping_timeout", "stale"], reason: str) -> Close:
    return Close(Loss(cause, 1006, reason), graceful=False)
