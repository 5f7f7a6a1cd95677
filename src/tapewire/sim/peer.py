"""The exchange as a whole and each connection's far side, generic over the venue: facts in, deeds on a link (pure).

Time is the exchange's own, in seconds since its start; ``deadline`` says when ``advance`` wants to be called next.
What it enforces (connects, messages, ``Origin``, REST calls, pongs that it waits for) it also writes down in
``violations``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from tapewire.sim.announcements import Crier
from tapewire.sim.answering import answered
from tapewire.sim.deeds import BOOKS, DEEDS, SPOILING
from tapewire.sim.desk import Desk
from tapewire.sim.faults import FaultPlan, failure
from tapewire.sim.limits import ADDRESSES, Blocks, Log, Questions
from tapewire.sim.link import Link, Pinged, Sent, Unreachable, Violation
from tapewire.sim.market import SeededMarket
from tapewire.venues.exchange import Answer, Caller, Due, HttpAnswer, HttpCall, VenueExchange

_INF = float("inf")
_OUTBOX = 20_000  # frames a slow network may hold back for one connection
_KEPT = 100_000


class Exchange:
    """One simulated exchange with all its connections.

    Args:
        venue: the venue's own side of the talk.
        market: what is traded.
        desk: where customers' orders are.
        crier: who makes announcements.
        faults: what goes wrong.
        limits: refuse what is over the limits; violations are written down in any case.
        retry_after: seconds that refusals over the limits state; None states none, as Upbit documents none.
        block: seconds that an address is blocked (418) after ten refusals within ten seconds, doubled each time; None
            never blocks.
    """

    def __init__(
        self,
        venue: VenueExchange,
        market: SeededMarket,
        desk: Desk,
        crier: Crier,
        faults: FaultPlan,
        *,
        limits: bool = True,
        retry_after: float | None = None,
        block: float | None = None,
    ) -> None:
        self.venue, self.market, self.faults = venue, market, faults
        self.desk, self.crier = desk, crier
        self.limits, self._retry_after = limits, retry_after
        self.peers: dict[int, Peer] = {}
        self.connects: deque[float] = deque(maxlen=_KEPT)
        self.requests: deque[Sent] = deque(maxlen=_KEPT)
        self.violations: deque[Violation] = deque(maxlen=_KEPT)
        self.pings: deque[Pinged] = deque(maxlen=_KEPT)
        self.audience: list[Callable[[Due], None]] = []  # told of all that is published: who judges what clients hear
        self.count = 0
        self.down_until = 0.0
        self.down_answer: HttpAnswer | Unreachable = Unreachable()
        self.delay = 0.0
        self._slow_until = _INF
        self._refusals: list[tuple[HttpAnswer, int]] = []
        self._windows: dict[tuple[str, str], Log] = {}
        self._blocks = Blocks(block)
        #: what all connections sent: they come from one machine, which is one address to an exchange
        self.messages = Log(venue.messages)
        self._held: list[tuple[float, int, Due]] = []
        self.moment = 0.0  # how far its time has come

    # -- time ---------------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        """When ``advance`` wants to be called next."""
        times = [self.market.deadline, self.faults.deadline or _INF, *(peer.deadline for peer in self.peers.values())]
        if self._held:
            times.append(self._held[0][0])
        return min(times)

    @property
    def down(self) -> bool:
        """Whether nobody listens now, as a network sees it."""
        return self.moment < self.down_until and isinstance(self.down_answer, Unreachable)

    def advance(self, now: float) -> None:
        """Everything up to ``now``: faults, the market's publications, signs of life, time-outs."""
        self.moment = max(self.moment, now)
        for fault in self.faults.due(now):
            DEEDS[fault.name](self, now, fault)
        for due in self._released(now):
            self.tell(due)
        for due in self.market.advance(now):
            self._publish(now, due)
        for peer in list(self.peers.values()):
            peer.advance(now)
        if now >= self._slow_until:
            self.delay, self._slow_until = 0.0, _INF

    def _publish(self, now: float, due: Due) -> None:
        if due.trade is not None:
            if self.faults.has("late") and (fault := self.faults.occasion("late", now)):
                self._hold(now + fault.number * self.faults.draw(), due)
                return
            if self.faults.has("duplicate") and self.faults.occasion("duplicate", now):
                self.tell(due)
        self.tell(due)

    def tell(self, due: Due) -> None:
        """Publish something to whoever asked for it."""
        self.venue.observe(due, self.market)
        for hear in self.audience:
            hear(due)
        cache: dict[object, bytes] = {}
        for peer in self.peers.values():
            peer.publish(due, cache)

    def _hold(self, until: float, due: Due) -> None:
        self._held.append((until, len(self._held), due))
        self._held.sort(key=lambda held: held[:2])

    def _released(self, now: float) -> list[Due]:
        ready = [due for until, _, due in self._held if until <= now]
        del self._held[: len(ready)]
        return ready

    # -- connections --------------------------------------------------------------------------------------------

    def dial(
        self, now: float, path: str, headers: Mapping[str, str], address: str = ""
    ) -> HttpAnswer | Unreachable | Caller:
        """Somebody wants to connect: a ``Caller`` is let in (then ``accept``), else it is the refusal.

        Args:
            now: the exchange's time.
            path: of the request.
            headers: of the request, names in lower case.
            address: whose limits it counts against.
        """
        self.connects.append(now)
        if now < self.down_until:
            return self.down_answer
        if self._refusals:
            answer, times = self._refusals.pop(0)
            if times > 1:
                self._refusals.insert(0, (answer, times - 1))
            return answer
        fault = self.faults.occasion("refuse", now, self.venue.paths.get(path))
        if fault is not None:
            return failure(fault, self.venue.refusal(int(fault.number)))
        found = self.venue.handshake(path, headers, address)
        account = f"account {found.key.account}" if isinstance(found, Caller) and found.key else ""
        return self._over_limits(now, headers, address, account) or found

    def accept(self, now: float, link: Link, caller: Caller) -> Peer:
        """A new connection on ``link`` of somebody whom ``dial`` let in."""
        self.count += 1
        peer = self.peers[self.count] = Peer(self, self.count, now, link, caller)
        return peer

    def refuse(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes, times: int) -> None:
        """Answer the next handshakes so."""
        self._refusals.append((HttpAnswer(status, body, headers), times))

    def _over_limits(self, now: float, headers: Mapping[str, str], address: str, account: str) -> HttpAnswer | None:
        over = self._exceeds(now, "connect", account or address, self.venue.connects)  # spec/upbit.md 7.1
        if "origin" in headers and self.venue.origin:
            over = self._exceeds(now, "origin", address, (self.venue.origin,)) or over
        return self._verdict(now, address, over=over)

    def _verdict(self, now: float, address: str, *, over: bool) -> HttpAnswer | None:
        if not self.limits:
            return None
        blocked = self._blocks.blocked(now, address, refused=over)
        if blocked:
            return self.venue.limited(418, blocked)
        return self.venue.limited(429, self._retry_after) if over else None

    def _exceeds(self, now: float, what: str, address: str, windows: tuple[tuple[int, float], ...]) -> bool:
        log = self._windows.setdefault((what, address), Log(windows))
        if len(self._windows) > ADDRESSES:
            del self._windows[next(iter(self._windows))]
        if log.add(now):
            return False
        self.violations.append(Violation(now, what, 0))
        return True

    # -- REST ---------------------------------------------------------------------------------------------------

    def http(self, now: float, call: HttpCall) -> HttpAnswer | Unreachable:
        """Answer one call."""
        self.advance(now)
        if now < self.down_until:
            return self.down_answer
        fault = self.faults.occasion("rest", now)
        if fault is not None:
            return failure(fault)
        name, count, seconds = group = self.venue.group(call)
        over = self._exceeds(now, f"rest {name}", call.address, ((count, seconds),))
        if "origin" in call.headers and self.venue.origin:
            over = self._exceeds(now, "origin", call.address, (self.venue.origin,)) or over
        answer = self._verdict(now, call.address, over=over) or answered(self.venue, call, self.market, self.desk)
        left = self._windows[f"rest {name}", call.address].left(now)
        return HttpAnswer(answer.status, answer.body, answer.headers + self.venue.http_headers(group, left))

    # -- by hand and by fault -----------------------------------------------------------------------------------

    def everyone(self, side: str | None = None) -> list[Peer]:
        """All open connections, or those of one side."""
        return [peer for peer in self.peers.values() if side in (None, peer.side)]

    def maintain(self, now: float, seconds: float, answer: HttpAnswer | Unreachable) -> None:
        """Break every connection and be away for ``seconds``."""
        self.down_until, self.down_answer = now + seconds, answer
        for peer in self.everyone():
            peer.abort()

    def slow(self, seconds: float, until: float = _INF) -> None:
        """From now on everything sent arrives ``seconds`` later."""
        self.delay, self._slow_until = seconds, until


