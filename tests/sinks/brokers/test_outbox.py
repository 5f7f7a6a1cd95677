"""The outbox: order by subject whatever the broker answers, packs, counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import msgpack

from tapewire.model.events import TradeEvent
from tapewire.sinks.brokers.letters import Message, Writer
from tapewire.sinks.brokers.outbox import Outbox
from tapewire.sinks.brokers.runs import OVERHEAD, Letter
from tests.sizes import size

_writer = Writer()


def letter(number: int, symbol: str = "KRW-BTC", *, recovered: bool = False) -> Letter:
    return _writer.letter(TradeEvent(venue="upbit", symbol=symbol, sequential_id=number, recovered=recovered))


def outbox(**options: Any) -> Outbox:
    return Outbox(**{"batch": 1, "batch_bytes": 10_000, "window": 10, "in_order": False, **options})


def ids(messages: list[Message]) -> list[str]:
    return [",".join(one.identity for one in message.letters) for message in messages]


def test_one_of_each_subject_is_on_its_way() -> None:
    box = outbox()
    box.put([letter(1), letter(2), letter(7, "KRW-ETH")])
    group = box.take()
    assert ids(group) == ["1", "7"]
    assert (box.take(), box.on_the_way) == ([], 2)
    for message in group:
        box.confirmed(message)
    assert ids(box.take()) == ["2"]


def test_a_broker_that_keeps_order_takes_several_of_one_subject() -> None:
    box = outbox(in_order=True, window=3)
    box.put([letter(1), letter(2), letter(3), letter(7, "KRW-ETH")])
    assert ids(box.take()) == ["1", "7", "2"]


def test_what_waits_is_packed() -> None:
    box = outbox(batch=3)
    box.put([letter(n) for n in range(4)])
    group = box.take()
    assert ids(group) == ["0,1,2"]
    box.confirmed(group[0])
    assert ids(box.take()) == ["3"]


def test_a_pack_is_of_one_kind_and_not_too_large() -> None:
    box = outbox(batch=9, batch_bytes=len(letter(1).payload) * 2)
    box.put([letter(1), letter(2), letter(3), letter(4, recovered=True)])
    found = []
    while group := box.take():
        found += ids(group)
        box.confirmed(group[0])
    assert found == ["1,2", "3", "4"]


def test_what_was_not_confirmed_goes_again_as_it_was_and_first() -> None:
    box = outbox(batch=2)
    box.put([letter(n) for n in range(3)])
    [first] = box.take()
    box.again([first])
    box.put([letter(3)])
    [again] = box.take()
    assert again is first
    box.confirmed(again)
    assert ids(box.take()) == ["2,3"]


def test_a_pack_that_is_refused_goes_one_by_one() -> None:
    box = outbox(batch=3)
    box.put([letter(n) for n in range(4)])
    [whole] = box.take()
    box.apart(whole)
    found = []
    while group := box.take():
        found += ids(group)
        box.confirmed(group[0])
    assert found == ["0", "1", "2", "3"]
    assert (box.letters, box.size) == (0, 0)


def test_everything_can_be_taken_back() -> None:
    box = outbox(batch=2)
    letters = [letter(n) for n in range(5)]
    box.put(letters)
    box.take()
    assert [one.identity for one in box.drain()] == ["2", "3", "4"]
    assert (box.letters, box.on_the_way) == (2, 1)
    box.put(letters[2:])
    box.recall()
    assert box.drain() == letters
    assert (box.letters, box.size, box.on_the_way, box.take()) == (0, 0, 0, [])


def test_size_counts_payloads_and_what_they_weigh_beside() -> None:
    box = outbox()
    box.put([letter(1)])
    assert box.size == len(letter(1).payload) + OVERHEAD


class Courier(RuleBasedStateMachine):
    """Any broker: whatever it answers, each subject's letters are stored in their order once doubles are dropped."""

    @initialize(batch=st.integers(1, 4), window=st.integers(1, 5), in_order=st.booleans())
    def begin(self, batch: int, window: int, in_order: bool) -> None:
        self.box = outbox(batch=batch, window=window, in_order=in_order)
        self.in_order = in_order
        self.put_in: dict[str, list[str]] = defaultdict(list)
        self.stored: dict[str, dict[str, None]] = defaultdict(dict)
        self.number = 0

    @rule(symbols=st.lists(st.sampled_from("ABC"), max_size=8))
    def put(self, symbols: list[str]) -> None:
        letters = []
        for symbol in symbols:
            self.number += 1
            letters.append(letter(self.number, symbol))
            self.put_in[letters[-1].subject].append(str(self.number))
        self.box.put(letters)

    def store(self, message: Message) -> None:
        self.stored[message.subject].update(dict.fromkeys(one.identity for one in message.letters))

    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        group = self.box.take()
        if self.in_order:
            fate = data.draw(st.sampled_from(["all", "none", "all, but unheard"]))
            fates = [fate] * len(group)
        else:
            fates = data.draw(st.lists(st.sampled_from(["all", "none", "all, but unheard", "apart"]),
                                       min_size=len(group), max_size=len(group)))  # fmt: skip
        again = []
        for message, fate in zip(group, fates, strict=True):
            if fate.startswith("all"):
                self.store(message)
            if fate == "all":
                self.box.confirmed(message)
            elif fate == "apart":
                self.box.apart(message)
            else:
                again.append(message)
        self.box.again(again)

    @precondition(lambda self: hasattr(self, "box"))
    @rule()
    def take_back(self) -> None:
        self.box.recall()
        self.box.put(self.box.drain())

    @invariant()
    def order_is_kept(self) -> None:
        for name, found in getattr(self, "stored", {}).items():
            assert list(found) == self.put_in[name][: len(found)]

    def teardown(self) -> None:
        if not hasattr(self, "box"):
            return
        while group := self.box.take():
            for message in group:
                self.store(message)
                self.box.confirmed(message)
        assert {name: list(found) for name, found in self.stored.items()} == {k: v for k, v in self.put_in.items() if v}
        assert (self.box.letters, self.box.size) == (0, 0)


