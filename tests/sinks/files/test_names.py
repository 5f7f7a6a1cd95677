"""File names from codes (RELIABILITY.md H7, S10)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapewire.sinks.files.names import MISC, file_name, parse_file_name, quoted
from tests.sizes import size

_TEXT = st.text(st.characters(), max_size=40) | st.text("./\\%_~:CONAUXcon-0127\x00 ", max_size=12)
_PART = st.tuples(_TEXT, st.sampled_from(["trade", "ticker", "candle.1s", "myOrder", "myorder", "MYORDER"]) | _TEXT)


@pytest.mark.parametrize(
    ("code", "kind", "name"),
    [
        ("KRW-BTC", "trade", "KRW-BTC_trade.jsonl"),
        ("SGD-BTC", "orderbook", "SGD-BTC_orderbook.jsonl"),
        ("KRW-BTC", "candle.1s", "KRW-BTC_candle.1s.jsonl"),
        ("KRW-1INCH", "ticker", "KRW-1INCH_ticker.jsonl"),
        ("krw-btc", "trade", "%6B%72%77-%62%74%63_trade.jsonl"),
        ("../../etc/passwd", "trade", "%2E%2E%2F%2E%2E%2F%65%74%63%2F%70%61%73%73%77%64_trade.jsonl"),
        ("%2e", "trade", "%252%65_trade.jsonl"),
        ("A\x00B", "trade", "A%00B_trade.jsonl"),
        ("A_B", "trade", "A%5FB_trade.jsonl"),
        ("CON", "trade", "%43ON_trade.jsonl"),
        ("COM1", "trade", "%43OM1_trade.jsonl"),
        ("한", "trade", "%ED%95%9C_trade.jsonl"),
        ("KRW-BTC", "1M", "KRW-BTC_1%4D.jsonl"),
        ("KRW-BTC", "myOrder", "KRW-BTC_myOrder.jsonl"),
        ("KRW-BTC", "myorder", "KRW-BTC_%6Dyorder.jsonl"),
        ("KRW-BTC", "MyOrder", "KRW-BTC_%4Dy%4Frder.jsonl"),
    ],
)
def test_a_code_becomes_exactly_this_name_and_comes_back(code: str, kind: str, name: str) -> None:
    assert file_name(code, kind) == name
    assert parse_file_name(name) == (code, kind)


@pytest.mark.parametrize("code", ["", "A" * 300, "한" * 40, "../" * 100])
def test_an_empty_or_over_long_code_has_no_file_of_its_own(code: str) -> None:
    assert file_name(code, "trade") is None


@pytest.mark.parametrize(
    "name",
    [
        MISC,
        "KRW-BTC.jsonl",
        "KRW-BTC_trade.json",
        "krw-btc_trade.jsonl",
        "%ZZ_trade.jsonl",
        "%FF_trade.jsonl",
        "_x.jsonl",
    ],
)
def test_other_files_are_not_taken_for_ours(name: str) -> None:
    assert parse_file_name(name) is None


def test_a_folder_of_any_text_is_short_and_its_own() -> None:
    first, second = quoted("x" * 300 + "1"), quoted("x" * 300 + "2")
    assert first != second
    assert len(first) == len(second) == 200
    assert [quoted(text) for text in ("", "..", "a b")] == ["%", "%2E%2E", "a%20b"]


@settings(max_examples=size(1_000, 10_000), deadline=None)
@given(_PART)
def test_every_name_is_reversible_inside_the_folder_and_short_enough(part: tuple[str, str]) -> None:
    name = file_name(*part)
    if name is None:
        return
    assert parse_file_name(name) == part
    assert name != MISC
    root = Path("/recording")
    assert (root / name).parent == root
    assert Path(f"{root}/{name}").resolve().parent == root
    assert len(name.encode()) <= 255
    assert name.isascii()
    assert not set(name) & set('/\\:*?"<>|\x00 ')


@settings(max_examples=size(1_000, 10_000), deadline=None)
@given(_PART, _PART)
def test_two_codes_never_share_a_file_even_on_a_disk_that_ignores_case(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    names = file_name(*one), file_name(*other)
    if one != other and None not in names:
        assert str(names[0]).lower() != str(names[1]).lower()


@given(st.text("AaBb", max_size=4), st.text("AaBb", max_size=4))
def test_codes_that_differ_by_case_only_have_files_that_differ_by_more(one: str, other: str) -> None:
    if one != other and one and other:
        assert str(file_name(one, "trade")).lower() != str(file_name(other, "trade")).lower()
