"""What Upbit says of its limits (spec/upbit.md section 7)."""

from __future__ import annotations

import pytest

from tapewire.venues.contract import Remaining, Window
from tapewire.venues.registry import get_venue
from tapewire.venues.upbit.limits import read_block, read_remaining, rest_group


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("/v1/market/all?is_details=true", "market"),
        ("/v1/candles/minutes/1?market=KRW-BTC", "candles"),
        ("/v1/trades/ticks?market=KRW-BTC", "crix-trades"),
        ("/v1/ticker?markets=KRW-BTC", "ticker"),
        ("/v1/orderbook/instruments?markets=KRW-BTC", "orderbook"),
        ("/v1/orders/open", "default"),
        ("/v1/accounts", "default"),
        ("/", "default"),
    ],
)
def test_each_path_has_its_group(path: str, group: str) -> None:
    assert rest_group(path) == group


@pytest.mark.parametrize(
    ("header", "remaining"),
    [
        ("group=default; min=1800; sec=29", Remaining("default", 29, 1.0)),
        ("group=crix-trades;min=600;sec=0", Remaining("crix-trades", 0, 1.0)),
        ("group=new-one; sec=9; day=7", Remaining("new-one", 9, 1.0)),
        ("group=default; min=1800", None),
        ("sec=9", None),
        ("group=default; sec=many", None),
        ("", None),
    ],
)
def test_what_is_left_is_read_by_the_name_it_comes_with(header: str, remaining: Remaining | None) -> None:
    assert read_remaining({"remaining-req": header}) == remaining
    assert read_remaining({}) is None


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (b"I'm a teapot. Blocked for 40 seconds.", 40.0),
        (b'{"error":{"name":"too_many","message":"retry in 2.5 s"}}', 2.5),
        ("10분 동안 차단되었습니다.".encode(), 600.0),
        ("60초".encode(), 60.0),
        (b"blocked for 1 hour", 3600.0),
        ("2시간".encode(), 7200.0),
        (b"3 mins", 180.0),
        (b"Too many API requests.", None),
        (b"\xff\xfe 418", None),
    ],
)
def test_the_length_of_a_block_is_read_from_its_text(body: bytes, seconds: float | None) -> None:
    assert read_block(body) == seconds


@pytest.mark.parametrize(("venue", "orders"), [("upbit", 12), ("upbit-sg", 8)])
def test_the_windows_of_section_7_2(venue: str, orders: int) -> None:
    facts = get_venue(venue).facts
    assert facts.rest_groups == {
        "market": (Window(10, 1.0),), "candles": (Window(10, 1.0),), "crix-trades": (Window(10, 1.0),),
        "ticker": (Window(10, 1.0),), "orderbook": (Window(10, 1.0),), "default": (Window(30, 1.0),),
        "order": (Window(orders, 1.0),), "order-test": (Window(8, 1.0),), "order-cancel-all": (Window(1, 2.0),),
    }  # fmt: skip
    assert facts.signed_groups == {"default", "order", "order-test", "order-cancel-all"}
