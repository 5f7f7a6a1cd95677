"""Counts who wants what and merges it: the books of the engine, for programs that send by their own means."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NoReturn

from msgspec import Struct

from tapewire.client.handle import PREFERENCES, as_subscriptions
from tapewire.errors import ConfigError, UsageError
from tapewire.hub.listening import Listener
from tapewire.hub.router import Router
from tapewire.model.subscription import StreamPreference, Subscription, Wish


class Required(Struct, frozen=True):
    """One stream that is wanted: what to ask the exchange for, and by whom it is wanted."""

    wish: Wish
    components: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many components want it."""
        return len(self.components)


class Change(Struct, frozen=True):
    """What is wanted now against what was sent last."""

    added: tuple[Subscription, ...] = ()
    removed: tuple[Subscription, ...] = ()
    kept: tuple[Subscription, ...] = ()
    changed: tuple[Subscription, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


class SubscriptionManager:
    """Merges the subscriptions of many components. It opens and sends nothing: a ``WebSocketClient`` does by itself.

    The same books stand behind every client (``hub.router``): a stream is asked for as long as one component wants it,
    with snapshot and realtime parts so that each gets its own preference.
    """

    def __init__(self) -> None:
        self._books = Router({}, _never)
        self._entries: dict[str, dict[Subscription, Listener]] = {}
        self._sent: dict[Subscription, Wish] = {}
        self._told: list[Callable[[Change], object]] = []

    def register_component(
        self,
        component_id: str,
        subscriptions: Subscription | Iterable[Subscription],
        stream_preference: StreamPreference = "both",
    ) -> Change:
        """Add these to what a component wants; what it wants already is taken anew, with this preference.

        Returns:
            what is to be sent now, against what was sent last.

        Raises:
            SubscriptionError: something is no ``Subscription``.
            ConfigError: no such preference.
        """
        wanted = as_subscriptions(subscriptions)
        if stream_preference not in PREFERENCES:
            raise ConfigError("stream_preference", stream_preference, " or ".join(PREFERENCES))
        entries = self._entries.setdefault(component_id, {})
        for subscription in wanted:
            self._leave(entries, subscription)
            entries[subscription] = Listener(component_id, _never, stream_preference)
            self._books.add(subscription, entries[subscription])
        return self._tell()

    def unregister_component(
        self, component_id: str, subscriptions: Subscription | Iterable[Subscription] | None = None
    ) -> Change:
        """Take back everything that a component wants, or only these. Returns as ``register_component``.

        Raises:
            UsageError: no such component.
        """
        if component_id not in self._entries:
            known = ", ".join(self._entries) or "none is"
            raise UsageError(f"no component {component_id!r} is registered; these are: {known}")
        entries = self._entries[component_id]
        for subscription in tuple(entries) if subscriptions is None else as_subscriptions(subscriptions):
            self._leave(entries, subscription)
        if not entries:
            del self._entries[component_id]
        return self._tell()

    @property
    def components(self) -> tuple[str, ...]:
        """Those that want something, in the order they came."""
        return tuple(self._entries)

    def get_required_subscriptions(self) -> dict[Subscription, Required]:
        """Everything that is wanted, merged, with who wants it."""
        return {
            subscription: Required(stream.wish, tuple(listener.name for listener in stream.listeners))
            for subscription, stream in self._books.streams.items()
        }

    def pending(self) -> Change:
        """What is wanted now, against what was sent last (``commit``)."""
        wishes, sent = self._books.wishes(), self._sent
        return Change(
            added=tuple(one for one in wishes if one not in sent),
            removed=tuple(one for one in sent if one not in wishes),
            kept=tuple(one for one, wish in wishes.items() if sent.get(one) == wish),
            changed=tuple(one for one, wish in wishes.items() if one in sent and sent[one] != wish),
        )

    def next_request(self) -> list[Wish]:
        """The whole wanted set as it is to be asked now: what was sent before realtime only, so that a newcomer causes
        no flood of snapshots. Empty: everything is to be dropped.
        """
        wishes, sent = self._books.wishes(), self._sent
        return [
            Wish(one, snapshot=False, realtime=True) if sent.get(one) == wish and wish.realtime else wish
            for one, wish in wishes.items()
        ]

    def commit(self) -> None:
        """What is wanted now was sent, and the exchange did not refuse it."""
        self._sent = self._books.wishes()

    def on_change(self, callback: Callable[[Change], object]) -> Callable[[], None]:
        """Call ``callback`` when what is wanted is no longer what was sent. Returns what ends that."""
        self._told.append(callback)
        return lambda: self._told.remove(callback) if callback in self._told else None

    def _leave(self, entries: dict[Subscription, Listener], subscription: Subscription) -> None:
        listener = entries.pop(subscription, None)
        if listener is not None:
            self._books.remove(subscription, listener)
            self._books.gone.clear()

    def _tell(self) -> Change:
        change = self.pending()
        if change:
            for callback in tuple(self._told):
                callback(change)
        return change


def _never(*_: object) -> NoReturn:
    raise UsageError("a SubscriptionManager delivers nothing; use a DataProcessor or a WebSocketClient")
