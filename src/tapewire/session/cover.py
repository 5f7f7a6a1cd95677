"""Which of several lines carry each stream, and whether the loss of one cost anything: its sisters must prove it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct, structs

from tapewire.model.line import Loss
from tapewire.model.status import Gap, Recovered
from tapewire.model.subscription import Subscription
from tapewire.session.actions import Now, Progress
from tapewire.session.ledger import Answer, Ledger, closed_row


class _Absence(Struct):
    """A line lost a stream: since when, why, and the lines that carry it without a break since."""

    since_ns: int
    cause: str
    guards: set[int]


class _Doubt(Struct):
    """A hole, unless one of the guards brings what was seen beyond it before ``due`` (monotonic seconds)."""

    row: Gap
    first: Progress
    guards: set[int]
    due: float


class Cover:
    """The gap ledger of a group of lines that carry the same streams.

    A stream that no line carries any more has a row, from the last message that any of them brought to the first that
    any brings. Of a stream that others carry nothing is missed, if they truly did: a line may be half dead and not
    know it. So the trade that a line shows first when it is back (its snapshot) must have been brought by one of those
    that stood in for it, or be brought within ``patience``; of what has no id one of them must then be as far as the
    line that is back. Else it is a hole after all.

    Args:
        venue, connection: of the rows.
        full_state_kinds: whose messages are complete states.
        patience: seconds.
        brought: whether a line brought this trade; where it has no id, whether the line is as far as any other.
    """

    def __init__(
        self,
        venue: str,
        connection: str,
        full_state_kinds: frozenset[str],
        patience: float,
        brought: Callable[[int, Subscription, Progress], bool],
    ) -> None:
        self._venue, self._connection, self._full_state_kinds = venue, connection, full_state_kinds
        self._patience, self._brought = patience, brought
        self._ledger = Ledger(venue, connection, full_state_kinds)
        self._carriers: dict[Subscription, set[int]] = {}
        self._away: dict[Subscription, dict[int, _Absence]] = {}
        self._bare: set[Subscription] = set()
        self._doubts: list[_Doubt] = []

    @property
    def open(self) -> tuple[Gap, ...]:
        """The rows whose streams have had no data since."""
        return self._ledger.open

    def carriers(self, stream: Subscription) -> frozenset[int]:
        """The lines on which the stream is confirmed."""
        return frozenset(self._carriers.get(stream, ()))

    def confirmed(self, line: int, streams: Iterable[Subscription]) -> None:
        """These streams are live on a line, whether or not data came."""
        for stream in streams:
            self._carriers.setdefault(stream, set()).add(line)

    def left(self, line: int) -> None:
        """The line ended because it was asked to: nobody misses what it carried."""
        for carriers in self._carriers.values():
            carriers.discard(line)

    def lost(
        self, now: Now, line: int, loss: Loss, positions: Mapping[Subscription, Progress]
    ) -> tuple[list[Gap], list[Subscription]]:
        """A line is gone.

        Args:
            now: the present.
            line: which it was.
            loss: why.
            positions: what was delivered last of each stream whose realtime messages somebody wants.

        Returns:
            the holes that nobody can disprove any more, and the streams that no line carries now.
        """
        told = self._without(now, line)
        bare = []
        for stream, carriers in self._carriers.items():
            if line not in carriers:
                continue
            carriers.discard(line)
            if stream in positions and carriers:
                self._away.setdefault(stream, {})[line] = _Absence(now.ns, loss.cause, set(carriers))
            elif stream in positions:
                bare.append(stream)
        self._ledger.lost(now, loss.cause, bare, positions)
        self._bare.update(bare)
        return told, bare

    def resume(self, now: Now, stream: Subscription, from_ns: int, last: Progress, cause: str) -> None:
        """Another process saw the stream last, at ``from_ns``: whichever line brings it first ends the row."""
        self._ledger.resume(now, stream, from_ns, last, cause)
        self._bare.add(stream)

    def polled(self, now: Now, stream: Subscription, cause: str, answer: Answer) -> list[Gap]:
        """See ``Ledger.polled``."""
        self._bare.add(stream)
        return self._ledger.polled(now, stream, cause, answer)

    def concerns(self, line: int, stream: Subscription) -> bool:
        """Whether ``data`` must be told of this message: the first on a line, or of a stream with a row."""
        absent = line in self._away.get(stream, ())
        return absent or stream in self._bare or line not in self._carriers.get(stream, ())

    def data(
        self, now: Now, line: int, stream: Subscription, first: Progress, last: Progress, *, known: bool
    ) -> list[Gap | Recovered]:
        """A message came that concerns; to be told before it is delivered.

        Args:
            now: the present.
            line: on which it came.
            stream: whose it is.
            first: its position.
            last: of what was delivered last.
            known: it was delivered already.
        """
        away = self._away.get(stream, {})
        absence = away.pop(line, None)
        if stream in self._bare:
            self._bare.discard(stream)
            for other in away.values():
                other.guards = {line}
        elif absence is not None and absence.guards and not known:
            row = Gap(
                venue=self._venue, connection=self._connection, at_ns=now.ns, subscription=stream,
                cause=absence.cause, state="open", from_ns=absence.since_ns,
                last_id=last.last_id, last_timestamp=last.last_timestamp,
            )  # fmt: skip
            self._doubt(now, closed_row(row, now, first, self._full_state_kinds), first, absence.guards)
        self._carriers.setdefault(stream, set()).add(line)
        return self._ledger.data(now, stream, first)

    def suspect(self, now: Now, row: Gap) -> None:
        """A snapshot on a line that carries the stream shows a trade that nobody brought: it may be on its way."""
        first = Progress(0, row.first_id, row.first_timestamp)
        self._doubt(now, row, first, set(self._carriers.get(row.subscription, ())))

    def look(self, now: Now) -> list[Gap]:
        """The holes that were not disproved in time."""
        due = [doubt for doubt in self._doubts if doubt.due <= now.t]
        self._doubts = [doubt for doubt in self._doubts if doubt.due > now.t]
        return [structs.replace(doubt.row, at_ns=now.ns) for doubt in due if not self._disproved(doubt)]

    def drop(self, now: Now, streams: Iterable[Subscription]) -> list[Gap | Recovered]:
        """Nobody wants these any more: their rows are handed out as they are, open."""
        gone = dict.fromkeys(streams)
        self._bare.difference_update(gone)
        self._doubts = [doubt for doubt in self._doubts if doubt.row.subscription not in gone]
        for stream in gone:
            self._carriers.pop(stream, None)
            self._away.pop(stream, None)
        return self._ledger.drop(now, gone)

    def _doubt(self, now: Now, row: Gap, first: Progress, guards: set[int]) -> None:
        doubt = _Doubt(row, first, guards, now.t + self._patience)
        if first.last_id is None or not self._disproved(doubt):
            self._doubts.append(doubt)

    def _disproved(self, doubt: _Doubt) -> bool:
        return any(self._brought(guard, doubt.row.subscription, doubt.first) for guard in doubt.guards)

    def _without(self, now: Now, line: int) -> list[Gap]:
        """Nobody waits for a lost line's word any more."""
        for away in self._away.values():
            for absence in away.values():
                absence.guards.discard(line)
        told: list[_Doubt] = []
        kept: list[_Doubt] = []
        for doubt in self._doubts:
            if self._disproved(doubt):
                continue
            doubt.guards.discard(line)
            (kept if doubt.guards else told).append(doubt)
        self._doubts = kept
        return [structs.replace(doubt.row, at_ns=now.ns) for doubt in told]
