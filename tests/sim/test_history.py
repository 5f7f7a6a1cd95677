"""Published trades as REST gives them: newest executed first, though some were published late."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tapewire.model.events import TradeEvent
from tapewire.sim.history import History


@given(
    told=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=60),
    before=st.integers(0, 60),
    count=st.integers(1, 12),
    size=st.integers(1, 70),
)
def test_the_newest_are_what_sorting_all_would_give(
    told: list[tuple[int, int]], before: int, count: int, size: int
) -> None:
    history, trades = History(size), []
    published = 0
    for number, (late, pause) in enumerate(told):
        published += pause
        executed = max(0, published - late)
        trades.append(
            TradeEvent(
                venue="upbit", symbol="KRW-BTC", timestamp=published, trade_timestamp=executed, sequential_id=number
            )
        )
    history.extend(trades)
    older = [one for one in trades[-size:] if (one.trade_timestamp or 0) < before]
    expected = sorted(older, key=lambda one: (one.trade_timestamp or 0, one.sequential_id or 0), reverse=True)
    assert history.newest(lambda one: (one.trade_timestamp or 0) < before, count) == expected[:count]


def test_it_looks_no_further_back_than_it_must() -> None:
    history = History(1_000)
    history.extend(
        TradeEvent(venue="upbit", symbol="KRW-BTC", timestamp=at, trade_timestamp=at, sequential_id=at)
        for at in range(1, 901)
    )
    looked: list[TradeEvent] = []

    def any_trade(trade: TradeEvent) -> bool:
        looked.append(trade)
        return True

    assert [one.sequential_id for one in history.newest(any_trade, 3)] == [900, 899, 898]
    assert len(looked) == 3
