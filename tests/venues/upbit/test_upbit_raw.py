"""``keep_raw``: every event keeps the bytes that it was made of."""

from __future__ import annotations

import pytest

from tapewire.venues.registry import get_venue

TRADE = b'{"type":"trade","code":"KRW-BTC","sequential_id":1}'
BOOK = b'{"type":"orderbook","code":"KRW-BTC","orderbook_units":[]}'


@pytest.mark.parametrize(
    ("payload", "raws"),
    [(TRADE, [TRADE]), (b"[" + TRADE + b"]", [TRADE]), (b"[" + TRADE + b" , " + BOOK + b"]", [TRADE, BOOK])],
    ids=["object", "list of one", "list of two"],
)
def test_an_event_of_a_list_keeps_its_own_bytes_not_the_whole_frame(payload: bytes, raws: list[bytes]) -> None:
    codec = get_venue("upbit").codec("DEFAULT", "float", True)
    assert [event.raw for event in codec.read(payload).events] == raws


def test_nothing_is_kept_unasked() -> None:
    assert get_venue("upbit").codec("DEFAULT", "float", False).read(TRADE).events[0].raw is None
