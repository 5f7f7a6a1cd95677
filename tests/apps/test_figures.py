"""Counting, the account of every trade, the board and the summary."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console

from tapewire.apps.cli.board import Board
from tapewire.apps.cli.recorded import recorded_trades
from tapewire.apps.cli.summary import show, summarise
from tapewire.apps.cli.tally import Tally
from tapewire.model import status
from tapewire.model.events import (
    Asset,
    CandleEvent,
    MyAssetEvent,
    MyOrderEvent,
    OrderbookEvent,
    OrderbookUnit,
    TickerEvent,
    TradeEvent,
)
from tapewire.model.line import Loss
from tapewire.model.subscription import Subscription
from tapewire.sinks.contract import Item
from tapewire.sinks.registry import get_sink

FROM: dict[str, Any] = {"venue": "upbit", "connection": "upbit-1", "at_ns": 2_000_000_000}


def trade(number: int, at: int = 0, symbol: str = "KRW-BTC", received_ms: int = 0) -> TradeEvent:
    return TradeEvent(
        venue="upbit", symbol=symbol, sequential_id=number, timestamp=at, stream_type="REALTIME", ask_bid="BID",
        trade_price=100.0, trade_volume=0.5, received_ns=received_ms * 1_000_000,
    )  # fmt: skip


def gap(state: status.GapState, symbol: str = "KRW-BTC", kind: str = "trade", **known: Any) -> status.Gap:
    subscription = Subscription(kind, symbol)
    return status.Gap(**FROM, subscription=subscription, cause="closed", state=state, **{"from_ns": 1, **known})


STORY: list[Item] = [
    status.Connected(**FROM, url="ws://x", reconnect=0),
    trade(1, at=1000, received_ms=1002),
    TickerEvent(venue="upbit", symbol="KRW-BTC", trade_price=100.0, change="RISE", signed_change_rate=0.01,
                best_bid_price=99.0, best_ask_price=101.0, stream_type="SNAPSHOT", timestamp=0, received_ns=10**18),
    CandleEvent(venue="upbit", symbol="KRW-BTC", unit="1s", low_price=1.0, high_price=2.0, trade_price=1.5),
    OrderbookEvent(venue="upbit", symbol="KRW-ETH", orderbook_units=[OrderbookUnit(2.0, 1.0, 4.0, 3.0)]),
    status.Disconnected(**FROM, loss=Loss("closed", 1001), attempt=1, retry_in=1.0),
    gap("open", last_id=1),
    status.Connected(**FROM, url="ws://x", reconnect=1),
    gap("unfilled", last_id=1, first_id=5, last_timestamp=1000, first_timestamp=1500, to_ns=10),
    gap("full_state", kind="ticker", to_ns=10),
    status.Lagged(**FROM, subscriber="x", rule="drop_oldest", dropped=3, total_dropped=3, size=1),
    status.Quarantined(**FROM, reason="x", payload=b"x", count=1),
    trade(5, at=1500, received_ms=1510),
]  # fmt: skip


def told(story: list[Item]) -> Tally:
    tally = Tally()
    for item in story:
        tally.add(item)
    return tally


def test_the_tally_counts_rows_of_the_ledger_once_and_latency_of_realtime_only() -> None:
    tally = told(STORY)
    assert dict(tally.received) == {"trade": 2, "ticker": 1, "candle.1s": 1, "orderbook": 1}
    assert (tally.total, tally.reconnects, tally.dropped, tally.quarantined) == (5, 1, 3, 1)
    assert [row.state for row in tally.gaps.values()] == ["unfilled", "full_state"]
    assert [row.first_id for row in tally.missed] == [5]
    assert (tally.latency_ms(0.0), tally.latency_ms(0.99)) == (2.0, 10.0)
    assert tally.connected == {"upbit-1"}
    assert Tally().latency_ms(0.5) is None


def test_the_account_reads_the_files_themselves(tmp_path: Path) -> None:
    line = '{"type":"trade","code":"KRW-BTC","sequential_id":17,"trade_price":1.0,"timestamp":5}\n'
    (tmp_path / "KRW-BTC_trade.jsonl").write_text(line)
    (tmp_path / "KRW-BTC_ticker.jsonl").write_text('{"type":"ticker","code":"KRW-BTC"}\n')
    (tmp_path / "misc.jsonl").write_text('{"raw":"x"}\n')
    assert [(one.symbol, one.sequential_id) for one in recorded_trades(tmp_path, "upbit")] == [("KRW-BTC", 17)]


def drawn(board: Board, width: int, height: int) -> list[str]:
    output = io.StringIO()
    Console(file=output, width=width, height=height).print(board.render(width, height))
    return [line.rstrip() for line in output.getvalue().splitlines()]


def board_of(symbols: tuple[str, ...], story: list[Item]) -> Board:
    tally, seconds = Tally(), iter(range(1000))
    kinds = frozenset({"ticker", "trade", "orderbook", "candle"})
    board = Board(symbols, kinds, lambda: "a title", lambda: float(next(seconds)), tally)
    for item in story:
        tally.add(item)
        board.add(item)
    return board


def test_the_board_shows_each_market_and_the_newest_steps_within_eighty_columns() -> None:
    lines = drawn(board_of(("KRW-BTC", "KRW-ETH"), STORY), 80, 24)
    assert lines[0].startswith("a title  ● connected  5 events")
    assert lines[1].split() == ["Market", "Price", "Change", "Bid", "Ask", "Last", "Age"]
    assert lines[2].split()[:7] == ["KRW-BTC", "100", "+1.00%", "99", "101", "buy", "0.5"]
    assert lines[3].split()[:5] == ["KRW-ETH", "–", "–", "1", "2"]
    assert any("connected again (1)" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_what_has_no_column_is_a_line_below_the_table() -> None:
    balance = MyAssetEvent(venue="upbit", symbol="", assets=[Asset("BTC", Decimal("0.5"), Decimal(0))])
    order = MyOrderEvent(venue="upbit", symbol="KRW-BTC", uuid="o-1", ask_bid="ASK", order_type="market", state="wait")
    lines = drawn(board_of(("KRW-BTC",), [*STORY, balance, order]), 80, 24)
    assert [" ".join(line.split()[2:]) for line in lines[-2:]] == [
        "myAsset BTC 0.5 (0 locked)",
        "KRW-BTC myOrder wait: sell market – at – left – order o-1",
    ]


def test_a_wide_terminal_shows_more_columns() -> None:
    header = drawn(board_of(("KRW-BTC",), STORY), 150, 24)[1]
    assert "24 h volume" in header
    assert "Spread" in header
    assert "Candle low – high" in header


def test_a_small_terminal_shows_whole_prices_of_more_markets_rather_than_cut_columns() -> None:
    board = board_of(("KRW-BTC", "KRW-ETH", "KRW-XRP"), STORY)
    lines = drawn(board, 40, 10)
    assert lines[1].split() == ["Market", "Price", "Change", "Age"]
    assert [line.split()[0] for line in lines[2:5]] == ["KRW-BTC", "KRW-ETH", "KRW-XRP"]
    assert lines[2].split()[:3] == ["KRW-BTC", "100", "+1.00%"]
    assert max(map(len, lines)) <= 40
    assert len(lines) < 10


def test_more_markets_than_lines_are_counted() -> None:
    lines = drawn(board_of(tuple(f"KRW-A{number}" for number in range(50)), []), 80, 24)
    assert len(lines) < 24
    assert lines[-1] == "and 38 more"


def test_a_refused_market_says_so_in_its_row() -> None:
    refused = status.Rejected(
        **FROM, name="UnknownSymbol", message="no", subscriptions=(Subscription("trade", "KRW-X"),)
    )
    assert drawn(board_of(("KRW-X",), [refused]), 80, 24)[2].split()[:2] == ["KRW-X", "refused"]


def test_a_code_from_outside_cannot_steer_the_board() -> None:
    lines = drawn(board_of(("[red]\x1b[2J",), []), 80, 24)
    assert lines[2].startswith("[red]�[2J")


def shown(width: int, tmp_path: Path, **more: int) -> str:
    sink = get_sink("jsonl")(tmp_path, form="event")
    sink.open()
    sink.write(STORY)
    sink.close()
    output = io.StringIO()
    summary = summarise(told(STORY), sink, Path("ticks"), 2.0, **more)
    show(Console(file=output, width=width), summary)
    return output.getvalue()


def test_the_summary_says_everything(tmp_path: Path) -> None:
    text = "\n".join(line.rstrip() for line in shown(120, tmp_path, made=9, lost_in_silence=0).splitlines())
    assert text.startswith(
        "Received         5 events in 2.0 s, 2/s\n"
        "                 candle.1s 1, orderbook 1, ticker 1, trade 2\n"
        "Line             1 reconnect, connected since 00:00:02 UTC, last loss 00:00:02: closed (1001)\n"
        "Gaps             2 told: 1 may lack some, 1 complete again\n"
        "                   trade KRW-BTC, 0.50 s, after id 1, before id 5 (closed)\n"
        "Lost in silence  0 of 9 trades made; each is in the files or in a told gap\n"
        "Trouble          3 dropped, 1 unreadable frame (misc.jsonl)\n"
        "Latency          p50 10 ms, p99 10 ms from the exchange's time stamp to us\n"
        "Files            5 files, "
    )
    assert "_candle.1s.jsonl" in text
    assert "misc.jsonl" in text


def test_the_summary_of_nothing_is_calm(tmp_path: Path) -> None:
    output = io.StringIO()
    show(Console(file=output, width=80), summarise(Tally(), get_sink("jsonl")(tmp_path), tmp_path, 0.0))
    assert "0 events" in output.getvalue()
    assert "Latency" not in output.getvalue()
