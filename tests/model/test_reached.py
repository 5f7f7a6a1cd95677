"""How far a stream came: a value that can be compared, and says the least when little is known."""

from __future__ import annotations

from tapewire.model.reached import Reached
from tapewire.model.subscription import Subscription


def test_it_is_a_value() -> None:
    trades = Subscription("trade", "KRW-BTC")
    assert Reached(trades, 7) == Reached(trades, 7, last_timestamp=None, ids=())
    assert len({Reached(trades, 7, 5, (1, 2)), Reached(trades, 7, 5, (1, 2)), Reached(trades, 8, 5, (1, 2))}) == 2
