"""Which REST call comes next while streams have no line: each in its turn, several in one call (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from math import ceil, inf
from typing import Generic, NamedTuple, TypeVar

from tapewire.venues.contract import Window

#: Share of a group's limit that polling may use: the rest is for what the user's own program asks.
SHARE = 0.5
#: Seconds between two answers of one stream at least.
EVERY = 1.0
#: Seconds after a failed call until the next try, doubled each time up to the second figure.
RETRY_FIRST, RETRY_MOST = 1.0, 60.0
#: Seconds until the next try of what was refused for itself.
REFUSED = 300.0


Key = TypeVar("Key", bound=Hashable)


class Manner(NamedTuple):
    """How a stream is asked: ``group`` of calls that share a limit; those ``alike`` in one call, at most ``most``."""

    group: str
    alike: Hashable
    most: int = 1
    every: float = EVERY


class Room(NamedTuple):
    """What a group's limit allows now: its windows with what is left of each; when one more may go."""

    windows: Sequence[tuple[Window, int]]
    open_at: float


class _Item:
    """One stream: when its turn comes, when it had it last, its wait after a failure, whether it shares calls."""

    __slots__ = ("alone", "asked", "due", "manner", "wait")

    def __init__(self, manner: Manner, due: float) -> None:
        self.manner, self.due = manner, due
        self.asked = -inf
        self.wait = RETRY_FIRST
        self.alone = False

    @property
    def order(self) -> tuple[float, float]:
        """Whose turn is first: the longest overdue, and of those the longest not asked."""
        return self.due, self.asked


class Plan(Generic[Key]):
    """Every stream has its turn once in an interval; whose turn is longest overdue goes first.

    A group's calls stand ``spacing`` apart, so that no window of it holds more of them than the share of what others
    leave. Within ``interval`` of becoming due each stream is asked, as long as calls are answered.

    Args:
        room: a group → what its limit allows at this moment.
    """

    def __init__(self, room: Callable[[str, float], Room]) -> None:
        self._room = room
        self._items: dict[Key, _Item] = {}
        self._calls: dict[str, deque[float]] = {}

    def add(self, t: float, key: Key, manner: Manner) -> None:
        """One more stream, due at once."""
        self._items.setdefault(key, _Item(manner, t))

    def drop(self, key: Key) -> None:
        """It is not polled any more."""
        self._items.pop(key, None)

    def __bool__(self) -> bool:
        return bool(self._items)

    def next(self, t: float) -> tuple[Key, ...]:
        """The streams of the call that is due at ``t``; none: wait for ``deadline``. It counts as asked."""
        open_now = {group for group in self._groups() if self._open_at(group, t) <= t}
        due = [item for item in self._items.items() if item[1].due <= t and item[1].manner.group in open_now]
        if not due:
            return ()
        _, first = min(due, key=lambda item: item[1].order)
        with_it = [item for item in due if item[1] is first or _share(first, item[1])]
        batch = sorted(with_it, key=lambda item: (item[1] is not first, item[1].order))[: first.manner.most]
        group = first.manner.group
        self._calls.setdefault(group, deque(maxlen=self._most(group, t))).append(t)
        interval = self.interval(group, t)
        for _, item in batch:
            item.asked = t
            item.due = t + max(interval, item.manner.every)
        return tuple(key for key, _ in batch)

    def deadline(self, t: float) -> float:
        """When ``next`` has something, as far as is known at ``t``."""
        open_at = {group: self._open_at(group, t) for group in self._groups()}
        return min((max(item.due, open_at[item.manner.group]) for item in self._items.values()), default=inf)

    def interval(self, group: str, t: float) -> float:
        """Seconds between two answers of a stream of this group."""
        return max(EVERY, self._size(group) * self.spacing(group, t))

    def interval_of(self, keys: Iterable[Key], t: float) -> float:
        """The longest of these streams."""
        items = [self._items[key] for key in keys if key in self._items]
        return max((max(self.interval(one.manner.group, t), one.manner.every) for one in items), default=0.0)

    def spacing(self, group: str, t: float) -> float:
        """Seconds between two calls of a group: the share of what others leave free."""
        calls = self._calls.get(group, ())
        spaces = [0.0]
        for window, left in self._room(group, t).windows:
            ours = sum(at > t - window.seconds for at in calls)
            free = min(window.count, left + ours)
            spaces.append(window.seconds / max(1.0, SHARE * free))
        return max(spaces)

    def again(self, t: float, key: Key) -> None:
        """It has another page: its turn is now, after those who wait already."""
        if key in self._items:
            self._items[key].due = t

    def answered(self, keys: Iterable[Key]) -> None:
        """The call was answered."""
        for key in keys:
            if key in self._items:
                self._items[key].wait = RETRY_FIRST

    def failed(self, t: float, keys: Sequence[Key], at_least: float = 0.0) -> None:
        """The call failed, or its answer could not be read: asked again after a while, each time after a longer one."""
        for key in keys:
            if (item := self._items.get(key)) is not None:
                item.due = t + max(item.wait, at_least)
                item.wait = min(2 * item.wait, RETRY_MOST)

    def refused(self, t: float, keys: Sequence[Key]) -> bool:
        """The exchange says no for good: to one of several, who are asked one by one now; True: it was for this one."""
        for key in keys:
            if (item := self._items.get(key)) is not None:
                item.alone = True
                item.due = t if len(keys) > 1 else t + REFUSED
        return len(keys) == 1

    def _open_at(self, group: str, t: float) -> float:
        calls = self._calls.get(group)
        paced = calls[-1] + self.spacing(group, t) if calls else t
        return max(paced, self._room(group, t).open_at)

    def _groups(self) -> set[str]:
        return {item.manner.group for item in self._items.values()}

    def _size(self, group: str) -> int:
        """Calls in which all streams of a group are asked once."""
        together: dict[tuple[Hashable, int], int] = {}
        alone = 0
        for item in self._items.values():
            if item.manner.group == group and not item.alone:
                key = item.manner.alike, item.manner.most
                together[key] = together.get(key, 0) + 1
            alone += item.manner.group == group and item.alone
        return alone + sum(ceil(count / most) for (_, most), count in together.items())

    def _most(self, group: str, t: float) -> int:
        return max((window.count for window, _ in self._room(group, t).windows), default=1)


def _share(one: _Item, other: _Item) -> bool:
    """Whether two may be asked in one call."""
    return not (one.alone or other.alone) and one.manner == other.manner
