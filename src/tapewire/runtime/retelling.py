"""What was told of an account: what a collector wrote down of it, and what the broker holds since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tapewire.errors import DecodeError
from tapewire.model.events import Asset, Event, MyAssetEvent
from tapewire.runtime.account_story import AccountStory
from tapewire.runtime.cursor_file import AccountState
from tapewire.session.reconcile import OrdersState
from tapewire.venues.orders import OrderWords

#: Version of the values.
VERSION = 1
#: Bytes of one value at most: NATS takes 1 MiB in one message.
SIZE_MOST = 900_000


class Story(Struct, frozen=True, kw_only=True):
    """One account's value.

    Attributes:
        mark: of its key.
        begun_ns: when the fleet first carried it (ns UTC).
        at_ns: until when nothing was missing (ns UTC).
        state: what was told, and confirmed by the broker, by then; None: not known yet.
    """

    version: int = VERSION
    mark: str
    begun_ns: int
    at_ns: int
    state: AccountState | None = None


_decode = msgspec.json.Decoder(Story).decode
_decode_state = msgspec.json.Decoder(AccountState).decode


def read_story(value: bytes) -> Story:
    """An account's value. Raises DecodeError: it is none, or one of another version."""
    try:
        story = _decode(value)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DecodeError("fleet", f"no account's story ({error})", value) from None
    if story.version != VERSION:
        raise DecodeError(
            "fleet", f"an account's story of version {story.version}; this program reads {VERSION}", value
        )
    return story


def write_story(story: Story) -> bytes:
    """A value that NATS takes: of orders that ended as many of the last as there is room for."""
    value = msgspec.json.encode(story)
    while len(value) > SIZE_MOST and story.state is not None and story.state.orders is not None:
        orders = story.state.orders
        kept = dict(list(orders.ended.items())[len(orders.ended) // 2 + 1 :])
        if len(kept) == len(orders.ended):
            break
        story = replace(story, state=replace(story.state, orders=replace(orders, ended=kept)))
        value = msgspec.json.encode(story)
    return value


def retold(story: Story, events: Iterable[Event], words: OrderWords) -> AccountState:
    """What consumers were told of an account: its story, and the broker's events since shortly before that.

    An account that began a moment before its first carrier died has no state yet: what changed since it began is news.
    """
    told = AccountStory(words)
    told.resume(story.state or AccountState(orders=OrdersState(story.begun_ns // 1_000_000, {}, {})))
    for event in events:
        told.told(event)
    return told.state() or AccountState()


def copied(state: AccountState) -> AccountState:
    """As it is now: its owner goes on changing it."""
    return _decode_state(msgspec.json.encode(state))


def lacking(event: MyAssetEvent, told: Sequence[Event], since_ns: int) -> MyAssetEvent | None:
    """The balances of REST's answer that nobody brought since ``since_ns`` (received, ns UTC); None: all are there."""
    there: list[Asset] = []
    for other in told:
        if isinstance(other, MyAssetEvent) and other.received_ns > since_ns:
            there += other.assets
    missing = [asset for asset in event.assets if asset not in there]
    return replace(event, assets=missing) if missing else None
