"""Blocks and headers: what is written is read, and nothing else is taken for it."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tapewire.tape.format import (
    BLOCK_HEAD,
    BLOCK_MAGIC,
    Damaged,
    Header,
    Record,
    Run,
    check_block,
    decode_block,
    decode_block_head,
    decode_header,
    encode_block,
    encode_header,
    is_of_another_version,
    runs_of,
)

HEADER = Header("upbit", 3, 1_786_611_600_000_000_000, "ws://127.0.0.1:1/", "http://127.0.0.1:1")
RECORDS = st.lists(
    st.builds(Record, st.integers(0, 255), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.binary()),
    min_size=1,
)


def read(block: bytes) -> list[Record]:
    head = check_block(block[:BLOCK_HEAD], block[BLOCK_HEAD:])
    return list(decode_block(head, block[BLOCK_HEAD:]))


@given(RECORDS, st.booleans())
def test_records_come_back_as_they_were(records: list[Record], compress: bool) -> None:
    block = encode_block(runs_of(records), compress=compress)
    head = decode_block_head(block)
    assert read(block) == records
    assert (head.records, head.stored) == (len(records), len(block) - BLOCK_HEAD)
    assert (head.first_ns, head.last_ns) == (min(r.at_ns for r in records), max(r.at_ns for r in records))


@given(RECORDS, st.frozensets(st.integers(0, 255)))
@example([Record(1, 1, 1, b"one"), Record(2, 1, 1, b"two")], frozenset())
def test_records_of_some_kinds_are_read_alone(records: list[Record], kinds: frozenset[int]) -> None:
    kinds |= {records[0].kind}
    block = encode_block(runs_of(records), compress=True)
    read_of_kinds = decode_block(decode_block_head(block), block[BLOCK_HEAD:], kinds)
    assert list(read_of_kinds) == [record for record in records if record.kind in kinds]


@given(RECORDS, st.data())
def test_a_bit_that_changed_is_seen(records: list[Record], data: st.DataObject) -> None:
    block = bytearray(encode_block(runs_of(records), compress=data.draw(st.booleans())))
    at = data.draw(st.integers(0, len(block) - 1))
    block[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Damaged):
        read(bytes(block))


@given(RECORDS, st.data())
def test_a_cut_is_seen(records: list[Record], data: st.DataObject) -> None:
    block = encode_block(runs_of(records), compress=data.draw(st.booleans()))
    with pytest.raises(Damaged):
        read(block[: data.draw(st.integers(0, len(block) - 1))])


def test_a_header_comes_back_with_its_size() -> None:
    data = encode_header(HEADER)
    assert decode_header(data + b"whatever follows") == (HEADER, len(data))


def test_a_header_is_not_mistaken() -> None:
    data = encode_header(HEADER)
    for cut in range(len(data)):
        with pytest.raises(Damaged):
            decode_header(data[:cut])
    for other, reason in (
        (b"something else entirely", "is no tape"),
        (data[:8] + b"\x09\x00" + data[10:], "version 9 of the tape format; this program reads 1 and 2"),
        (data[:-5] + b"x" + data[-4:], "the header is not as it was written"),
    ):
        with pytest.raises(Damaged, match=reason):
            decode_header(other)


def test_a_header_of_another_shape_is_refused() -> None:
    start = struct.pack("<8sHI", b"tapewire", 1, 2) + b"{}"
    with pytest.raises(Damaged, match="cannot be read"):
        decode_header(start + struct.pack("<I", zlib.crc32(start)))


def test_only_a_whole_header_of_another_version_says_that_nothing_here_may_be_judged() -> None:
    data = encode_header(HEADER)
    assert not is_of_another_version(data)
    other = data[:8] + b"\x09\x00" + data[10:-4]
    whole = other + struct.pack("<I", zlib.crc32(other))
    assert is_of_another_version(whole + b"whatever follows")
    assert not is_of_another_version(whole[:4])
    assert not is_of_another_version(whole[:-1])
    assert not is_of_another_version(b"something" + whole[9:])
    assert not is_of_another_version(whole[:-5] + b"x" + whole[-4:])


def crafted(plain: bytes, stored: bytes, *, flags: int = 0, records: int = 1, length: int | None = None) -> bytes:
    """A block with a right checksum and whatever else is wrong."""
    numbers = struct.pack(
        "<4sBIIIQQ", BLOCK_MAGIC, flags, records, len(plain) if length is None else length, len(stored), 0, 0
    )
    return numbers + struct.pack("<I", zlib.crc32(stored, zlib.crc32(numbers))) + stored


def run_head(count: int) -> bytes:
    return struct.pack("<BIQI", 1, 1, 1, count)


def crafted_run(plain: bytes, *, records: int) -> bytes:
    return crafted(plain, plain, flags=2, records=records)


def test_a_block_of_version_1_is_read() -> None:
    plain = struct.pack("<BIQI", 1, 2, 3, 4) + b"four" + struct.pack("<BIQI", 5, 6, 7, 0)
    block = crafted(plain, plain, records=2)
    assert read(block) == [Record(1, 2, 3, b"four"), Record(5, 6, 7, b"")]
    header = encode_header(HEADER)
    start = header[:8] + struct.pack("<H", 1) + header[10:-4]
    assert decode_header(start + struct.pack("<I", zlib.crc32(start)))[0] == HEADER


def test_records_that_differ_in_their_payloads_alone_share_a_head() -> None:
    came = [Record(1, 1, 7, b"a"), Record(1, 1, 7, b"b"), Record(2, 1, 7, b"c"), Record(1, 1, 7, b"d")]
    assert runs_of(came) == [Run(1, 1, 7, [b"a", b"b"]), Run(2, 1, 7, [b"c"]), Run(1, 1, 7, [b"d"])]


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (crafted(b"", b"", records=1), "ends within a record"),
        (crafted(b"x" * 17, struct.pack("<BIQI", 1, 1, 1, 5), records=1), "ends within a record"),
        (crafted(b"abc", b"abc", records=0), "more than its records"),
        (crafted_run(b"", records=1), "ends within a record"),
        (crafted_run(run_head(2) + bytes(8), records=1), "ends within a record"),
        (crafted_run(run_head(0), records=1), "ends within a record"),
        (crafted_run(run_head(2) + bytes(4), records=2), "ends within a record"),
        (crafted_run(run_head(1) + struct.pack("<I", 3) + b"ab", records=1), "ends within a record"),
        (crafted_run(run_head(1) + struct.pack("<I", 1) + b"ab", records=1), "more than its records"),
        (crafted(b"abc", b"abcd"), "not as long as it says"),
        (crafted(b"abc", b"no zstd", flags=1), "cannot be inflated"),
        (crafted(b"", b"", length=2**31), "no block is like that"),
        (crafted(b"", b"", flags=4), "no block is like that"),
    ],
)
def test_a_block_that_was_written_wrong_is_refused(block: bytes, reason: str) -> None:
    with pytest.raises(Damaged, match=reason):
        read(block)


#: Bytes before the payload of a run of one.
RUN_HEAD = 21


def test_a_large_block_is_inflated_in_pieces() -> None:
    records = [Record(1, 1, 1, bytes(5_000_000)), Record(1, 1, 2, b"x" * 6_000_000)]
    block = encode_block(runs_of(records), compress=True)
    assert read(block) == records
    stored = encode_block([Run(1, 1, 1, [bytes(9_000_000 - RUN_HEAD)])], compress=True)[BLOCK_HEAD:]
    for length in (8_999_999, 9_000_001, 20_000_000):
        with pytest.raises(Damaged, match="not as long as it says"):
            read(crafted(b"", stored, flags=1, length=length))
    with pytest.raises(Damaged, match="not as long as it says"):
        read(crafted(b"", stored[:-3], flags=1, length=9_000_000))


def test_a_bomb_is_not_inflated() -> None:
    bomb = encode_block([Run(1, 1, 1, [bytes(50_000_000)])], compress=True)
    stored = bomb[BLOCK_HEAD:]
    with pytest.raises(Damaged, match="not as long as it says"):
        read(crafted(b"", stored, flags=1, length=1000))
