"""What the broker holds of a subject: where its newest event stood, and which ids it knows from a time on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tapewire.fleet.reading import asked, messages_since
from tapewire.model.events import Event
from tapewire.model.reached import Reached
from tapewire.model.status import FeedEvent
from tapewire.model.subscription import Subscription, in_full
from tapewire.sinks.brokers.identity import event_id, marked_id
from tapewire.sinks.brokers.letters import OrderIds
from tapewire.sinks.brokers.link import Away
from tapewire.sinks.brokers.subjects import Place, place_of, subject, typed

if TYPE_CHECKING:
    from nats.js import JetStreamContext

_ID = "Nats-Msg-Id"
#: Seconds before the newest event from which on ids are read: trades do not come in order (session.fill), and the
#: clocks of two hosts differ.
WINDOW = 30.0
#: Subjects whose ids are remembered.
_KEPT_MOST = 1_000


class Stored:
    """Reads one stream of NATS.

    Args:
        js: gives JetStream; raises Away when there is no line.
        stream, prefix: as of the sink.
        venue: whose subjects.
        window: seconds for which the broker drops doubles by itself.
        order_ids: as of the sink.
    """

    def __init__(
        self, js: Callable[[], JetStreamContext], *, stream: str, prefix: str, venue: str, window: float,
        order_ids: OrderIds = "whole",
    ) -> None:  # fmt: skip
        self._js, self._stream, self._prefix, self._venue = js, stream, prefix, venue
        self._window_ns = int(window * 1e9)
        self._known: dict[str, tuple[int, int, frozenset[str]]] = {}
        self._id_of = event_id if order_ids == "whole" else marked_id

    async def learn(self) -> None:
        """Take the window that the stream really has, if it is there; it may have been made by somebody else."""
        from nats.js.errors import NotFoundError  # noqa: PLC0415 - an optional extra

        try:
            window = (await asked(self._js().stream_info(self._stream))).config.duplicate_window
        except (Away, NotFoundError):
            return
        self._window_ns = int((window or 0) * 1e9)

    async def reached(self, subscription: Subscription) -> Reached | None:
        """How far a stream came at the broker; None: nothing of it is there. Raises Away."""
        place = Place(self._venue, _type_of(subscription), subscription.symbol)
        name = subject(place, self._prefix)
        headers = await asked(self._newest(name))
        if headers is None:
            return None
        at_ns, stamp = int(headers.get("tw-received-ns", "0")), headers.get("tw-timestamp", "")
        ids: tuple[int, ...] = ()
        if subscription.kind == "trade":
            last = max(at_ns, int(stamp or 0) * 1_000_000)
            found = await asked(self._ids(name, last - int(WINDOW * 1e9)))
            numbers = [one.rpartition("|")[2].partition("x")[0] for one in found]
            ids = tuple(int(one) for one in numbers if one.isdecimal())
        return Reached(subscription, at_ns, int(stamp) if stamp.isdecimal() else None, ids)

    async def is_new(self, item: Event | FeedEvent, now_ns: int) -> bool:
        """Whether the broker still has to be given this. Of what is young it says so itself, by its own table of ids.

        What is old (a snapshot of a quiet market, what REST told of a long outage) another collector may have brought
        longer ago than the broker remembers. A broker that does not answer is given it.
        """
        if not isinstance(item, Event) or item.timestamp is None:
            return True
        at_ns = item.timestamp * 1_000_000
        if now_ns - at_ns < self._window_ns // 2:
            return True
        name = subject(place_of(item), self._prefix)
        since, read_at, known = self._known.get(name, (now_ns, 0, frozenset[str]()))
        if since > at_ns - int(WINDOW * 1e9) or now_ns - read_at > self._window_ns // 4:
            since = at_ns - int(2 * WINDOW * 1e9)
            try:
                known = frozenset(await asked(self._ids(name, since)))
            except Away:
                return True
            self._keep(name, (since, now_ns, known))
        return self._id_of(item) not in known

    def _keep(self, name: str, row: tuple[int, int, frozenset[str]]) -> None:
        self._known.pop(name, None)
        self._known[name] = row
        while len(self._known) > _KEPT_MOST:
            del self._known[next(iter(self._known))]

    async def _newest(self, name: str) -> dict[str, str] | None:
        from nats.js.errors import NotFoundError  # noqa: PLC0415 - an optional extra

        try:
            return (await self._js().get_last_msg(self._stream, name)).headers or {}
        except NotFoundError:  # nothing of it yet, or no stream
            return None

    async def _ids(self, name: str, since_ns: int) -> list[str]:
        """Ids of all messages of a subject that were stored since then."""
        found = await messages_since(self._js(), self._stream, name, since_ns, headers_only=True)
        return [(message.headers or {}).get(_ID, "") for message in found]


def _type_of(subscription: Subscription) -> str:
    """As ``place_of`` has it for the events of this stream."""
    unit = subscription.unit
    if unit is None and subscription.level:
        unit = in_full(subscription.level)
    return typed(subscription.kind, unit)
