"""Frames that nobody reads: only of settled streams all of whose listeners take frames, and of nobody else's."""

from __future__ import annotations

from msgspec.structs import replace

from tapewire.hub.listening import Listener
from tapewire.hub.router import Router
from tapewire.model.events import Event
from tapewire.model.subscription import Subscription
from tapewire.transport.dispatch import Dispatch
from tapewire.venues.contract import Skim
from tests.hub.made_up import CLASSES, TRADE, no_failure, no_raise, public_event, wire_event

BOOK, OTHER = Subscription("orderbook", "KRW-BTC"), Subscription("orderbook", "KRW-ETH")


def frame_of(subscription: Subscription, number: int) -> bytes:
    return b'{"%s":"%s","at":%d}' % (subscription.kind.encode(), subscription.symbol.encode(), number)


def head_of(event: Event) -> bytes | None:
    """Of number 13 nobody can tell."""
    return None if event.timestamp == 13 else (event.raw or b"").partition(b",")[0]


def other_frame_of(subscription: Subscription, number: int) -> bytes:
    """The same in a form that only the careful road reads."""
    return frame_of(subscription, number).replace(b'{"', b'{"the ')


class Desk:
    """A router behind the function of the short road; what was read, heard and taken, as numbers."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.heard: list[int | None] = []
        self.taken: list[bytes] = []
        skim = Skim(frozenset({"orderbook"}), 1, head_of, self._time_of)
        self.router = Router(CLASSES, no_raise, skim=skim)
        self._streams: dict[bytes, Subscription] = {}
        dispatch = Dispatch(self._decode, self.router.tables, self._careful, no_raise, *self.router.unread.road)
        self._on_message, self._taken = dispatch.on_message(), dispatch.taken()

    def listen(self, subscription: Subscription, *, takes_frames: bool) -> Listener:
        take = self._take if takes_frames else None
        listener = Listener("one", lambda event: self.heard.append(event.timestamp), "realtime_only", take=take)
        self.router.add(subscription, listener)
        return listener

    def say(self, subscription: Subscription, number: int) -> str:
        """Which way the frame went."""
        frame = frame_of(subscription, number)
        self._streams[frame] = subscription
        return self.send(frame)

    def send(self, frame: bytes) -> str:
        before = len(self.read), len(self.taken)
        if not self._taken(frame, 5):
            self._on_message(frame, False, 5)
        if len(self.taken) > before[1]:
            return "unread"
        return {0: "?", 1: "short", 2: "careful"}[len(self.read) - before[0]]

    def _take(self, frame: bytes, _received_ns: int) -> None:
        self.taken.append(frame)

    def say_otherwise(self, subscription: Subscription, number: int) -> str:
        frame = other_frame_of(subscription, number)
        self._streams[frame] = subscription
        return self.send(frame)

    def _decode(self, frame: bytes) -> Event:
        if frame.startswith(b'{"the '):
            self.read.append(0)
            raise ValueError("another form")
        event: Event = wire_event(self._streams[frame], self._time_of(frame))
        event.raw = frame
        self.read.append(event.timestamp or 0)
        return event

    def _careful(self, frame: bytes, _received_ns: int) -> None:
        event = public_event(self._streams[frame], self._time_of(frame))
        self.read.append(event.timestamp or 0)
        self.router.deliver(replace(event, raw=frame), no_failure)

    def _time_of(self, frame: bytes) -> int:
        return int(frame.rpartition(b":")[2].strip(b"} \n"))


def test_of_a_settled_stream_nothing_is_read_while_its_only_listener_takes_frames() -> None:
    desk = Desk()
    desk.listen(BOOK, takes_frames=True)
    assert [desk.say(BOOK, number) for number in (1, 2, 3)] == ["careful", "unread", "unread"]
    assert desk.heard == [1]
    assert desk.taken == [frame_of(BOOK, number) for number in (2, 3)]
    [stream] = desk.router.find(public_event(BOOK, 1))
    assert (stream.count, stream.last_timestamp, desk.router.counts()) == (3, 3, {"orderbook": 3})
    assert stream.unread is None, "the time of the last frame is read once"


def test_one_stream_is_read_for_who_wants_it_and_the_others_are_not() -> None:
    desk = Desk()
    for subscription in (BOOK, OTHER):
        desk.listen(subscription, takes_frames=True)
        desk.say(subscription, 1)
    reader = desk.listen(OTHER, takes_frames=False)
    assert [desk.say(one, 2) for one in (BOOK, OTHER)] == ["unread", "careful"]
    assert [desk.say(one, 3) for one in (BOOK, OTHER)] == ["unread", "short"]
    desk.router.remove(OTHER, reader)
    assert [desk.say(OTHER, number) for number in (4, 5)] == ["careful", "unread"]
    assert desk.heard == [1, 1, 2, 2, 3, 3, 4]


def test_of_two_who_take_frames_each_hears_events() -> None:
    desk = Desk()
    desk.listen(BOOK, takes_frames=True)
    second = desk.listen(BOOK, takes_frames=True)
    assert [desk.say(BOOK, number) for number in (1, 2)] == ["careful", "short"]
    desk.router.remove(BOOK, second)
    assert [desk.say(BOOK, number) for number in (3, 4)] == ["careful", "unread"]
    assert desk.heard == [1, 1, 2, 2, 3]


def test_only_kinds_that_can_stay_unread_do() -> None:
    desk = Desk()
    desk.listen(TRADE, takes_frames=True)
    assert [desk.say(TRADE, number) for number in (1, 2)] == ["careful", "short"]


def test_what_is_no_plain_line_is_read() -> None:
    desk = Desk()
    desk.listen(BOOK, takes_frames=True)
    desk.say(BOOK, 1)
    plain = frame_of(BOOK, 2)
    for frame in (plain + b"\n", plain.replace(b'"at"', b'"\n":"", "at"'), plain[:-1] + '"é":1,"at":2}'.encode()):
        desk._streams[frame] = BOOK
        assert desk.send(frame) == "short"
    assert desk.send(plain) == "unread"


def test_a_stream_whose_frame_does_not_say_whose_it_is_is_read() -> None:
    desk = Desk()
    desk.listen(BOOK, takes_frames=True)
    assert [desk.say(BOOK, number) for number in (13, 14)] == ["careful", "short"]


def test_the_first_message_of_a_line_and_who_waits_for_a_snapshot_are_served_by_the_careful_road() -> None:
    desk = Desk()
    desk.listen(BOOK, takes_frames=True)
    [stream] = desk.router.streams.values()
    desk.say(BOOK, 1)
    desk.say(BOOK, 2)
    desk.router.line_lost()
    assert [desk.say(BOOK, number) for number in (3, 4)] == ["careful", "unread"]
    desk.router.asked(stream, snapshot=True)
    assert [desk.say(BOOK, number) for number in (5, 6)] == ["careful", "careful"]


def test_the_time_of_the_last_message_is_the_latest_that_was_read_or_not() -> None:
    desk = Desk()
    desk.listen(BOOK, takes_frames=True)
    [stream] = desk.router.streams.values()
    assert stream.last_timestamp is None
    for number in (1, 2):
        desk.say(BOOK, number)
    odd = frame_of(BOOK, 3) + b"\n"
    desk._streams[odd] = BOOK
    assert desk.send(odd) == "short"
    assert stream.last_timestamp == 3


def test_a_stream_whose_frames_begin_otherwise_now_is_not_taken_for_what_it_was() -> None:
    desk = Desk()
    listener = desk.listen(BOOK, takes_frames=True)
    assert [desk.say(BOOK, number) for number in (1, 2)] == ["careful", "unread"]
    assert [desk.say_otherwise(BOOK, number) for number in (3, 4)] == ["careful", "unread"]
    assert [desk.say(BOOK, number) for number in (5, 6)] == ["short", "short"], "read, until it is settled anew"
    reader = desk.listen(BOOK, takes_frames=False)
    assert [desk.say(BOOK, 7), desk.say_otherwise(BOOK, 8)] == ["careful", "careful"]
    desk.router.remove(BOOK, reader)
    desk.router.remove(BOOK, listener)
    assert desk.router.unread.road[0] == {}


def test_of_two_streams_whose_frames_begin_alike_the_later_has_the_table() -> None:
    """A venue keeps such streams on lines of their own; here nothing breaks."""
    desk = Desk()
    deeper = Subscription("orderbook", "KRW-BTC", depth=5)
    first, second = desk.listen(BOOK, takes_frames=True), desk.listen(deeper, takes_frames=True)
    event = replace(public_event(BOOK, 1), raw=frame_of(BOOK, 1))
    for stream in desk.router.streams.values():
        desk.router.unread.open(stream, event)
    desk.router.remove(BOOK, first)
    [owner] = desk.router.unread.road[0].values()
    assert owner.subscription == deeper
    desk.router.remove(deeper, second)
    assert desk.router.unread.road[0] == {}


def test_who_leaves_last_takes_the_table_with_it() -> None:
    desk = Desk()
    listener = desk.listen(BOOK, takes_frames=True)
    desk.say(BOOK, 1)
    assert desk.router.remove(BOOK, listener)
    assert desk.say(BOOK, 2) == "careful"
    assert (desk.router.unwanted, desk.router.unread.road[0]) == (1, {})
