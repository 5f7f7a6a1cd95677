"""What waits for a broker and what is on its way to it: order by subject, packs, bounded memory (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from tapewire.sinks.brokers.letters import OVERHEAD, Letter, Message, fit, pack


class _Lane:
    """One subject: what is to be sent again as it was, then what was never sent."""

    __slots__ = ("again", "letters")

    def __init__(self) -> None:
        self.again: deque[Message] = deque()
        self.letters: deque[Letter] = deque()

    def __bool__(self) -> bool:
        return bool(self.again or self.letters)


class Outbox:
    """Letters in lanes by subject. A subject's letters leave in their order, and are sent again in their order.

    Args:
        batch: letters of one message at most; 1: each is a message of its own.
        batch_bytes: payload of one message at most, unless one letter is more.
        window: messages on their way at most.
        in_order: the broker takes a group of messages whole or not at all, so that several of one subject can be on
            their way; else one of each subject is, and what comes meanwhile is packed into its next.
    """

    def __init__(self, *, batch: int, batch_bytes: int, window: int, in_order: bool) -> None:
        self._batch, self._batch_bytes, self._window, self._in_order = batch, batch_bytes, window, in_order
        self._lanes: dict[str, _Lane] = {}
        self._on_the_way: dict[int, Message] = {}
        self.letters = self.size = 0

    @property
    def on_the_way(self) -> int:
        """Messages that were taken and of which nothing was heard."""
        return len(self._on_the_way)

    def put(self, letters: Iterable[Letter]) -> None:
        """Letters to be sent; they wait until ``take``. ``letters`` and ``size`` count all that are not confirmed."""
        lanes, count, size = self._lanes, 0, 0
        for letter in letters:
            lane = lanes.get(letter.subject) or self._lane(letter.subject)
            lane.letters.append(letter)
            count += 1
            size += len(letter.payload)
        self.letters += count
        self.size += size + count * OVERHEAD

    def take(self) -> list[Message]:
        """The next group, oldest subjects first; nothing while the last one is on its way.

        What becomes of each must be told: ``confirmed``, ``again`` or ``apart``.
        """
        group: list[Message] = []
        if self._on_the_way:
            return group
        while self._lanes and len(group) < self._window:
            for name in tuple(self._lanes)[: self._window - len(group)]:
                lane = self._lanes.pop(name)
                group.append(self._next(lane))
                if lane:
                    self._lanes[name] = lane
            if not self._in_order:
                break
        self._on_the_way = {id(message): message for message in group}
        return group

    def confirmed(self, message: Message) -> None:
        """The broker has it, or never will: it is gone from here."""
        del self._on_the_way[id(message)]
        self.letters -= len(message.letters)
        self.size -= message.weight

    def again(self, messages: Sequence[Message]) -> None:
        """They are to be sent again, as they were, before all else of their subjects."""
        for message in reversed(messages):
            del self._on_the_way[id(message)]
            self._lane(message.subject).again.appendleft(message)

    def apart(self, message: Message) -> None:
        """Its letters are to be sent again, each by itself."""
        del self._on_the_way[id(message)]
        batch = self._batch > 1
        self._lane(message.subject).again.extendleft(pack([one], batch=batch) for one in reversed(message.letters))

    def drain(self) -> list[Letter]:
        """Take back all that waits, each subject's in its order; what is on its way stays so."""
        found: list[Letter] = []
        for lane in self._lanes.values():
            for message in lane.again:
                found += message.letters
            found += lane.letters
        self._lanes = {}
        self.letters -= len(found)
        self.size -= sum(len(letter.payload) + OVERHEAD for letter in found)
        return found

    def recall(self) -> None:
        """All that is on its way is to be sent again: nobody will tell what became of it."""
        self.again(tuple(self._on_the_way.values()))

    def _lane(self, name: str) -> _Lane:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane()
        return lane

    def _next(self, lane: _Lane) -> Message:
        if lane.again:
            return lane.again.popleft()
        waiting, most = lane.letters, self._batch
        first = waiting.popleft()
        letters, size = [first], len(first.payload)
        while waiting and len(letters) < most:
            one = waiting[0]
            size += len(one.payload)
            if size > self._batch_bytes or not fit(first, one):
                break
            letters.append(waiting.popleft())
        return pack(letters, batch=most > 1)
