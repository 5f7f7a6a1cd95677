"""What each stream brought last, so that another process can begin where this one ended (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from tapewire.model.subscription import Subscription
from tapewire.session.actions import Now

#: Seconds before a stream's last message from which on the ids of its trades are kept: pages are read from 5 s before
#: it on, and a trade comes up to 2.2 s after its execution (session.fill).
WINDOW = 10.0
#: Ids kept of a stream whose hole is being filled; with more of them it is taken as filled.
IDS_MOST = 10_000
#: Streams that are kept; of more those that brought nothing for longest are let go.
STREAMS_MOST = 10_000

#: Whose stream (a name for the account, ``""`` for nobody's), and which.
Key = tuple[str, Subscription]


class Place(Struct, frozen=True, omit_defaults=True):
    """How far one stream came.

    Attributes:
        subscription: which.
        account: whose, ``""``: nobody's.
        at_ns: until when nothing was missing, by our clock (ns UTC).
        last_timestamp: of its last message (the venue's ms).
        ids: of its last trades, those of ``WINDOW`` at least.
    """

    subscription: Subscription
    at_ns: int
    account: str = ""
    last_timestamp: int | None = None
    ids: tuple[int, ...] = ()


class Seen(Struct, frozen=True):
    """A stream as it stands now.

    Attributes:
        count: messages delivered so far; those of trades have their ids in ``ids``, the newest last.
        known: ids of all trades delivered before a hole and since, while it is being filled.
        last_timestamp: as of ``Place``.
        whole: no hole of it is being filled.
        parts: ids of the further matches that the trades of ``ids`` stand for.
    """

    count: int
    ids: Sequence[int | None]
    known: Collection[int]
    last_timestamp: int | None
    whole: bool
    parts: Sequence[int] = ()


class _Mark(Struct):
    """How many messages there had been at some time (monotonic seconds)."""

    t: float
    count: float


class Cursor:
    """All streams of one venue.

    Args:
        places: what the last process left. Each is taken once, and kept until its stream has news.
    """

    def __init__(self, places: Iterable[Place] = ()) -> None:
        self._places: dict[Key, Place] = {(place.account, place.subscription): place for place in places}
        self._left = dict(self._places)
        self._marks: dict[Key, deque[_Mark]] = {}
        self._noted: dict[Key, int] = {}
        #: Something came since this was set to False.
        self.changed = False

    def take(self, key: Key) -> Place | None:
        """Where the last process ended, when the stream begins here; None: it is new, or began before."""
        return self._left.pop(key, None)

    def note(self, now: Now, key: Key, seen: Seen) -> None:
        """The stream stands so. One with a hole stays where it was before, but for the trades that came since."""
        marks = self._mark(now, key, seen.count)
        if not seen.whole:
            self._note_hole(key, seen)
            return
        place = self._places.pop(key, None)  # the newest last
        noted, self._noted[key] = self._noted.get(key), seen.count
        if place is not None and noted is not None and _is_known(place, seen, seen.count - noted):
            self._places[key] = replace(place, at_ns=now.ns)
            return
        number = min(seen.count - marks[0].count, len(seen.ids))
        ids = tuple(one for one in seen.ids[len(seen.ids) - int(number) :] if one is not None)
        parts = tuple(one for one in seen.parts if ids and one > min(ids))
        account, subscription = key
        self._places[key] = Place(subscription, now.ns, account, seen.last_timestamp, parts + ids)
        self.changed = True

    def leave(self, key: Key) -> None:
        """The stream was given up; it may begin anew, and count from 0."""
        self._marks.pop(key, None)
        self._noted.pop(key, None)

    def places(self) -> list[Place]:
        """All that is known now."""
        while len(self._places) > STREAMS_MOST:
            del self._places[next(iter(self._places))]
        return list(self._places.values())

    def _mark(self, now: Now, key: Key, count: int) -> deque[_Mark]:
        """Keep how many there were, as far back as ids are kept."""
        marks = self._marks.setdefault(key, deque([_Mark(float("-inf"), float("-inf"))]))
        if marks[-1].count != count:
            marks.append(_Mark(now.t, count))
            while marks[1].t <= now.t - WINDOW:
                marks.popleft()
        return marks

    def _note_hole(self, key: Key, seen: Seen) -> None:
        place = self._places.get(key)
        if place is not None and seen.known and len(seen.known) <= IDS_MOST:
            ids = tuple(sorted(seen.known))
            self.changed = self.changed or ids != place.ids
            self._places[key] = replace(place, ids=ids)


def _is_known(place: Place, seen: Seen, news: int) -> bool:
    """Nothing came, or what came are trades of the place: a new line shows the last one again."""
    return news == 0 or (bool(seen.ids) and set(seen.ids[-news:]) <= set(place.ids))
