"""``check_sink``: the list that every broker sink must pass, against a real broker that is killed and paused."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from tapewire.errors import SinkError
from tapewire.model.events import OrderbookEvent, OrderbookUnit, TickerEvent, TradeEvent
from tapewire.sinks.brokers.identity import event_id
from tapewire.sinks.brokers.letters import unpack
from tapewire.sinks.contract import Item, Sink

#: Seconds that any step of a check may take.
PATIENCE = 60.0
_SYMBOLS = ("KRW-BTC", "KRW-ETH", "KRW-XRP")


class Broker(Protocol):
    """A server of its own that a check may torment; it keeps what it has confirmed when it is killed.

    Attributes:
        address: with credentials that are good; refused_address: with some that are not; secret: the password.
    """

    @property
    def address(self) -> str: ...
    @property
    def refused_address(self) -> str: ...
    @property
    def secret(self) -> str: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...
    def pause(self) -> None:
        """It answers nobody any more, and loses nothing (``SIGSTOP``)."""

    def resume(self) -> None: ...
    def stored(self) -> Sequence[tuple[Mapping[str, str], bytes]]:
        """Headers and payload of every message that it has, each subject's in their order."""
        ...


class SinkCase(Struct, frozen=True, kw_only=True):
    """What the author of a sink knows of it.

    Attributes:
        make: makes a sink for an address, with the options of ``BrokerOptions``.
        broker: not started; each question starts it, and kills it at its end.
        empty: have the broker forget everything (it is not running).
        folder: an empty one, for spools.
        poison: makes an event that this broker will never take; the broker runs.
        outage: seconds for which the broker is away.
        events: how many are written to each of three markets.
        options: of every sink that is made.
    """

    make: Callable[..., Sink]
    broker: Broker
    empty: Callable[[], None]
    folder: Path
    poison: Callable[[], Item]
    outage: float = 1.0
    events: int = 300
    options: Mapping[str, Any] = {}

    def sink(self, address: str = "", **options: Any) -> Sink:
        """One more sink."""
        return self.make(address or self.broker.address, **{**self.options, **options})


def everything_arrives_whole_and_in_order(case: SinkCase) -> None:
    """What is read back is equal to what was written."""
    events = [*_trades(0, case.events), *_others()]
    with _open(case.sink()) as sink:
        sink.write(events)
        sink.flush()
        _expect(_arrived(case), events)
        counted = sum(row.events for row in sink.written())
    _check(counted == len(events), f"written() tells of {counted} events, {len(events)} arrived")


def flush_returns_when_the_broker_has_it(case: SinkCase) -> None:
    """A broker that is killed right after ``flush`` has everything when it is back."""
    events = _trades(0, case.events)
    sink = case.sink()
    sink.open()
    try:
        sink.write(events)
        sink.flush()
    finally:
        case.broker.kill()
        sink.close()
    case.broker.start()
    _expect(_arrived(case), events)


def equal_events_have_equal_ids(case: SinkCase) -> None:
    """Two collectors tell the same: whoever drops by id has each once."""
    events = _trades(0, 20)
    with _open(case.sink()) as one, _open(case.sink()) as other:
        for sink in (one, other):
            sink.write(events)
            sink.flush()
    ids = {one for headers, _ in case.broker.stored() for one in _ids(headers)}
    expected = {event_id(event).rpartition("|")[2] for event in events}
    _check(ids <= expected, f"ids that no event has: {sorted(ids - expected)[:3]}")
    _expect(_arrived(case), events)


def a_restart_in_mid_stream_loses_nothing(case: SinkCase) -> None:
    """The broker is killed while it is written to, and started again."""
    events = _trades(0, case.events)
    third = len(events) // 3
    with _open(case.sink(spool=str(case.folder / "spool"))) as sink:
        sink.write(events[:third])
        case.broker.kill()
        sink.write(events[third : 2 * third])
        case.broker.start()
        sink.write(events[2 * third :])
        _until_confirmed(sink, len(events))
    _expect(_arrived(case), events)


