"""Events as lines: nothing is lost on the way there and back, exact numbers stay exact (H5)."""

from __future__ import annotations

import typing
from decimal import Decimal
from functools import cache
from math import isinf
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tapewire.client.converting import LineReader
from tapewire.model.events import EVENT_CLASSES, Event, IndicatorEvent, OrderbookEvent, OrderbookUnit, TradeEvent
from tapewire.sinks.files.columns import events_of, table_of
from tapewire.sinks.files.event_lines import event_reader, kind_of_line
from tests.sinks.files.test_columns import value
from tests.sizes import NIGHTLY, size


def encoded(event: Any) -> bytes:
    return msgspec.json.encode(event)


@cache
def events(kind: str, *, exact: bool) -> st.SearchStrategy[Event]:
    """Any event of a kind."""
    cls = EVENT_CLASSES[kind]
    hints = typing.get_type_hints(cls)
    fields = {n: value(hints[n], exact=exact) for n in cls.__struct_fields__ if n not in ("raw", "venue", "symbol")}
    return st.builds(cls, venue=st.just("upbit"), symbol=st.text(max_size=9), **fields)


@pytest.mark.timeout(600 if NIGHTLY else 120)
@settings(max_examples=size(60, 10_000), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(sorted(EVENT_CLASSES)), exact=st.booleans(), data=st.data())
def test_any_event_comes_back_equal_from_its_line_and_from_the_column_made_of_it(
    *, kind: str, exact: bool, data: st.DataObject
) -> None:
    event = data.draw(events(kind, exact=exact))
    assume(not _is_endless(msgspec.to_builtins(event)))
    line = encoded(event)
    numbers: Any = "decimal" if exact else "float"
    assert kind_of_line(line) == kind
    [back] = LineReader("upbit", numbers).read(line + b"\n")
    assert type(back) is type(event)
    assert back == event
    assert events_of(table_of(kind, [back], numbers)) == [event]


def _is_endless(held: Any) -> bool:
    """Whether there is an infinite number somewhere, which JSON has no word for and no exchange sends."""
    if isinstance(held, dict | list):
        return any(map(_is_endless, held.values() if isinstance(held, dict) else held))
    return isinstance(held, float) and isinf(held)


def test_numbers_are_read_exactly_as_they_stand_there() -> None:
    line = b'{"type":"trade","venue":"okx","symbol":"x","trade_price":"0.10","trade_volume":1e-18}'
    exact, plain = event_reader("trade", "decimal")(line), event_reader("trade")(line)
    assert [repr(value) for value in _numbers(exact)] == ["Decimal('0.10')", "Decimal('1E-18')"]
    assert [repr(value) for value in _numbers(plain)] == ["0.1", "1e-18"]


def _numbers(event: Event) -> tuple[object, object]:
    assert isinstance(event, TradeEvent)
    return event.trade_price, event.trade_volume


def test_levels_of_a_book_are_exact_too() -> None:
    levels: Any = [OrderbookUnit(*map(Decimal, ("1.50", "1", "2", "3")))]  # type: ignore[arg-type]
    book = OrderbookEvent(venue="upbit", symbol="x", orderbook_units=levels)
    assert event_reader("orderbook", "decimal")(encoded(book)) == book
    assert event_reader("orderbook", "decimal")(b'{"type":"orderbook","venue":"upbit","symbol":"x"}').symbol == "x"


def test_numbers_of_no_fixed_name_are_exact_in_columns_too() -> None:
    value: Any = {"rsi": Decimal("0.1")}
    event = IndicatorEvent(venue="upbit", symbol="x", timeframe="1m", indicator="RSI", value=value)
    [back] = LineReader("upbit", "decimal").read(encoded(event))
    assert back == event
    assert events_of(table_of("indicator", [back], "decimal")) == [event]


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"trade","code":"KRW-BTC","trade_price":1}', b'{"type":"gap","venue":"upbit"}', b"[1]", b"",
        b'{"type":"\xff","venue":"upbit"}',
    ],
)  # fmt: skip
def test_what_is_no_event_of_ours_is_not_taken_for_one(line: bytes) -> None:
    assert kind_of_line(line) is None


def test_a_kind_that_is_none_has_no_reader() -> None:
    with pytest.raises(KeyError):
        event_reader("trades")