class Peer:
    """The exchange's side of one connection."""

    def __init__(self, exchange: Exchange, number: int, now: float, link: Link, caller: Caller) -> None:
        self.number, self.link, self.side = number, link, caller.side
        self._exchange, self._venue = exchange, exchange.venue
        self.talk = exchange.venue.conversation(exchange.market, caller, exchange.desk)
        self._log = exchange.messages if exchange.venue.messages_per_address else Log(exchange.venue.messages)
        self._heard = now
        self._silent_until = 0.0
        self._outbox: deque[tuple[float, bytes, bool]] = deque()
        self._questions = Questions()
        self._closes: tuple[float, int, str] | None = None
        self._books: list[tuple[float, bytes]] = []
        self.frozen = False

    @property
    def deadline(self) -> float:
        """When ``advance`` wants to be called next."""
        if self.frozen:
            return _INF
        times = [self._heard + self._venue.idle_timeout, self.talk.deadline or _INF, self._questions.deadline]
        if self._outbox:
            times.append(self._outbox[0][0])
        if self._closes:
            times.append(self._closes[0])
        if self._books:
            times.append(self._books[0][0])
        return min(times)

    def receive(self, now: float, payload: bytes, *, is_text: bool) -> None:
        """A message of the client."""
        exchange = self._exchange
        exchange.requests.append(Sent(now, self.number, payload))
        if self.frozen or (self._closes and self._closes[0] <= now):
            return
        self._heard = now
        exchange.advance(now)
        if self._venue.counts(payload) and not self._log.add(now):
            exchange.violations.append(Violation(now, "message", self.number))
            if exchange.limits:
                self._say(now, self.talk.error(self._venue.too_many))
                return
        answer = self.talk.receive(now, payload, is_text=is_text)
        self._say(now, answer)
        if answer.subscribed and (fault := exchange.faults.occasion("close-after-subscribe", now, self.side)):
            after = fault.option("after")
            self.close_later(now + (0.05 if after is None else after), int(fault.number))

    def pinged(self, now: float) -> None:
        """A PING frame of the client; the link answers it."""
        self._heard = max(self._heard, now)

    def ponged(self, now: float, payload: bytes) -> None:
        """A PONG frame of the client."""
        if not self.frozen:
            self._heard = max(self._heard, now)
            self._questions.answer(now, payload)

    def lost(self) -> None:
        """The connection is gone."""
        if self._exchange.peers.pop(self.number, None) is not None:
            self.talk.lost()

    def advance(self, now: float) -> None:
        """What time alone brings."""
        if self.frozen:
            return
        for payload in self.talk.advance(now):
            self.send(now, payload)
        while self._outbox and self._outbox[0][0] <= now:
            self._put(*self._outbox.popleft()[1:])
        while self._books and self._books[0][0] <= now:
            self.send(now, self._books.pop(0)[1])
        if self._closes and self._closes[0] <= now:
            self.close(*self._closes[1:])
        elif now >= self._questions.deadline:
            self._exchange.violations.append(Violation(now, "pong", self.number))
            self.abort()
        elif now >= self._heard + self._venue.idle_timeout:
            self._leave()

    def _leave(self) -> None:
        """It was silent for too long."""
        if self._venue.idle_close is None:
            self.abort(reset=False)  # Upbit: the guide's demo (S0-52) shows "Connection to remote host was lost"
        else:
            self.close(*self._venue.idle_close)

    def publish(self, due: Due, cache: dict[object, bytes]) -> None:
        """The market published something."""
        frames = self.talk.realtime(due, cache)
        now = self._exchange.moment
        if not frames or now < self._silent_until:
            return
        if due.kind in BOOKS:
            frames = self._spoiled(due, frames)
        for frame in frames:
            self.send(now, frame)

    def _spoiled(self, due: Due, frames: list[bytes]) -> list[bytes]:
        """Books as they arrive: lost, twice or with a wrong sum, if there is a fault."""
        faults, now = self._exchange.faults, self._exchange.moment
        happens = (name for name in SPOILING if faults.has(name) and faults.occasion(name, now, self.side, due.symbol))
        name = next(happens, None)
        return SPOILING[name](self.talk, due, frames) if name else frames

    def ping(self, now: float, within: float) -> None:
        """Send a PING frame; without its pong ``within`` so many seconds the connection is cut."""
        if not self.frozen:
            ping = self._questions.ask(now, self.number, within)
            self._exchange.pings.append(ping)
            self.send(now, ping.payload, is_ping=True)

    def send(self, now: float, payload: bytes, *, is_ping: bool = False) -> None:
        """Send one frame, later if the network is slow."""
        if self.frozen:
            return
        self._heard = self._heard if is_ping else now
        if self._exchange.delay or self._outbox:
            if len(self._outbox) >= _OUTBOX:
                self.abort()
                return
            at = max(now + self._exchange.delay, self._outbox[-1][0] if self._outbox else 0)
            self._outbox.append((at, payload, is_ping))
        else:
            self._put(payload, is_ping)

    def silence(self, until: float) -> None:
        """No market data until then; everything else is answered."""
        self._silent_until = until

    def close_later(self, at: float, code: int) -> None:
        """Close with a close frame when its time has come."""
        self._closes = (at, code, "")

    def close(self, code: int, reason: str = "") -> None:
        """Close with a close frame."""
        self.lost()
        self.link.close(code, reason)

    def abort(self, *, reset: bool = True) -> None:
        """Break the connection, with a TCP reset or without; no close frame either way."""
        self.lost()
        self.link.abort(reset=reset)

    def cut(self, payload: bytes) -> None:
        """Send half a frame, then break the connection."""
        self.lost()
        self.link.cut(payload)

    def freeze(self) -> None:
        """Half-open from now on."""
        self.frozen = True
        self.link.freeze()

    def _put(self, payload: bytes, is_ping: bool) -> None:  # noqa: FBT001 - as it stands in the outbox
        if is_ping:
            self.link.ping(payload)
        else:
            self.link.send(payload, is_text=self._venue.is_text)

    def _say(self, now: float, answer: Answer) -> None:
        for payload in answer.payloads:
            self.send(now, payload)
        late = self._exchange.faults.occasion("book-late", now, self.side) if answer.books else None
        self._books += [(now + (late.number if late else 0.0), payload) for payload in answer.books]
        self._books.sort(key=lambda book: book[0])
        self.advance(now)
        if answer.close is not None:
            self._closes = (now + self._exchange.delay, *answer.close)
            self.advance(now)
