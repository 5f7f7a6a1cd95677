"""Events as columns: nothing is lost on the way there and back, exact numbers stay exact (H5)."""

from __future__ import annotations

import types
import typing
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tapewire import decode
from tapewire.model.events import EVENT_CLASSES, Event, TradeEvent
from tapewire.sinks.files.columns import EXACT, events_of, schema_of, table_of
from tests.sizes import NIGHTLY

WIDE = Context(prec=60)
CAPTURE = Path(__file__).parents[2] / "data" / "upbit" / "all_simple_cryptofeed-2021-04-17.jsonl"


def recorded() -> list[Event]:
    return [event for line in CAPTURE.read_bytes().splitlines() for event in decode("upbit", line, 7)]


@pytest.mark.parametrize("kind", ["trade", "orderbook"])
def test_recorded_events_come_back_equal_through_a_file(tmp_path: Path, kind: str) -> None:
    events = [event for event in recorded() if event.kind == kind]
    assert len(events) > 100
    pq.write_table(table_of(kind, events), tmp_path / "x.parquet")
    assert events_of(pq.read_table(tmp_path / "x.parquet")) == events


_EXACT_NUMBERS = st.integers(-(10**37), 10**37).map(lambda units: Decimal(units).scaleb(-18, WIDE).normalize(WIDE))


def value(hint: Any, *, exact: bool) -> st.SearchStrategy[Any]:
    """Any value that a field of this type may have."""
    text = str(hint)
    if text == "typing.Any":
        return st.none() | st.lists(st.integers(0, 9), max_size=2)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        options = [_value(kind, exact=exact) for kind in kinds]
        return st.one_of(*options, *([st.none()] if len(kinds) < len(typing.get_args(hint)) else []))
    return _value(hint, exact=exact)


def _value(kind: Any, *, exact: bool) -> st.SearchStrategy[Any]:
    if kind is float:
        return _EXACT_NUMBERS if exact else st.floats(allow_nan=False)
    if typing.get_origin(kind) is dict:
        return st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2)
    if typing.get_origin(kind) is list:
        return st.lists(_value(typing.get_args(kind)[0], exact=exact), max_size=3)
    if isinstance(kind, type) and hasattr(kind, "__struct_fields__"):
        hints = typing.get_type_hints(kind)
        return st.builds(kind, **{n: _value(_bare(hints[n]), exact=exact) for n in kind.__struct_fields__})
    if typing.get_origin(kind) is typing.Literal:
        return st.sampled_from(typing.get_args(kind))
    plain: dict[Any, st.SearchStrategy[Any]] = {
        Decimal: _EXACT_NUMBERS, int: st.integers(-(2**63), 2**63 - 1), bool: st.booleans(), str: st.text(max_size=9),
    }  # fmt: skip
    return plain[kind]


def _bare(hint: Any) -> Any:
    options = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    return options[0] if typing.get_origin(hint) is not list and len(options) == 1 else hint


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", sorted(EVENT_CLASSES))
@pytest.mark.parametrize("exact", [False, True])
@settings(max_examples=200 if NIGHTLY else 8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_event_comes_back_equal(kind: str, *, exact: bool, data: st.DataObject) -> None:
    cls = EVENT_CLASSES[kind]
    hints = typing.get_type_hints(cls)
    fields = {n: value(hints[n], exact=exact) for n in cls.__struct_fields__ if n not in ("raw", "venue", "symbol")}
    event = data.draw(st.builds(cls, venue=st.just("upbit"), symbol=st.text(max_size=9), **fields))
    numbers: Any = "decimal" if exact else "float"
    assert events_of(table_of(kind, [event, event], numbers)) == [event, event]


def test_exact_numbers_are_exact_and_units_stand_in_the_schema() -> None:
    [trade] = [event for event in recorded() if isinstance(event, TradeEvent)][:1]
    exact = replace(trade, trade_price=Decimal("0.000000000000000001"), trade_volume=Decimal("12345678901234567890.5"))
    [back] = events_of(table_of("trade", [exact], "decimal"))
    assert (back.trade_price, back.trade_volume) == (exact.trade_price, exact.trade_volume)
    schema = schema_of("trade", "decimal")
    assert schema.field("trade_price").type == EXACT
    assert schema.field("timestamp").metadata == {b"unit": b"ms since 1970, UTC"}
    assert schema.field("received_ns").metadata == {b"unit": b"ns since 1970, UTC"}
    assert schema_of("myOrder").field("price").type == EXACT, "orders are exact whatever was asked"


def test_a_number_too_long_is_an_error_and_not_rounded() -> None:
    [trade] = [event for event in recorded() if isinstance(event, TradeEvent)][:1]
    with pytest.raises(pa.ArrowInvalid):
        table_of("trade", [replace(trade, trade_price=Decimal("1e-19"))], "decimal")