def an_outage_is_survived(case: SinkCase) -> None:
    """The broker is away for ``outage`` seconds; writing goes on at once, and all comes when it is back."""
    events = _trades(0, case.events)
    with _open(case.sink(spool=str(case.folder / "spool"), connect_timeout=2.0)) as sink:
        sink.write(events[:3])
        sink.flush()
        case.broker.kill()
        for start in range(3, len(events), 30):
            _within(sink.write, events[start : start + 30])
        _within(sink.flush)
        threading.Event().wait(case.outage)
        case.broker.start()
        _until_confirmed(sink, len(events))
    _expect(_arrived(case), events)


def what_waits_is_sent_by_the_next_process(case: SinkCase) -> None:
    """The program ends while the broker is away."""
    events, spool = _trades(0, case.events), str(case.folder / "spool")
    half = len(events) // 2
    sink = case.sink(spool=spool)
    sink.open()
    case.broker.kill()
    sink.write(events[:half])
    _within(sink.close)
    case.broker.start()
    with _open(case.sink(spool=spool)) as sink:
        sink.write(events[half:])
        _until_confirmed(sink, len(events))
    _expect(_arrived(case), events)


def a_slow_broker_costs_no_memory(case: SinkCase) -> None:
    """It stops answering: what is written goes to disk, and is sent when it goes on."""
    events = _trades(0, case.events)
    with _open(case.sink(spool=str(case.folder / "spool"), memory=20_000, confirm_timeout=1.0)) as sink:
        case.broker.pause()
        try:
            for start in range(0, len(events), 10):
                _within(sink.write, events[start : start + 10])
        finally:
            case.broker.resume()
        _until_confirmed(sink, len(events))
    _expect(_arrived(case), events)


def without_a_spool_writing_waits(case: SinkCase) -> None:
    """Memory is bounded: whoever writes more than it holds waits until the broker goes on."""
    events = _trades(0, case.events)
    with _open(case.sink(memory=20_000, confirm_timeout=1.0)) as sink:
        case.broker.pause()
        writing = threading.Thread(target=_write_by_tens, args=(sink, events), daemon=True)
        writing.start()
        writing.join(case.outage)
        held_up = writing.is_alive()
        case.broker.resume()
        writing.join(PATIENCE)
        _check(not writing.is_alive(), "writing went on waiting when the broker answered again")
        _until_confirmed(sink, len(events))
    _check(held_up, f"{len(events)} events found room in 20,000 bytes of memory")
    _expect(_arrived(case), events)


def a_poison_message_costs_nothing_but_itself(case: SinkCase) -> None:
    """What the broker will never take is set aside; what was written before and after arrives."""
    before, after = _trades(0, 20), _trades(20, 40)
    poison = case.poison()
    with _open(case.sink(spool=str(case.folder / "spool"))) as sink:
        sink.write([*before, poison, *after])
        _until_confirmed(sink, len(before) + len(after))
        _within(sink.flush)
    _expect(_arrived(case), [*before, *after])


def wrong_credentials_are_told_at_once(case: SinkCase) -> None:
    """``open`` fails, and what it says holds no password."""
    sink = case.sink(case.broker.refused_address)
    said = _refusal(sink)
    _check(said, "open() took credentials that the broker refuses")
    for text in (*said, repr(sink), repr(vars(sink))):
        _check(case.broker.secret not in text, "the password is shown")


def nobody_there_is_told_at_once(case: SinkCase) -> None:
    """``open`` fails with the address, without the password."""
    case.broker.kill()
    said = _refusal(case.sink())
    _check(said, "open() found a broker where none is")
    _check("127.0.0.1" in said[0] or "localhost" in said[0], f"where nobody is, is not said: {said[0]}")
    _check(case.broker.secret not in "".join(said), "the password is shown")


#: What is asked, in this order: the name of each question says what must be true.
QUESTIONS: Mapping[str, Callable[[SinkCase], None]] = {
    question.__name__: question
    for question in (
        everything_arrives_whole_and_in_order,
        flush_returns_when_the_broker_has_it,
        equal_events_have_equal_ids,
        a_restart_in_mid_stream_loses_nothing,
        an_outage_is_survived,
        what_waits_is_sent_by_the_next_process,
        a_slow_broker_costs_no_memory,
        without_a_spool_writing_waits,
        a_poison_message_costs_nothing_but_itself,
        wrong_credentials_are_told_at_once,
        nobody_there_is_told_at_once,
    )
}


