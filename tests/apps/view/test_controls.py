"""Keys in, wishes out."""

from __future__ import annotations

import pytest

from tapewire.apps.cli.view.controls import Controls
from tapewire.apps.cli.view.quotes import Quote

QUOTES = [
    Quote(symbol="KRW-BTC", name="비트코인", rate=0.01, value=9e9),
    Quote(symbol="KRW-ETH", name="이더리움", rate=-0.02, value=8e9),
    Quote(symbol="BTC-ETH", name="이더리움", rate=0.03),
    Quote(symbol="KRW-NOPE"),
]
PRINTED = {"slash": "/", "question_mark": "?", "space": " "}


def press(controls: Controls, *keys: str) -> list[str]:
    """The wishes that these keys (by textual's names) bring."""
    printed = [PRINTED.get(key, key if len(key) == 1 else None) for key in keys]
    wishes = [controls.press(key, character, QUOTES) for key, character in zip(keys, printed, strict=True)]
    return [wish for wish in wishes if wish is not None]


def at(chosen: str = "KRW-BTC") -> Controls:
    return Controls(chosen=chosen)


@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        (("down",), "KRW-ETH"), (("j", "j"), "BTC-ETH"), (("up",), "KRW-BTC"), (("down", "k"), "KRW-BTC"),
        (("pagedown",), "KRW-NOPE"), (("end", "pageup"), "KRW-BTC"), (("end", "home"), "KRW-BTC"),
        (("s", "down"), "KRW-ETH"),  # by name: BTC-ETH KRW-BTC KRW-ETH KRW-NOPE
    ],
)  # fmt: skip
def test_arrows_choose_a_market_and_stop_at_the_ends(keys: tuple[str, ...], chosen: str) -> None:
    controls = at()
    assert press(controls, *keys) == []
    assert controls.chosen == chosen


def test_with_no_markets_nothing_is_chosen() -> None:
    controls = Controls()
    assert controls.press("down", None, []) is None
    assert controls.chosen == ""


@pytest.mark.parametrize(("key", "view"), [("1", "table"), ("2", "ladder"), ("3", "tape"), ("4", "wires")])
def test_digits_choose_the_view_and_end_the_help(key: str, view: str) -> None:
    controls = at()
    press(controls, "question_mark", key)
    assert (controls.view, controls.helping) == (view, False)


def test_help_comes_and_goes() -> None:
    controls = at()
    seen = []
    for key in ("question_mark", "question_mark", "h", "escape"):
        press(controls, key)
        seen.append(controls.helping)
    assert seen == [True, False, True, False]


def test_orders_of_the_table() -> None:
    controls = at()
    orders = []
    for _ in range(5):
        orders.append((controls.order, [quote.symbol for quote in controls.ordered(QUOTES)]))
        press(controls, "s")
    assert orders == [
        ("asked", ["KRW-BTC", "KRW-ETH", "BTC-ETH", "KRW-NOPE"]),
        ("name", ["BTC-ETH", "KRW-BTC", "KRW-ETH", "KRW-NOPE"]),
        ("change", ["BTC-ETH", "KRW-BTC", "KRW-ETH", "KRW-NOPE"]),
        ("value", ["KRW-BTC", "KRW-ETH", "BTC-ETH", "KRW-NOPE"]),
        ("asked", ["KRW-BTC", "KRW-ETH", "BTC-ETH", "KRW-NOPE"]),
    ]


def test_an_order_the_other_way_round_leaves_what_has_no_figure_at_the_end() -> None:
    controls = at()
    press(controls, "s", "s", "S")
    assert [quote.symbol for quote in controls.ordered(QUOTES)] == ["KRW-ETH", "KRW-BTC", "BTC-ETH", "KRW-NOPE"]
    press(controls, "s")
    assert [quote.symbol for quote in controls.ordered(QUOTES)] == ["KRW-ETH", "KRW-BTC", "BTC-ETH", "KRW-NOPE"]
    press(controls, "s")
    assert [quote.symbol for quote in controls.ordered(QUOTES)] == ["KRW-NOPE", "BTC-ETH", "KRW-ETH", "KRW-BTC"]


def test_pause_and_colours_are_switches() -> None:
    controls = at()
    press(controls, "p", "c")
    assert (controls.paused, controls.eastern) == (True, True)
    press(controls, "space", "c")
    assert (controls.paused, controls.eastern) == (False, False)


def test_search_jumps_to_the_first_match_of_code_or_name() -> None:
    controls = at()
    assert press(controls, "slash", "e", "t", "h") == []
    assert (controls.search, controls.chosen) == ("eth", "KRW-ETH")
    assert [quote.symbol for quote in controls.matches(QUOTES)] == ["KRW-ETH", "BTC-ETH"]
    press(controls, "down")
    assert controls.chosen == "BTC-ETH"
    press(controls, "down")
    assert controls.chosen == "KRW-ETH"
    press(controls, "up", "enter")
    assert (controls.search, controls.chosen) == (None, "BTC-ETH")
    press(controls, "slash", "더")
    assert controls.chosen == "BTC-ETH", "the chosen one stays while it matches"


def test_search_given_up_goes_back_and_letters_in_it_are_no_commands() -> None:
    controls = at("KRW-ETH")
    assert press(controls, "slash", "q", "backspace", "n", "o") == []
    assert controls.chosen == "KRW-NOPE"
    press(controls, "escape")
    assert (controls.search, controls.chosen, controls.paused) == (None, "KRW-ETH", False)


def test_what_nothing_matches_changes_nothing_and_a_search_has_an_end() -> None:
    controls = at("KRW-ETH")
    press(controls, "slash", *"zz" * 40)
    assert controls.search == "z" * 30
    assert (controls.matches(QUOTES), controls.chosen) == ([], "KRW-ETH")


def test_quitting() -> None:
    assert press(at(), "q") == ["quit"]
    assert press(at(), "ctrl+q") == ["quit"]
    assert press(at(), "ctrl+c") == ["interrupt"]
    assert press(at(), "slash", "ctrl+c") == ["interrupt"], "also while searching"
    assert press(at(), "x", "f5", "left") == []
