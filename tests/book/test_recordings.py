"""The recorded books of OKX v5 and OKEX v3: every checksum that is not 0 is kept, and each fault in them is found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tapewire.book.checksum import signed_crc32
from tapewire.book.keeper import Answer, Keeper
from tapewire.book.sequence import BookRule, Chained, Unnumbered
from tapewire.config import Numbers
from tapewire.model.book import BookChange

DATA = Path(__file__).parent.parent / "data"
V5 = BookRule(continuity=Chained, levels=400, checksum=signed_crc32)
V3 = BookRule(continuity=Unnumbered, levels=400, checksum=signed_crc32)
WHOLE = [
    ("okx5/all_cryptofeed-2022-05-13.jsonl", V5, 290, 3),
    ("okx5/all_cryptofeed-2022-02-27.jsonl", V5, 3_679, 20),
    ("okx5/mixed_gocryptotrader.jsonl", V5, 1, 1),
    ("okex3/all_cryptofeed-2021-04-17-c1.jsonl", V3, 2_398, 10),
]


def changes(name: str) -> list[BookChange]:
    """Read without any codec of ours."""
    frames = (msgspec.json.decode(line) for line in (DATA / name).read_bytes().splitlines())
    return [_change(frame, book) for frame in frames if frame.get("action") for book in frame["data"]]


def _change(frame: dict[str, Any], book: dict[str, Any]) -> BookChange:
    return BookChange(
        venue="okx",
        symbol=book.get("instrument_id") or frame["arg"]["instId"],
        action="update" if frame["action"] == "update" else "snapshot",
        asks=[tuple(row) for row in book["asks"]],
        bids=[tuple(row) for row in book["bids"]],
        checksum=book["checksum"],
        sequence=book.get("seqId"),
        previous_sequence=book.get("prevSeqId"),
    )


def replayed(told: list[BookChange], rule: BookRule, numbers: Numbers) -> Counter[Answer]:
    keepers: dict[str, Keeper] = {}
    return Counter(keepers.setdefault(one.symbol, Keeper(rule, numbers)).apply(one) for one in told)


@pytest.mark.parametrize("numbers", ["float", "decimal"])
@pytest.mark.parametrize(("name", "rule", "messages", "snapshots"), WHOLE)
def test_every_checksum_is_kept(name: str, rule: BookRule, messages: int, snapshots: int, numbers: Numbers) -> None:
    told = changes(name)
    assert len(told) == messages
    assert sum(one.action == "snapshot" for one in told) == snapshots
    said = replayed(told, rule, numbers)
    assert set(said) <= {"applied", "ignored"}
    assert said.total() == messages


@pytest.mark.parametrize(("name", "rule", "messages", "snapshots"), WHOLE[:2] + WHOLE[3:])
def test_a_lost_message_is_found(name: str, rule: BookRule, messages: int, snapshots: int) -> None:
    """Without numbers, by the next checksum; a message that changed nothing may be missed."""
    told, found = changes(name), 0
    updates = [at for at, one in enumerate(told) if one.action == "update" and (one.asks or one.bids)]
    for at in updates[:: len(updates) // 20]:
        rest = [one for one in (*told[:at], *told[at + 1 :]) if one.symbol == told[at].symbol]
        found += "checksum" in replayed(rest, rule, "float")
    assert found >= 18  # of 20 or 21: what lies beyond the 25 levels of a checksum shows later, or never


def test_books_that_were_cut_are_not_taken() -> None:
    """Shortened to 3 levels by whoever collected them, so that their checksums are of other books."""
    assert "checksum" in replayed(changes("okx5/mixed_crypto-msg-parser-2022.jsonl"), V5, "float")
