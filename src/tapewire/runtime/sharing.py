"""A member of a group that shares a broker's messages: each is called done when whoever was given it has come back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from tapewire.hub.mailbox import Mailbox
from tapewire.model.subscription import Subscription
from tapewire.runtime.sourced import Sourced
from tapewire.sinks.brokers.source import Received, SharedSource

#: Seconds between two looks whether what waits in mailboxes has been worked on.
_LOOK = 0.1


class _Undone(NamedTuple):
    """A message, and the mailboxes that have to be emptied up to there."""

    message: Received
    due: tuple[tuple[Mailbox, int], ...]


class Sharing(Sourced):
    """As ``Sourced``, of which each message goes to one member of the group.

    A message is done when plain callbacks have returned, and when whoever reads a mailbox (an iterator, an async
    callback, a sink) has come for the next. One that raised is done, too: it would raise for every member.

    Args:
        source: that can be shared.
        group: its name.
        mailboxes: those in which events may wait.
        given: as ``Sourced``.
    """

    def __init__(
        self, *given: Any, source: SharedSource, group: str, mailboxes: Callable[[], Iterable[Mailbox]]
    ) -> None:
        origin, *others = given
        super().__init__(origin, source, *others)
        self._shared, self._group, self._mailboxes = source, group, mailboxes
        self._undone: dict[tuple[str, str], _Undone] = {}
        self._unwanted: list[Received] = []

    async def _follow(self, new: Iterable[str]) -> frozenset[str]:
        return await self._shared.share(dict.fromkeys(new, self._heard.first), self._group)

    async def _look(self, joined: Mapping[str, Subscription], new: Mapping[str, Subscription]) -> None:
        """No snapshots: what is stored is somebody's work already."""

    async def _adjust(self) -> None:
        changed = self._changed.is_set()
        await super()._adjust()
        if self._unwanted:  # also what came after the change that left its subject: no other change may ever come
            unwanted, still = self._unwanted, set() if changed else self._followed.keys()
            self._unwanted = [message for message in unwanted if message.subject in still]
            self._shared.release([message for message in unwanted if message.subject not in still])

    async def _connect(self) -> None:
        self._undone.clear()  # it comes again
        self._unwanted.clear()
        await super()._connect()

    def _take(self, message: Received) -> None:
        key = message.subject, message.position
        if key in self._undone:  # it came again while it is worked on
            return
        if not self._is_wanted(message.subject):  # it was on its way when its last listener left
            self._unwanted.append(message)  # until its subject is left: Kafka confirms what is given back before
            return
        before = {box: box.put_count for box in self._mailboxes()}
        self._read(message)
        if message.subject not in self._heard.told():
            after = [(box, box.put_count) for box in self._mailboxes()]
            due = tuple(one for one in after if one[1] != before.get(one[0], 0))
            self._undone[key] = _Undone(message, due)

    def _is_wanted(self, subject: str) -> bool:
        streams = self.router.streams
        if self._followed.get(subject) in streams or subject in self._heard.told():
            return True
        return any(self._heard.name(one) == subject for one in streams)  # of another depth

    async def _worked_on(self) -> None:
        """Tell the broker what is done, and what nobody will do."""
        done, gone = [], []
        for one in self._undone.values():
            if all(box.is_settled(put) for box, put in one.due):
                done.append(one.message)
            elif any(box.abandoned for box, _ in one.due):
                gone.append(one.message)
        for message in (*done, *gone):
            del self._undone[message.subject, message.position]
        self._shared.release(gone)
        if done:
            await self._shared.done(done)

    def _patience(self) -> float | None:
        return _LOOK if self._undone else None
