"""What was asked of a venue that answers each request, and what of it is acknowledged: differences, not whole sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal

from msgspec import Struct

from tapewire.model.subscription import Subscription, Wish
from tapewire.venues.contract import Changes, Operation

#: Seconds until a name is asked again after it was not answered, or put off; doubled each time up to the second.
AGAIN_FIRST, AGAIN_MOST = 1.0, 60.0
#: Requests in a row without any answer after which the line counts as deaf.
DEAF = 3

State = Literal["asked", "live", "leaving"]


class Request(Struct):
    """One request under way: ``names`` without an answer so far, ``until`` when it is waited (monotonic seconds)."""

    operation: Operation
    names: list[str]
    until: float
    heard: bool = False


class Changing:
    """What was asked on this line, by the wire's names; a lost line empties it.

    A request that is refused without a word whose fault it was is asked again in halves, until the bad one stands
    alone; how many may stand beside a name outlives the line.

    Args:
        changes: how the venue is asked.
        ticket: gives a new unique text at each call.
        patience: seconds to wait for an acknowledgement.

    Attributes:
        live: streams that are acknowledged, or brought data.
        pending: streams asked and not live yet.
        unheard: requests in a row that nothing was answered to.
    """

    def __init__(self, changes: Changes, ticket: Callable[[], str], patience: float) -> None:
        self._changes, self._ticket, self._patience = changes, ticket, patience
        self._wanted: dict[str, set[Subscription]] = {}
        self._line: dict[str, State] = {}
        self._requests: dict[str, Request] = {}
        self._later: dict[str, float] = {}
        self._tries: dict[str, int] = {}
        self._beside: dict[str, int] = {}
        self._again: set[str] = set()
        self._anew: set[str] = set()
        self._fresh: list[Subscription] = []
        self._settled = False
        self.live: set[Subscription] = set()
        self.unheard = 0

    @property
    def ready(self) -> bool:
        """A request is due."""
        if not self._settled:
            self._settled = next(self._to_leave(), next(self._to_join(), None)) is None
        return not self._settled

    due = ready

    @property
    def pending(self) -> set[Subscription]:
        """Streams that were asked and are not live yet."""
        return {stream for name, state in self._line.items() if state == "asked" for stream in self._streams(name)}

    @property
    def quiet_until(self) -> float | None:
        """When something is to be looked at: an answer is overdue, a name may be asked again."""
        times = [request.until for request in self._requests.values() if request.names]
        return min([*times, *self._later.values()], default=None)

    # what is wanted

    def compare(self, standing: Mapping[Subscription, Wish]) -> None:
        """The complete set that is wanted."""
        wanted: dict[str, set[Subscription]] = {}
        for stream in standing:
            wanted.setdefault(self._changes.name(stream), set()).add(stream)
        self._wanted, self._settled = wanted, False
        for name, state in self._line.items():
            if state == "live":
                self._confirm(name)
        for table in (self._later, self._tries, self._beside):
            for name in [name for name in table if name not in wanted]:
                del table[name]

    def forget(self, streams: Iterable[Subscription]) -> None:
        """Nobody wants these any more."""
        self.live.difference_update(streams)

    def served(self, stream: Subscription) -> None:
        """Its first message was all that was wanted of it."""
        self.live.discard(stream)
        name = self._changes.name(stream)
        rest = self._streams(name) - {stream}
        if rest:
            self._wanted[name] = rest
        else:
            self._wanted.pop(name, None)
        self._settled = False

    def again(self, streams: Iterable[Subscription]) -> None:
        """Ask these once more, although they are live: their present state is sent with the acknowledgement."""
        self._again.update(self._changes.name(stream) for stream in streams)
        self._settled = False

    def anew(self, streams: Iterable[Subscription]) -> None:
        """Leave these and join them again: what came so far cannot be trusted."""
        for name in map(self._changes.name, streams):
            if self._line.get(name) in ("asked", "live"):
                self._anew.add(name)
                self.live -= self._streams(name)
                self._settled = False

    # the line

    def lost(self) -> None:
        """The line is gone, and with it all that was asked on it."""
        for table in (self._line, self._requests, self._later, self._tries, self._again, self._anew, self._fresh):
            table.clear()
        self.live.clear()
        self.unheard, self._settled = 0, False

    def payload(self, t: float) -> bytes:
        """The next request; there is one (``ready``)."""
        leaving = list(self._to_leave())[: self._changes.most]
        names = leaving or self._group()
        operation: Operation = "unsubscribe" if leaving else "subscribe"
        ticket = self._ticket()
        for name in names:
            self._line[name] = "leaving" if leaving else "live" if name in self._again else "asked"
        self._again.difference_update(names)
        self._anew.difference_update(names)
        self._requests[self._changes.request_id(ticket)] = Request(operation, names, t + self._patience)
        return self._changes.encode(operation, names, ticket)

    def acknowledged(self, operation: Operation, name: str) -> None:
        """The exchange did what was asked about a name."""
        self._answered(operation, name)
        if operation == "unsubscribe" and self._line.get(name) == "leaving":
            del self._line[name]
            self._settled = False
        elif operation == "subscribe" and self._line.get(name) == "asked":
            self._confirm(name)

    def data(self, stream: Subscription) -> None:
        """A message of this stream came: as good as an acknowledgement."""
        name = self._changes.name(stream)
        if self._line.get(name) == "asked" or (self._line.get(name) == "live" and stream not in self.live):
            self._answered("subscribe", name)
            self._confirm(name)

    def request_of(self, ticket: str) -> Request | None:
        """The request that an answer is about; without a word of it: the only one there is."""
        if ticket:
            return self._requests.get(ticket)
        return next(iter(self._requests.values())) if len(self._requests) == 1 else None

    @property
    def names(self) -> list[str]:
        """All that is on this line."""
        return list(self._line)

    def refuse(self, name: str) -> set[Subscription]:
        """The exchange will not have it: it is not asked again. The streams of it."""
        self.unheard = 0
        for request in self._requests.values():
            if name in request.names:
                request.names.remove(name)
        self._requests = {ticket: request for ticket, request in self._requests.items() if request.names}
        streams = self._streams(name)
        for table in (self._line, self._later, self._tries, self._beside, self._wanted):
            table.pop(name, None)
        self.live -= streams
        return streams

    def hasten(self, request: Request, until: float) -> None:
        """The rest of a request that failed in part is waited for no longer than ``until``."""
        request.heard, request.until = True, min(request.until, until)

    def halve(self, request: Request) -> None:
        """The request failed, and one of its names is at fault: each is asked again among half as many."""
        self.unheard = 0
        for name in request.names:
            self._beside[name] = max(1, len(request.names) // 2)
            self._line.pop(name, None)
        self._settled = False
        self._drop(request)

    def put_off(self, request: Request, t: float) -> None:
        """The request was refused for a while: each of its names is asked again, later each time."""
        self.unheard = 0
        for name in request.names:
            self._try_later(name, t)
        self._drop(request)

    def quiet(self, t: float) -> list[str]:
        """Give up waiting for what is overdue. The names that nothing was said about."""
        for name in [name for name, due in self._later.items() if due <= t]:
            del self._later[name]
            self._settled = False
        late = [request for request in self._requests.values() if request.until <= t]
        for request in late:
            self.unheard += not request.heard
            for name in request.names:
                if request.operation == "subscribe":
                    self._try_later(name, t)
                else:
                    self._line.pop(name, None)
                    self._settled = False
            self._drop(request)
        return [name for request in late if request.operation == "subscribe" for name in request.names]

    def take_fresh(self) -> tuple[Subscription, ...]:
        """The streams that became live since the last call."""
        fresh = tuple(self._fresh)
        self._fresh.clear()
        return fresh

    # inside

    def _streams(self, name: str) -> set[Subscription]:
        return self._wanted.get(name, set())

    def _to_leave(self) -> Iterator[str]:
        for name, state in self._line.items():
            if state != "leaving" and (name not in self._wanted or name in self._anew):
                yield name

    def _to_join(self) -> Iterator[str]:
        for name in self._wanted:
            state = self._line.get(name)
            if name not in self._later and (state is None or (state == "live" and name in self._again)):
                yield name

    def _group(self) -> list[str]:
        """Those that may stand in one request beside the first that is due."""
        group: list[str] = []
        most = self._changes.most
        for name in self._to_join():
            mine = self._beside.get(name, self._changes.most)
            if len(group) < min(most, mine):
                group.append(name)
                most = min(most, mine)
        return group

    def _answered(self, operation: Operation, name: str) -> None:
        self.unheard = 0
        for request in self._requests.values():
            if request.operation == operation and name in request.names:
                request.names.remove(name)
                request.heard = True
                break
        self._requests = {ticket: request for ticket, request in self._requests.items() if request.names}

    def _confirm(self, name: str) -> None:
        self._line[name] = "live"
        self._tries.pop(name, None)
        self._beside.pop(name, None)
        new = sorted(self._streams(name) - self.live, key=str)
        self.live.update(new)
        self._fresh += new

    def _try_later(self, name: str, t: float) -> None:
        tries = self._tries[name] = self._tries.get(name, 0) + 1
        self._later[name] = t + min(AGAIN_MOST, AGAIN_FIRST * 2.0 ** (tries - 1))
        self.live -= self._streams(name)
        self._line.pop(name, None)

    def _drop(self, done: Request) -> None:
        self._requests = {ticket: request for ticket, request in self._requests.items() if request is not done}