TestCourier = Courier.TestCase
TestCourier.settings = settings(max_examples=size(30, 1_000), stateful_step_count=20)


@pytest.mark.parametrize("window", [1, 2, 7])
def test_no_more_than_the_window_is_on_its_way(window: int) -> None:
    box = outbox(window=window)
    box.put([letter(1, symbol) for symbol in "ABCDEFGHI"])
    assert len(box.take()) == window


def test_a_group_leaves_some_subjects_to_the_next() -> None:
    box = outbox(window=100, groups=2)
    box.put([letter(1, f"KRW-{number}") for number in range(60)])
    first, second = box.take(), box.take()
    assert (len(first), len(second), box.take()) == (30, 30, [])
    assert {message.subject for message in first}.isdisjoint(message.subject for message in second)
    box.put([letter(2, f"KRW-{number}") for number in range(60)])
    for message in first:
        box.confirmed(message)
    assert [(message.subject, message.letters[0].identity) for message in box.take()] == [
        (message.subject, "2") for message in first
    ]


@given(
    groups=st.integers(1, 3),
    batch=st.integers(1, 3),
    steps=st.lists(st.tuples(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), st.integers(0, 3)), max_size=120),
)
def test_with_several_groups_on_their_way_each_subject_keeps_its_order(
    groups: int, batch: int, steps: list[tuple[str, int]]
) -> None:
    box = outbox(window=8, groups=groups, batch=batch)
    away: list[list[Message]] = []
    put_in: dict[str, list[str]] = defaultdict(list)
    stored: dict[str, dict[str, None]] = defaultdict(dict)

    def answer(group: list[Message], *, heard: bool) -> None:
        for message in group:
            stored[message.subject].update(dict.fromkeys(one.identity for one in message.letters))
        if not heard:
            box.again(group)
            return
        for message in group:
            box.confirmed(message)

    for number, (symbol, step) in enumerate(steps):
        one = letter(number, symbol)
        put_in[one.subject].append(one.identity)
        box.put([one])
        if step and len(away) < groups:
            away.append(box.take())
        if step > 1 and away:
            answer(away.pop(number % len(away)), heard=step == 2)
        assert box.on_the_way == sum(map(len, away))
    for group in away:
        answer(group, heard=False)
    while group := box.take():
        answer(group, heard=True)
    assert {name: list(found) for name, found in stored.items()} == put_in
    assert (box.letters, box.size, box.on_the_way) == (0, 0, 0)


def test_letters_from_a_spool_are_packed_as_others_are() -> None:
    read = msgpack.Decoder(Letter).decode
    box = outbox(batch=3)
    box.put([read(msgpack.encode(letter(number))) for number in range(3)])
    assert ids(box.take()) == ["0,1,2"]


