"""An account's streams in a fleet: carried by those that hold its key, each going on where the broker's word ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from math import inf

from msgspec import Struct

from tapewire.client.accounts import AccountState, Story, account_of, copied, lacking, retold
from tapewire.client.open_stream import OpenStream
from tapewire.config import Credentials
from tapewire.errors import ConfigError
from tapewire.fleet.membership import Tell
from tapewire.fleet.shares import Member, Steps, steps
from tapewire.fleet.stored import Stored
from tapewire.fleet.stories import Stories
from tapewire.fleet.words import Seat, check_name
from tapewire.model.events import Event, MyAssetEvent
from tapewire.model.reached import Reached
from tapewire.model.status import Gap
from tapewire.model.subscription import Subscription
from tapewire.sinks.brokers.link import Away
from tapewire.sinks.brokers.options import Figures
from tapewire.sinks.contract import Item
from tapewire.venues.orders import OrderWords

#: Seconds before what was written down from which on the broker's events are read: clocks of hosts differ.
OVERLAP_NS = 60_000_000_000
#: Seconds between two writings of a story that changed, and of one that did not.
WRITE_EVERY, WRITE_AT_LEAST = 2.0, 20.0
#: Leases for which the first carrier is waited for to have learned how things stand.
_LEARNING = 3


def mark_of(credentials: Credentials | None) -> str:
    """What an account's key is called where others see it; it does not give the key away. No key: ``""``."""
    return account_of(credentials)


class AccountOptions(Struct, frozen=True, kw_only=True):
    """Which account, and how it is carried.

    Attributes:
        name: for people and in subjects. mark: of its key. streams: to be carried.
        words: how the venue's order events are read.
        copies: collectors that carry it. lease: seconds, the fleet's.
    """

    name: str
    mark: str
    streams: tuple[Subscription, ...]
    words: OrderWords
    copies: int
    lease: float

    def __post_init__(self) -> None:
        check_name("account", self.name)


class _Written(Struct, frozen=True):
    """What is to be written when all that was told by then is at the broker."""

    state: AccountState
    at_ns: int


class AccountCarrier:
    """One collector's part in one account.

    Args:
        options: see ``AccountOptions``.
        stream: of the client that has the key; iterated here.
        stories, stored: of the account.
        figures: of its sink.
        wall_ns: the time (ns UTC).
        hear, tell: as of ``Collector``.
    """

    def __init__(
        self, options: AccountOptions, stream: OpenStream, stories: Stories, stored: Stored, *,
        figures: Callable[[], Figures], wall_ns: Callable[[], int], hear: Callable[[Item], None], tell: Tell,
    ) -> None:  # fmt: skip
        self._options, self._stream, self._stories, self._stored = options, stream, stories, stored
        self._figures, self._wall_ns, self._hear, self._tell = figures, wall_ns, hear, tell
        self._asked = False
        self._begun_ns = 0
        self._given = 0
        self._holes: dict[str, int] = {}
        self._due: tuple[_Written, int] | None = None
        self._under_way = False
        self._last: AccountState | None = None
        self._looked_at = self._written_at = -inf

    @property
    def asked(self) -> bool:
        """Whether it has asked for the streams."""
        return self._asked

    @property
    def seat(self) -> Seat:
        """What it tells the others."""
        options = self._options
        live = self._asked and self._stream.live.issuperset(options.streams)
        return Seat(mark=options.mark, types=tuple(one.kind for one in options.streams), live=live)

    async def act(self, me: str, holders: Sequence[Member], t: float) -> None:
        """Take it or give it up, as ``shares.steps`` says; write down what was told.

        Raises:
            ConfigError: another key has this account's name.
            FeedError: the exchange refuses.
        """
        name = self._options.name
        todo = steps(me, {name} if self._asked else (), holders, [name], self._options.copies)
        try:
            if todo.release:
                await self._release()
            elif todo.take:
                await self._take(todo)
            elif self._asked:
                await self._write(t)
        except Away:  # with the next look
            return

    async def source(self) -> AsyncIterator[Item]:
        """What the account's sink is given."""
        async for item in self._stream:
            if isinstance(item, _Written):
                self._due = item, self._given
                continue
            ours = await self._ours(item)
            if ours is not None:
                self._given += 1
                yield ours

    async def close(self) -> None:
        """Nothing more comes."""
        await self._stream.aclose()

    async def _ours(self, item: Item) -> Item | None:
        """Of what comes what is the account's own, and not at the broker already."""
        if isinstance(item, Gap) and item.subscription in self._options.streams:
            self._holes[item.subscription.kind] = item.from_ns
            return item
        if not isinstance(item, Event):
            return None
        self._hear(item)
        if isinstance(item, MyAssetEvent) and item.recovered:
            return await self._lacking(item)
        return item if await self._stored.is_new(item, self._wall_ns()) else None

    async def _lacking(self, event: MyAssetEvent) -> MyAssetEvent | None:
        """REST has no id for a change of balances: what others told meanwhile is known by its values."""
        since_ns = self._holes.get(event.kind, self._wall_ns())
        try:
            told = await self._stories.told_since(since_ns)
        except Away:
            return event
        return lacking(event, told, since_ns)

    async def _release(self) -> None:
        self._asked, self._due, self._under_way = False, None, False
        await self._stream.remove([one.symbol for one in self._options.streams])
        self._tell("green", f"gave up account {self._options.name}: others carry it")

    async def _take(self, todo: Steps) -> None:
        options, now_ns = self._options, self._wall_ns()
        story = await self._stories.read()
        reached: list[Reached] = []
        state: AccountState | None = None
        if story is None:
            story = Story(mark=options.mark, begun_ns=now_ns, at_ns=now_ns)
            if not await self._stories.begin(story):
                return
        elif story.mark != options.mark:
            raise ConfigError("account", options.name, "the name of one account: another key has it in this fleet")
        elif story.state is None and self._is_being_learned(story, now_ns, orphan=bool(todo.orphans)):
            return
        else:
            state = retold(story, await self._stories.told_since(story.at_ns - OVERLAP_NS), options.words)
            reached = [Reached(one, story.at_ns) for one in options.streams]
        await self._stored.learn()
        await self._stream.add(options.streams, reached, options.mark, state)
        self._asked, self._begun_ns = True, story.begun_ns
        self._due, self._under_way, self._last = None, False, None
        self._tell("green", f"carries account {options.name}{', which nobody carried' if todo.orphans else ''}")

    def _is_being_learned(self, story: Story, now_ns: int, *, orphan: bool) -> bool:
        return not orphan or now_ns - story.begun_ns < _LEARNING * self._options.lease * 1e9

    async def _write(self, t: float) -> None:
        """Write down what was told, once all of it is confirmed: what is written is never ahead of the broker."""
        if self._due is not None:
            written, given = self._due
            figures = self._figures()
            if figures.confirmed + figures.refused >= given:
                self._due, self._under_way = None, False
                await self._stories.write(
                    Story(mark=self._options.mark, begun_ns=self._begun_ns, at_ns=written.at_ns, state=written.state)
                )
                self._last, self._written_at = written.state, t
            return
        if self._under_way and t - self._looked_at > WRITE_AT_LEAST:  # the mailbox was full, and dropped it
            self._under_way = False
        if self._under_way or t - self._looked_at < WRITE_EVERY:
            return
        self._looked_at, at_ns = t, self._wall_ns()
        state = self._stream.story(self._options.mark)
        if state is not None and (state != self._last or t - self._written_at >= WRITE_AT_LEAST):
            self._under_way = True
            self._stream.put(_Written(copied(state), at_ns))
