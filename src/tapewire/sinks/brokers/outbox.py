"""What waits for a broker and what is on its way to it: order by subject, packs, bounded memory (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from math import inf

from tapewire.sinks.brokers.letters import Message, fit, pack
from tapewire.sinks.brokers.runs import OVERHEAD, Letter, Part, letters_of, weight_of

#: Messages of a group at least, if there are as many, however many groups may be on their way.
_GROUP_LEAST = 16
#: Lanes that are kept though they are empty: names come again.
_LANES_KEPT = 4_096


class _Lane:
    """One subject: what is to be sent again as it was (the next one last), then what was never sent.

    ``count``: letters that were never sent; ``away``: messages on their way.
    """

    __slots__ = ("again", "away", "count", "parts")

    def __init__(self) -> None:
        self.again: list[Message] = []
        self.parts: deque[Part] = deque()
        self.count = self.away = 0


class Outbox:
    """Letters in lanes by subject. A subject's letters leave in their order, and are sent again in their order.

    Args:
        batch: letters of one message at most; 1: each is a message of its own.
        batch_bytes: payload of one message at most, unless one letter is more.
        window: messages on their way at most.
        in_order: the broker stores a subject's messages in their order, and none behind one that it did not store, so
            that several of one subject can be on their way if they are full; else one of each subject is, and what
            comes meanwhile is packed into its next.
        groups: that may be on their way at once; none has more than its share of the subjects, or, ``in_order``, of
            the window.
    """

    def __init__(self, *, batch: int, batch_bytes: int, window: int, in_order: bool, groups: int = 1) -> None:
        self._batch, self._batch_bytes, self._window, self._in_order = batch, batch_bytes, window, in_order
        self._groups = groups
        self._full: float = batch if in_order else inf
        """Letters of a subject that leave though others are on their way."""
        self._lanes: dict[str, _Lane] = {}
        self._ready: dict[str, _Lane] = {}
        self._on_the_way: dict[int, Message] = {}
        self._taken = 0
        self._held = False
        self.letters = self.size = 0

    @property
    def on_the_way(self) -> int:
        """Messages that were taken and of which nothing was heard."""
        return len(self._on_the_way)

    @property
    def held(self) -> bool:
        """Nothing leaves until all that is on its way was answered: some is to be sent again, and goes first."""
        return self._held and bool(self._on_the_way)

    def put(self, parts: Iterable[Part]) -> None:
        """Letters and runs to be sent; they wait until ``take``. A run has no more letters than ``batch``.

        ``letters`` and ``size`` count all that are not confirmed.
        """
        lanes, full, total, size = self._lanes, self._full, 0, 0
        for part in parts:
            lane = lanes.get(part.subject) or self._lane(part.subject)
            lane.parts.append(part)
            count = 1 if part.__class__ is Letter else part.count
            lane.count += count
            if not lane.away or lane.count >= full:
                self._ready[part.subject] = lane
            total += count
            size += len(part.payload)
        self.letters += total
        self.size += size + total * OVERHEAD

    def take(self) -> list[Message]:
        """The next group, oldest subjects first; of a subject of which a message is on its way nothing, or what fills
        one.

        What becomes of each must be told: ``confirmed``, ``again`` or ``apart``.
        """
        if self.held:
            return []
        self._held = False
        group: list[Message] = []
        ready, most = self._ready, self._share()
        while ready and len(group) < most:
            for name in tuple(islice(ready, most - len(group))):
                lane = ready.pop(name)
                group.append(self._next(lane))
                lane.away += 1
                if lane.count >= self._full:
                    ready[name] = lane
        self._on_the_way.update((id(message), message) for message in group)
        return group

    def confirmed(self, message: Message) -> None:
        """The broker has it, or never will: it is gone from here."""
        del self._on_the_way[id(message)]
        self.letters -= message.count
        self.size -= message.weight
        self._free(message.subject)

    def again(self, messages: Sequence[Message]) -> None:
        """They are to be sent again, as they were, in their order and before all else of their subjects."""
        for message in reversed(messages):
            del self._on_the_way[id(message)]
            self._put_back(message)
        for message in messages:
            self._free(message.subject)

    def apart(self, message: Message) -> None:
        """Its letters are to be sent again, each by itself."""
        del self._on_the_way[id(message)]
        batch, (turn, _) = self._batch > 1, message.turn
        self.size -= message.weight
        for place, letter in reversed(tuple(enumerate(message.letters))):
            one = pack([letter], batch=batch)
            one.turn = turn, place
            self.size += one.weight
            self._put_back(one)
        self._free(message.subject)

    def drain(self) -> list[Letter]:
        """Take back all that waits, each subject's in its order; what is on its way stays so."""
        found: list[Part] = []
        for lane in self._lanes.values():
            for message in reversed(lane.again):
                found += message.parts
            found += lane.parts
            lane.again, lane.parts, lane.count = [], deque(), 0
        self._lanes, self._ready = {name: lane for name, lane in self._lanes.items() if lane.away}, {}
        self.size -= sum(map(weight_of, found))
        letters = letters_of(found)
        self.letters -= len(letters)
        return letters

    def recall(self) -> None:
        """All that is on its way is to be sent again: nobody will tell what became of it."""
        self.again(tuple(self._on_the_way.values()))

    def _share(self) -> int:
        """Messages that the next group may have."""
        away = len(self._on_the_way)
        whole = self._window if self._in_order else away + len(self._ready)
        fair = -(-whole // self._groups)
        return min(self._window - away, max(_GROUP_LEAST, fair))

    def _put_back(self, message: Message) -> None:
        """Behind what was taken before it: of several that are on their way another may be answered first."""
        again = self._lanes[message.subject].again
        position = len(again)
        while position and again[position - 1].turn < message.turn:
            position -= 1
        again.insert(position, message)
        self._held = self._in_order

    def _lane(self, name: str) -> _Lane:
        lane = self._lanes[name] = _Lane()
        return lane

    def _free(self, name: str) -> None:
        """One of it is not on its way any more."""
        lane = self._lanes[name]
        lane.away -= 1
        if lane.away:
            return
        if lane.again or lane.parts:
            self._ready[name] = lane
        elif len(self._lanes) > _LANES_KEPT:
            del self._lanes[name]

    def _next(self, lane: _Lane) -> Message:
        if lane.again:
            return lane.again.pop()
        first = lane.parts.popleft()
        batch = self._batch > 1
        message = pack(self._with_followers(first, lane.parts) if batch else (first,), batch=batch)
        self._taken += 1
        message.turn = self._taken, 0
        lane.count -= message.count
        return message

    def _with_followers(self, first: Part, waiting: deque[Part]) -> list[Part]:
        """As many as one message can hold; the first in any case."""
        found, count, room = [first], self._batch - first.count, self._batch_bytes - len(first.payload)
        while waiting and count > 0:
            part = waiting[0]
            count -= part.count
            room -= len(part.payload)
            if count < 0 or room < 0 or not fit(first, part):
                break
            found.append(waiting.popleft())
        return found