@pytest.mark.parametrize("in_order", [True, False])
def test_names_that_came_once_are_forgotten(in_order: bool) -> None:
    box = outbox(window=20_000, in_order=in_order)
    names = [f"KRW-{number}" for number in range(5_000)]
    box.put([letter(number, name) for name in names for number in (1, 2)])
    while group := box.take():
        for message in group:
            box.confirmed(message)
    assert (box.letters, box.size, box.on_the_way) == (0, 0, 0)
    assert len(vars(box)["_lanes"]) <= 4_096
    box.put([letter(3, name) for name in names])
    assert len(box.take()) == 5_000


def test_of_a_subject_on_its_way_only_what_is_full_follows() -> None:
    box = outbox(in_order=True, window=9, batch=2, groups=3)
    box.put([letter(1)])
    assert ids(box.take()) == ["1"]
    box.put([letter(2), letter(7, "KRW-ETH")])
    assert ids(box.take()) == ["7"]
    box.put([letter(3), letter(4)])
    assert ids(box.take()) == ["2,3"]
    assert box.take() == []


@pytest.mark.parametrize("first_first", [True, False])
def test_nothing_leaves_before_what_goes_again_is_known_whole(first_first: bool) -> None:
    box = outbox(in_order=True, window=90, groups=3)
    box.put([letter(number) for number in range(70)])
    first, second = box.take(), box.take()
    assert (len(first), len(second)) == (30, 30)
    box.confirmed(first[0])
    heard = [first[1:], second] if first_first else [second, first[1:]]
    box.again(heard[0])
    assert (box.held, box.take()) == (True, [])
    box.again(heard[1])
    assert not box.held
    sent = []
    while group := box.take():
        sent += ids(group)
        for message in group:
            box.confirmed(message)
    assert sent == [str(number) for number in range(1, 70)]


class Gapless:
    """A broker with several groups under way: of a subject it stores nothing behind what it did not."""

    def __init__(self, box: Outbox) -> None:
        self.box = box
        self.stored: dict[str, dict[str, None]] = defaultdict(dict)
        self.away: list[list[tuple[Message, bool]]] = []
        self._gaps: set[str] = set()

    def send(self, takes: Callable[[], bool]) -> None:
        group = []
        for message in self.box.take():
            taken = message.subject not in self._gaps and takes()
            if taken:
                self.store(message)
            else:
                self._gaps.add(message.subject)
            group.append((message, taken))
        self.away += [group] if group else []

    def store(self, message: Message) -> None:
        self.stored[message.subject].update(dict.fromkeys(one.identity for one in message.letters))

    def answer(self, position: int) -> None:
        for message, taken in reversed(self.away.pop(position)):
            if taken:
                self.box.confirmed(message)
            elif message.count > 1:
                self.box.apart(message)
            else:
                self.box.again([message])
        if not self.away:
            self._gaps.clear()

    def go_away(self) -> None:
        self.box.recall()
        self.away.clear()
        self._gaps.clear()


@given(
    groups=st.integers(2, 4),
    batch=st.integers(1, 3),
    data=st.data(),
    symbols=st.text("AAAB", min_size=1, max_size=200),
)
def test_several_groups_of_a_broker_that_stores_nothing_behind_a_gap_keep_their_order(
    groups: int, batch: int, data: st.DataObject, symbols: str
) -> None:
    box = outbox(in_order=True, window=6, groups=groups, batch=batch)
    broker = Gapless(box)
    put_in: dict[str, list[str]] = defaultdict(list)
    for number, symbol in enumerate(symbols):
        one = letter(number, symbol)
        put_in[one.subject].append(one.identity)
        box.put([one])
        match data.draw(st.integers(0, 3)):
            case 1 if len(broker.away) < groups:
                broker.send(lambda: data.draw(st.integers(0, 5)) > 0)
            case 2 if broker.away:
                broker.answer(data.draw(st.integers(0, len(broker.away) - 1)))
            case 3 if not number % 7:
                broker.go_away()
        assert box.on_the_way == sum(map(len, broker.away))
    broker.go_away()
    while group := box.take():
        for message in group:
            broker.store(message)
            box.confirmed(message)
    assert {name: list(found) for name, found in broker.stored.items()} == put_in
    assert (box.letters, box.size, box.on_the_way) == (0, 0, 0)
