"""The gap ledger: every interruption of a stream is a row, from the last message before to the first after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct, structs

from tapewire.model.status import Gap, GapState, Recovered
from tapewire.model.subscription import Subscription
from tapewire.session.actions import Now, Progress


class _Outage(Struct):
    """One loss: when it was, whose rows it opened, which of them are still open."""

    t: float
    closed: list[Subscription]
    open: set[Subscription]


class Answer(Struct, frozen=True, kw_only=True):
    """What REST told of a stream that has no line.

    Attributes:
        before, last: the last message that was delivered before, and now.
        count: messages delivered between.
        complete: there were no others; reached_ms: else all since then (Unix ms, UTC; None: not even that is known).
    """

    before: Progress
    last: Progress
    count: int
    complete: bool = True
    reached_ms: int | None = None


class Ledger:
    """The open rows of one connection; a row that is closed is handed out and forgotten."""

    def __init__(self, venue: str, connection: str, full_state_kinds: frozenset[str]) -> None:
        self._venue, self._connection, self._full_state_kinds = venue, connection, full_state_kinds
        self._open: dict[Subscription, Gap] = {}
        self._outages: dict[Subscription, _Outage] = {}
        self._restart: _Outage | None = None
        self._polled: set[Subscription] = set()

    @property
    def open(self) -> tuple[Gap, ...]:
        """The rows whose streams have had no data since."""
        return tuple(self._open.values())

    def lost(
        self, now: Now, cause: str, streams: Iterable[Subscription], progress: Mapping[Subscription, Progress]
    ) -> None:
        """Open a row for each of these streams (``Gap.cause``); one that is open already keeps its start."""
        outage = _Outage(now.t, [], set())
        for stream in streams:
            if stream in self._open:
                continue
            last = progress.get(stream, Progress())
            self._open[stream] = self._begun(now, stream, cause, last)
            self._outages[stream] = outage
            outage.open.add(stream)

    def resume(self, now: Now, stream: Subscription, from_ns: int, last: Progress, cause: str) -> None:
        """Open the row of a stream that another process saw last, at ``from_ns``, or whose past is wanted since."""
        self._open[stream] = Gap(
            venue=self._venue, connection=self._connection, at_ns=now.ns, subscription=stream,
            cause=cause, state="open", from_ns=from_ns, last_id=last.last_id, last_timestamp=last.last_timestamp,
        )  # fmt: skip
        t = now.t - (now.ns - from_ns) / 1e9
        if self._restart is None or not self._restart.open:
            self._restart = _Outage(t, [], set())
        self._restart.t = min(self._restart.t, t)
        self._restart.open.add(stream)
        self._outages[stream] = self._restart

    def data(self, now: Now, stream: Subscription, first: Progress) -> list[Gap | Recovered]:
        """Close the stream's row, if it has one. Returns the row, and the recovery if it was the loss's last."""
        row = self._open.pop(stream, None)
        self._polled.discard(stream)
        if row is None:
            return []
        closed = closed_row(row, now, first, self._full_state_kinds)
        outage = self._outages.pop(stream)
        outage.closed.append(stream)
        return [closed, *self._recovered(now, outage, stream)]

    def polled(self, now: Now, stream: Subscription, cause: str, answer: Answer) -> list[Gap]:
        """REST told what came since ``answer.before``: from now on the stream's hole begins at ``answer.last``.

        The row of what was interrupted is handed out when it is first filled so, and any that could not be filled.
        """
        row, first = self._open.get(stream), stream not in self._polled
        if row is None:
            row = self._begun(now, stream, cause, answer.before)
            since_ns = (answer.before.last_timestamp or now.ns) * 1_000_000
            row = structs.replace(row, from_ns=min(now.ns, since_ns))
            self._outages[stream] = _Outage(now.t, [], {stream})
            first = first and answer.before.last_timestamp is not None and answer.count > 0
        self._polled.add(stream)
        self._open[stream] = self._begun(now, stream, row.cause, answer.last)
        if answer.complete and not first:
            return []
        end = (
            answer.last if answer.complete or answer.reached_ms is None else Progress(last_timestamp=answer.reached_ms)
        )
        return [
            structs.replace(
                row, at_ns=now.ns, to_ns=now.ns, state="filled" if answer.complete else "unfilled",
                first_id=end.last_id, first_timestamp=end.last_timestamp, recovered=answer.count, polled=True,
            )
        ]  # fmt: skip

    def drop(self, now: Now, streams: Iterable[Subscription]) -> list[Gap | Recovered]:
        """Nobody wants these any more: their rows are handed out as they are, open."""
        told: list[Gap | Recovered] = []
        for stream in streams:
            row = self._open.pop(stream, None)
            self._polled.discard(stream)
            if row is not None:
                told.append(structs.replace(row, at_ns=now.ns))
                told += self._recovered(now, self._outages.pop(stream), stream)
        return told

    def _begun(self, now: Now, stream: Subscription, cause: str, last: Progress) -> Gap:
        return Gap(
            venue=self._venue, connection=self._connection, at_ns=now.ns, subscription=stream, cause=cause,
            state="open", from_ns=now.ns, last_id=last.last_id, last_timestamp=last.last_timestamp,
        )  # fmt: skip

    def _recovered(self, now: Now, outage: _Outage, stream: Subscription) -> list[Recovered]:
        outage.open.discard(stream)
        if outage.open or not outage.closed:
            return []
        return [
            Recovered(
                venue=self._venue, connection=self._connection, at_ns=now.ns,
                subscriptions=tuple(outage.closed), seconds=now.t - outage.t,
            )
        ]  # fmt: skip


def closed_row(row: Gap, now: Now, first: Progress, full_state_kinds: frozenset[str]) -> Gap:
    """The row as it stands when the stream has data again."""
    return structs.replace(
        row, at_ns=now.ns, to_ns=now.ns, state=_state(row, first, full_state_kinds),
        first_id=first.last_id, first_timestamp=first.last_timestamp,
    )  # fmt: skip


def _state(row: Gap, first: Progress, full_state_kinds: frozenset[str]) -> GapState:
    if row.subscription.kind in full_state_kinds:
        return "full_state"
    same = row.last_id is not None and row.last_id == first.last_id
    return "nothing_missed" if same else "unfilled"
