"""What a stream told of things that have a name and a present state, held against what REST knows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from msgspec import Struct

Thing = TypeVar("Thing")


class Rules(Struct, Generic[Thing], frozen=True, kw_only=True):
    """How the rows of one kind are read.

    Attributes:
        name: what tells one thing from another.
        held: whether there is any of it: what is not held, lists leave out.
        size: what has to differ for it to be news.
        moment: what is equal only in two messages of the very same state; None: nothing tells.
        gone: a thing that is held no more, from how it was told last.
    """

    name: Callable[[Thing], str]
    held: Callable[[Thing], bool]
    size: Callable[[Thing], object]
    moment: Callable[[Thing], object | None]
    gone: Callable[[Thing], Thing]


class Standing(Generic[Thing]):
    """The things of one account. ``complete``: all that there were when the stream began are known."""

    def __init__(self, rules: Rules[Thing]) -> None:
        self.complete = False
        self._rules = rules
        self._known: dict[str, Thing] = {}
        self._marks: dict[str, Thing] = {}
        self._fresh: set[str] = set()

    def state(self) -> list[Thing]:
        """For another process: each thing as it was told last."""
        return list(self._known.values())

    def resume(self, things: Iterable[Thing]) -> None:
        """Begin where another process ended, which knew all that there were."""
        self.complete = True
        self._known = {self._rules.name(one): one for one in things}

    def told(self, thing: Thing) -> bool:
        """The stream tells this; True: this very state was delivered already, recovered from REST."""
        name, moment = self._rules.name(thing), self._rules.moment(thing)
        mark = self._marks.pop(name, None)
        self._fresh.add(name)
        self._keep(thing)
        return mark is not None and moment is not None and self._rules.moment(mark) == moment

    def ask(self) -> None:
        """REST is asked now: what the stream tells from here on is not older than its answer."""
        self._fresh.clear()

    def learn(self, things: Iterable[Thing]) -> None:
        """How things stand as the stream begins."""
        for one in things:
            if self._rules.name(one) not in self._fresh:
                self._keep(one)

    def missed(self, things: Iterable[Thing]) -> list[Thing]:
        """Of REST's answer what the stream did not tell; what the answer leaves out is held no more."""
        listed = {self._rules.name(one): one for one in things}
        gone = [self._rules.gone(known) for name, known in self._known.items() if name not in listed]
        news = [one for one in (*listed.values(), *gone) if self._is_news(one)]
        self.learn((*listed.values(), *gone))
        for one in news:
            self._keep(one)
            self._marks[self._rules.name(one)] = one
        return news

    def _keep(self, thing: Thing) -> None:
        if self._rules.held(thing):
            self._known[self._rules.name(thing)] = thing
        else:
            self._known.pop(self._rules.name(thing), None)

    def _is_news(self, thing: Thing) -> bool:
        name = self._rules.name(thing)
        if name in self._fresh:
            return False
        known = self._known.get(name)
        return self.complete if known is None else self._rules.size(known) != self._rules.size(thing)
