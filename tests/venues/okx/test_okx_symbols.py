"""OKX's instrument ids (spec/okx.md A6.6)."""

from __future__ import annotations

import pytest

from tapewire.venues.okx.symbols import EXAMPLES, guess, in_contracts, split


@pytest.mark.parametrize(
    ("symbol", "said", "counted"),
    [
        ("BTC-USDT", ("SPOT", "BTC", "USDT"), False),
        ("BTC-USD-SWAP", ("SWAP", "BTC", "USD"), True),
        ("BTC-USDT-261225", ("FUTURES", "BTC", "USDT"), True),
        ("BTC-USD-261225-50000-C", ("OPTION", "BTC", "USD"), True),
        ("BTC-USD-261225-0.5-P", ("OPTION", "BTC", "USD"), True),
        ("ETH-USD-SWAP_ETH-USD-231229", None, True),
        ("BTC", None, True),
        ("", None, True),
    ],
)
def test_an_id_says_its_type_base_and_quote(symbol: str, said: tuple[str, str, str] | None, counted: bool) -> None:
    assert split(symbol) == said
    assert in_contracts(symbol) is counted


def test_the_examples_are_one_of_each_type() -> None:
    types = [parts.type for parts in map(split, EXAMPLES) if parts is not None]
    assert types == ["SPOT", "SWAP", "FUTURES", "OPTION"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("btc/usdt", "BTC-USDT"), (" btc_usdt:swap ", "BTC-USDT-SWAP"), ("BTCUSDT", None), ("", None), (7, None)],
)
def test_a_malformed_id_is_guessed(written: object, meant: str | None) -> None:
    assert guess(written) == meant


def test_what_is_no_text_is_no_id() -> None:
    assert split(None) is None
