"""One connection's session: facts and time in, actions out, one deadline; no I/O, no clock, no chance of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from tapewire.config import FeedOptions
from tapewire.errors import AuthenticationFailed, ConnectFailed, FeedError, LineLost
from tapewire.model import status
from tapewire.model.line import Handshake, Loss
from tapewire.model.subscription import Subscription, Wish
from tapewire.session.actions import Action, Close, Connect, Finish, LogIn, Now, Progress, Publish, Replace, Send
from tapewire.session.answers import Heard, in_their_words
from tapewire.session.dialling import Dialling
from tapewire.session.gate import Gate
from tapewire.session.ledger import Ledger
from tapewire.session.life import Life
from tapewire.session.manners import Parts, manners_of
from tapewire.session.sending import Sending
from tapewire.session.telling import Teller
from tapewire.session.wants import Wants
from tapewire.venues.contract import Control, Venue

State = Literal["idle", "waiting", "connecting", "open", "stopped"]

STOPPED = Loss("stopped")
#: Handshake statuses that are about the key, on a side that asks for one (spec/upbit.md 5.2).
KEY_REFUSED = frozenset({401, 403})


class Machine:
    """Keeps one connection true.

    Every fact takes ``now`` first and returns what is to be done, in order; then ask ``deadline``. Facts that
    come too late (of a line that is gone, after the end) are ignored.

    Args:
        venue: whom it speaks to.
        connection: its name in events.
        options: url, format and the session's options.
        connect_gate: the connection limit, shared by all machines of a process.
        message_gate: the limit of what is sent, shared likewise: whether the exchange counts by connection or by
            address is uncertain (spec/upbit.md 11.13), so both hold.
        random: gives a float in [0, 1) at each call (jitter).
        ticket: gives a new unique text at each call, one for each request.
        side: which of the venue's sides it speaks to.
    """

    def __init__(  # noqa: PLR0917 - seven parts, each handed in once by the driver
        self,
        venue: Venue,
        connection: str,
        options: FeedOptions,
        connect_gate: Gate,
        message_gate: Gate,
        random: Callable[[], float],
        ticket: Callable[[], str],
        side: str = "public",
    ) -> None:
        facts, self._options = venue.facts, options.session
        self._venue, self._format, self._ticket = venue, options.format, ticket
        self._dials = Dialling(facts, side, options, connect_gate, random)
        self._sending, self._wants = Sending(self._options, message_gate, facts), Wants()
        self._teller = Teller(venue.name, connection)
        self._life = Life(facts, self._options, self._sending, self._teller)
        self.watch = self._life.watch
        parts = Parts(venue, options, self._wants, self._sending, self._teller, side, ticket)
        self._login, self._signed = parts.login, parts.signed
        self._asking, self._answers = manners_of(parts)
        self.ledger = Ledger(venue.name, connection, facts.full_state_kinds)
        self._closing: Literal["", "unwanted", "broken", "stop"] = ""
        self._refused = self._was_lost = False
        self._question: float | None = None
        self.state: State = "idle"
        self.reconnects = 0
        self.last_loss: Loss | None = None

    # what can be seen from outside

    @property
    def deadline(self) -> float | None:
        """When ``tick`` is to be called at the latest (monotonic seconds); None: nothing to wait for."""
        if self.state == "waiting":
            return self._dials.next_at
        if self.state != "open" or self._closing:
            return None
        due = self._life.deadlines(live=bool(self._asking.live))
        if self._login.due:
            due.append(self._sending.login_at)
        elif self._login.done and (self._asking.ready or self._sending.waiting):
            due.append(self._sending.request_at)
        if self._question is not None:
            due.append(self._sending.other_at(self._question))
        due += [t for t in (self._asking.quiet_until, self._login.until) if t is not None]
        return min(due, default=None)

    @property
    def url(self) -> str:
        """The address that is dialled."""
        return self._dials.url

    @property
    def attempt(self) -> int:
        """Losses in a row without a stable line between them."""
        return self._dials.failures

    @property
    def retry_at(self) -> float | None:
        """When the next dial is due (monotonic seconds), None unless one is waited for."""
        return self.deadline if self.state == "waiting" else None

    @property
    def live(self) -> frozenset[Subscription]:
        """Streams confirmed on the present line."""
        return frozenset(self._asking.live)

    @property
    def wanted(self) -> dict[Subscription, Wish]:
        """What requests name: the wishes without what was refused for good and snapshots already had."""
        return dict(self._wants.standing)

    @property
    def gaps(self) -> tuple[status.Gap, ...]:
        """The open rows of the gap ledger."""
        return self.ledger.open

    # facts

    def want(self, now: Now, wanted: Mapping[Subscription, Wish]) -> list[Action]:
        """The complete new wanted set."""
        if self.state == "stopped":
            return []
        left, joined = self._wants.replace(wanted)
        self._asking.forget(left)
        self.watch.forget(left)
        told = [Publish(event) for event in self.ledger.drop(now, left)]
        self._asking.compare(self._wants.standing)
        self._ask_again(now, joined)
        if self._asking.due:
            self._sending.changed(now.t)
        return [*told, *self._pursue(now)]

    def refresh(self, now: Now, subscriptions: Iterable[Subscription]) -> list[Action]:
        """Somebody new wishes the snapshots of these streams: ask them again, the others realtime-only."""
        if self.state == "stopped":
            return []
        self._ask_again(now, self._wants.renew(subscriptions))
        return self._pursue(now)

    def refetch(self, now: Now, subscriptions: Iterable[Subscription]) -> list[Action]:
        """What these streams brought so far cannot be trusted: begin them anew, each for itself."""
        standing = [stream for stream in subscriptions if stream in self._wants.standing]
        if self.state == "open" and standing:
            self._asking.anew(standing)
        return [] if self.state == "stopped" else self._pursue(now)

    def inquire(self, now: Now) -> list[Action]:
        """Ask the exchange what it holds for this connection; ``Listed`` tells the answer. A difference is mended.

        A venue that cannot be asked is not.
        """
        self._question = None if self._venue.encode_list is None else now.t
        return self._pursue(now)

    def opened(self, now: Now, handshake: Handshake) -> list[Action]:
        """The dial succeeded."""
        if self.state != "connecting":
            return []
        self.state = "open"
        self._dials.opened(now.t)
        if self._closing:
            return [Close(STOPPED)]
        self._refused = False
        self._life.opened(now.t)
        self._login.opened()
        self._sending.opened()
        if self._login.done:
            self._dials.accepted()
        self.reconnects += self._was_lost
        self._was_lost = False
        facts = {"url": handshake.url, "seconds": handshake.seconds, "reconnect": self.reconnects}
        return [self._teller.say(now, status.Connected, **facts), *self._pursue(now)]

    def failed(self, now: Now, loss: Loss) -> list[Action]:
        """The dial failed."""
        return self._down(now, in_their_words(self._venue, loss)) if self.state == "connecting" else []

    def lost(self, now: Now, loss: Loss, progress: Mapping[Subscription, Progress]) -> list[Action]:
        """The line is gone, after a ``Close`` or by itself; what its streams delivered until then."""
        if self.state == "connecting" and self._closing:
            return self._down(now, loss)
        if self.state != "open":
            return []
        told = self._subscribed(now)
        if self._closing in ("", "broken"):
            self._was_lost = True
            self.ledger.lost(now, loss.cause, self._interrupted(progress), progress)
        return [*told, *self._down(now, loss)]

    def control(self, now: Now, control: Control) -> list[Action]:
        """The exchange's own word."""
        if self.state != "open" or self._closing:
            return []
        if control.kind == "alive" and self._life.word():
            self._answered()
        heard = self._answers.heard(now, control)
        if self._login.done:
            self._dials.accepted()
        self._refused = self._refused or heard.ours
        return self._follow(now, heard)

    def pong(self, now: Now, payload: bytes) -> list[Action]:  # noqa: ARG002 - every fact takes its time
        """A PONG frame came."""
        if self._life.pong(payload):
            self._answered()
        return []

    def first_data(
        self,
        now: Now,
        subscription: Subscription,
        progress: Progress,
        snapshot: bool,  # noqa: FBT001 - a fact of its own
    ) -> list[Action]:
        """The first message of a stream on this line, or since it was asked again."""
        self._dials.alive()
        if self.state != "open" or self._closing or subscription not in self._wants.standing:
            return []
        self._asking.data(subscription)
        if snapshot:
            self.watch.snapshot(subscription)
            if self._wants.serve(subscription):
                self._asking.served(subscription)
        told = [Publish(event) for event in self.ledger.data(now, subscription, progress)]
        if not self._asking.pending:
            told += self._subscribed(now)
        return [*told, *self._pursue(now)]

    def tick(self, now: Now, progress: Mapping[Subscription, Progress]) -> list[Action]:
        """It is now ``now``; to be called at ``deadline``. Of ``progress`` the counts matter."""
        if self.state != "open" or self._closing:
            return self._dial(now)
        if cut := self._life.overdue(now.t):
            self._closing = "broken"
            return [cut]
        actions = self._life.ping(now.t)
        silence = self._answers.quiet(now)
        if silence.cut is not None:
            return actions + self._follow(now, silence)
        actions += [*silence.actions, *self._subscribed(now)]
        signs = self._life.look(now, self._asking.live, self._wants.standing, progress)
        self._ask_again(now, signs.again)
        self._closing = "broken" if signs.broken else self._closing
        return actions + signs.actions + self._pursue(now)

    def hold(self, now: Now, holding: bool) -> list[Action]:  # noqa: FBT001 - on or off
        """The line is not read any more, or again: what nobody reads is no sign of death; it is asked for at once."""
        self._life.hold(now.t, holding=holding)
        return []

    def stop(self, now: Now) -> list[Action]:
        """It is to end: close what is open; ``Finish`` comes with the line's end, or at once without a line."""
        if self.state in ("idle", "waiting"):
            return self._end(now, "stopped")
        if self.state == "stopped":
            return []
        closing, self._closing = self._closing, "stop"
        return [] if closing else [Close(STOPPED)]

    def _follow(self, now: Now, heard: Heard) -> list[Action]:
        """What the exchange's word, or its silence, leads to."""
        told: list[Action] = [*heard.actions]
        if not self._asking.pending:
            told += self._subscribed(now)
        if heard.cut is not None:
            self._closing = "broken"
            return [*told, Close(heard.cut, graceful=False)]
        return told + ([Replace()] if heard.moving else []) + self._pursue(now)

    # dialling and losing

    def _pursue(self, now: Now) -> list[Action]:
        """Bring the line nearer to what is wanted."""
        if self._closing:
            return []
        if self.state == "open" and self._wants:
            return self._send(now)
        if self.state == "idle" and self._wants:
            self.state = "waiting"
        elif self.state == "waiting" and not self._wants:
            self.state = "idle"
        elif self.state in ("connecting", "open") and not self._wants:
            self._closing = "unwanted"
            return [*self._subscribed(now), Close(STOPPED)]
        return self._dial(now)

    def _dial(self, now: Now) -> list[Action]:
        if self.state != "waiting" or not self._dials.begin(now.t):
            return []
        self.state, url = "connecting", self._dials.url
        return [self._teller.say(now, status.Connecting, url=url, attempt=self._dials.count), Connect(url)]

    def _down(self, now: Now, loss: Loss) -> list[Action]:
        """There is no line any more (or there never was): what next?"""
        self.last_loss, closing, self._closing = loss, self._closing, ""
        self._asking.lost()
        self._sending.clear()
        self._sending.hurry()
        self._dials.closed(now.t)
        if closing == "stop":
            return [self._disconnected(now, loss, final=True), *self._end(now, "stopped")]
        if closing == "unwanted" or not self._wants:
            self.state = "idle"
            return [self._disconnected(now, loss), *self._pursue(now)]
        return self._retry(now, loss)

    def _retry(self, now: Now, loss: Loss) -> list[Action]:
        counts, self._refused = not self._refused, False
        wait = self._dials.again(now.t, loss, counts=counts)
        if wait is None:
            return [self._disconnected(now, loss, final=True), *self._end(now, str(loss), self._given_up(loss))]
        self.state = "waiting"
        told = [self._disconnected(now, loss, wait=wait), *self._teller.limited(now, loss, wait)]
        return [*told, *self._dial(now)]

    def _given_up(self, loss: Loss) -> FeedError:
        if self._signed and loss.status in KEY_REFUSED:
            return AuthenticationFailed(self._venue.name, loss)
        return ConnectFailed(loss) if loss.cause in ("refused", "unreachable") else LineLost(loss)

    def _end(self, now: Now, reason: str, error: FeedError | None = None) -> list[Action]:
        self.state = "stopped"
        rows = [Publish(row) for row in self.ledger.drop(now, [row.subscription for row in self.ledger.open])]
        return [*rows, self._teller.say(now, status.Stopped, reason=reason, error=error is not None), Finish(error)]

    def _interrupted(self, progress: Mapping[Subscription, Progress]) -> list[Subscription]:
        live, nothing = self._asking.live, Progress()
        return [
            stream
            for stream, wish in self._wants.standing.items()
            if wish.realtime and (stream in live or progress.get(stream, nothing).count)
        ]

    # asking

    def _ask_again(self, now: Now, streams: Iterable[Subscription]) -> None:
        standing = [stream for stream in streams if stream in self._wants.standing]
        if standing:
            self._asking.again(standing)
            self._sending.changed(now.t)

    def _send(self, now: Now) -> list[Action]:
        """Send the request that is due, as far as the limits allow; it is written only now."""
        if not self._login.done:
            return self._log_in(now)
        actions: list[Action] = []
        while (self._asking.ready or self._sending.waiting) and self._sending.begin(now.t):
            if self._asking.ready:
                self._sending.put(self._answers.payloads(now))
            actions.append(Send(self._sending.next()))
        ask = self._venue.encode_list
        if ask is not None and self._question is not None and self._sending.begin_other(now.t):
            self._question = None
            actions.append(Send(ask(self._ticket(), self._format), request=False))
        return actions

    def _log_in(self, now: Now) -> list[Action]:
        if not (self._login.due and self._sending.begin_login(now.t)):
            return []
        self._login.sent(now.t)
        return [LogIn()]

    def _answered(self) -> None:
        """A sign of life: all that a line of rare streams may bring for hours."""
        if self._venue.facts.event_kinds.issuperset(stream.kind for stream in self._wants.standing):
            self._dials.alive()

    # telling

    def _subscribed(self, now: Now) -> list[Publish]:
        fresh = self._asking.take_fresh()
        told = self._teller.subscribed(now, fresh)
        for stream in fresh:  # of a stream that is sent only when something happens, no data may come for hours
            if stream.kind in self._venue.facts.event_kinds:
                told += [Publish(event) for event in self.ledger.data(now, stream, Progress())]
        return told

    def _disconnected(self, now: Now, loss: Loss, *, wait: float | None = None, final: bool = False) -> Publish:
        return self._teller.disconnected(now, loss, self.attempt, wait=wait, final=final)
