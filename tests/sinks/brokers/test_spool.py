"""The spool: order, what a crash leaves, what is removed, one owner."""

from __future__ import annotations

from pathlib import Path

import pytest

from tapewire.errors import SinkError
from tapewire.model.events import TradeEvent
from tapewire.sinks.brokers import spool as spool_module
from tapewire.sinks.brokers.letters import Writer
from tapewire.sinks.brokers.runs import Letter
from tapewire.sinks.brokers.spool import Spool

_writer = Writer()


def letters(start: int, end: int) -> list[Letter]:
    trades = (TradeEvent(venue="upbit", symbol="KRW-BTC", sequential_id=n, received_ns=n) for n in range(start, end))
    return [_writer.letter(trade) for trade in trades]


def opened(folder: Path, size: int = 10**9) -> Spool:
    spool = Spool(folder, size)
    spool.open()
    return spool


def drained(spool: Spool) -> list[Letter]:
    found: list[Letter] = []
    while block := spool.next():
        found += block
        spool.sent()
    return found


def files(folder: Path) -> list[str]:
    return sorted(path.suffix for path in folder.rglob("*") if path.is_file() and path.name != "owner")


def test_letters_come_back_in_their_order_and_are_gone(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    assert spool.empty
    spool.put(letters(0, 5))
    spool.put(letters(5, 9))
    assert (spool.empty, spool.reading) == (False, False)
    assert spool.next() == spool.next() == letters(0, 5)
    assert spool.reading
    assert drained(spool) == letters(0, 9)
    assert (spool.empty, spool.size, files(tmp_path)) == (True, 0, [])
    spool.put(letters(9, 10))
    assert drained(spool) == letters(9, 10)
    spool.close()


def test_what_is_put_while_it_is_read_comes_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "FILE_SIZE", 6_000)
    monkeypatch.setattr(spool_module, "BLOCK", 50)
    spool, found, put = opened(tmp_path), [], 0
    for _ in range(8):
        spool.put(letters(put, put + 120))
        put += 120
        found += spool.next()
        spool.sent()
    assert len(files(tmp_path)) >= 3
    found += drained(spool)
    assert found == letters(0, put)
    assert files(tmp_path) == []
    spool.close()


def test_what_is_older_goes_first(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.put_first(letters(3, 5))
    spool.put(letters(5, 7))
    spool.put_first(letters(0, 3))
    assert drained(spool) == letters(0, 7)
    spool.close()


def test_another_process_goes_on_where_the_first_died(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.put(letters(2, 5))
    first.put_first(letters(0, 2))
    first.close()
    second = opened(tmp_path)
    second.put(letters(5, 7))
    assert drained(second) == letters(0, 7)
    second.close()


def test_a_block_that_was_not_sent_comes_again(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.put(letters(0, 5))
    first.next()
    first.close()
    second = opened(tmp_path)
    assert drained(second) == letters(0, 5)
    second.close()


def test_one_process_has_it(tmp_path: Path) -> None:
    first = opened(tmp_path)
    with pytest.raises(SinkError, match="another recorder is writing here"):
        opened(tmp_path)
    first.close()
    opened(tmp_path).close()


def test_a_torn_end_is_told_and_set_aside(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.put(letters(0, 5))
    spool.put(letters(5, 9))
    spool.close()
    [path] = tmp_path.rglob("*.tape")
    path.write_bytes(path.read_bytes()[:-3])
    again = opened(tmp_path)
    assert drained(again) == letters(0, 5)
    [damage] = again.damages
    assert damage.is_tail
    assert files(tmp_path) == [".damaged"]
    again.close()


def test_a_file_that_is_no_tape_holds_nothing_up(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.put(letters(0, 2))
    spool.close()
    [path] = tmp_path.rglob("*.tape")
    path.with_name("000000-20261121T000000Z.tape").write_bytes(b"something else")
    again = opened(tmp_path)
    assert drained(again) == letters(0, 2)
    assert "is no tape" in str(again.damages[0])
    again.close()


def test_it_is_full_at_its_size(tmp_path: Path) -> None:
    spool = opened(tmp_path, size=1_000)
    before = spool.full
    spool.put(letters(0, 500))
    assert (before, spool.full) == (False, True)
    spool.close()


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SinkError, match="not a directory"):
        opened(tmp_path / "file" / "spool")