def ask(question: str, case: SinkCase) -> None:
    """One question, with a broker that is new. Raises AssertionError: not answered well."""
    case.empty()
    case.broker.start()
    try:
        QUESTIONS[question](case)
    finally:
        case.broker.kill()


def check_sink(case: SinkCase) -> tuple[str, ...]:
    """Ask every question of the list; for one test each, call ``ask`` with the names in ``QUESTIONS``.

    Returns:
        the names of the questions, all of them answered well.

    Raises:
        AssertionError: names each question that was not, and what was found.
    """
    failed: list[str] = []
    for name in QUESTIONS:
        try:
            ask(name, case)
        except (AssertionError, SinkError) as error:
            failed.append(f"{name}: {error}")
    _check(not failed, "\n".join(failed))
    return tuple(QUESTIONS)


def _check(good: object, words: str) -> None:
    if not good:
        raise AssertionError(words)


def _trades(start: int, end: int) -> list[Item]:
    return [
        TradeEvent(venue="upbit", symbol=symbol, trade_price=float(n), trade_volume=0.5, sequential_id=n,
                   timestamp=n + 1, received_ns=n * 1_000 + 1)
        for n in range(start, end) for symbol in _SYMBOLS
    ]  # fmt: skip


def _others() -> list[Item]:
    units = [OrderbookUnit(ask_price=2.0, bid_price=1.0, ask_size=3.0, bid_size=4.0)]
    return [
        TickerEvent(venue="okx", symbol="BTC-USD_UM-SWAP", trade_price=1.5, timestamp=7),
        OrderbookEvent(venue="upbit-sg", symbol="SGD-한", orderbook_units=units, timestamp=8, stream_type="SNAPSHOT"),
    ]


@contextmanager
def _open(sink: Sink) -> Iterator[Sink]:
    sink.open()
    try:
        yield sink
    finally:
        _within(sink.close)


def _within(call: Callable[..., None], *given: Any) -> None:
    """Raises AssertionError: it hangs."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            call(*given)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    _check(not thread.is_alive(), f"{call.__name__} took longer than {PATIENCE:g} s")
    if failed:
        raise failed[0]


def _write_by_tens(sink: Sink, events: Sequence[Item]) -> None:
    for start in range(0, len(events), 10):
        sink.write(events[start : start + 10])


def _until_confirmed(sink: Sink, events: int) -> None:
    patience = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if sum(row.events for row in sink.written()) >= events:
            return
        patience.wait(0.02)
    raise AssertionError(f"{sum(row.events for row in sink.written())} of {events} events were confirmed")


def _refusal(sink: Sink) -> tuple[str, ...]:
    """What ``open`` said when it failed, in every form; empty: it did not."""
    try:
        _within(sink.open)
    except SinkError as error:
        return str(error), repr(error), repr(vars(error)), repr(error.__cause__)
    sink.close()
    return ()


def _ids(headers: Mapping[str, str]) -> list[str]:
    return headers["tw-ids"].split(",") if "tw-ids" in headers else []


def _arrived(case: SinkCase) -> dict[tuple[str, str], list[Item]]:
    """The events that the broker has, by venue and symbol, doubles dropped by their ids."""
    found: dict[tuple[str, str], dict[str, Item]] = defaultdict(dict)
    for headers, payload in case.broker.stored():
        for event in unpack(headers, payload):
            found[event.venue, getattr(event, "symbol", "")].setdefault(event_id(event), event)
    return {place: list(events.values()) for place, events in found.items()}


def _expect(arrived: Mapping[tuple[str, str], Sequence[Item]], events: Sequence[Item]) -> None:
    expected: dict[tuple[str, str], list[Item]] = defaultdict(list)
    for event in events:
        expected[event.venue, getattr(event, "symbol", "")].append(event)
    for place, wanted in expected.items():
        there = list(arrived.get(place, ()))
        missing = [event_id(event) for event in wanted if event not in there]
        _check(not missing, f"{len(missing)} of {len(wanted)} events of {place} are missing: {missing[:3]}")
        _check(there == wanted, f"the events of {place} are not in their order")
    more = {place: len(found) for place, found in arrived.items() if place not in expected}
    _check(not more, f"events that nobody wrote: {more}")
