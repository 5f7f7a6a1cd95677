"""A client's bytes: whatever they are cut into, the same messages; what breaks the rules or limits ends it."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.apps.gateway.wire import Reader, Said, Violation


def sent(
    payload: bytes, opcode: int = 1, *, fin: bool = True, mask: bytes = b"\x01\x02\x03\x04", rsv: int = 0
) -> bytes:
    """A client's frame."""
    size = len(payload)
    first = bytes([(0x80 if fin else 0) | rsv | opcode])
    if size < 126:
        head = bytes([0x80 | size])
    elif size < 65536:
        head = b"\xfe" + struct.pack("!H", size)
    else:
        head = b"\xff" + struct.pack("!Q", size)
    return first + head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


@given(
    st.lists(st.tuples(st.text(max_size=300), st.integers(1, 4)), max_size=6),
    st.lists(st.integers(0, 2000), max_size=8),
)
def test_messages_are_the_same_however_they_are_cut(texts: list[tuple[str, int]], cuts: list[int]) -> None:
    wire = b""
    for text, parts in texts:
        payload = text.encode()
        step = max(1, -(-len(payload) // parts))
        pieces = [payload[at : at + step] for at in range(0, len(payload), step)] or [b""]
        for number, piece in enumerate(pieces):
            wire += sent(piece, 0 if number else 1, fin=number == len(pieces) - 1)
            wire += sent(b"", 9) if number == 0 else b""
    places = sorted({min(cut, len(wire)) for cut in cuts} | {0, len(wire)})
    reader, said = Reader(100_000, controls=100), list[Said]()
    for start, end in pairwise(places):
        said += reader.feed(wire[start:end], 0.0)
    assert [one.payload.decode() for one in said if one.opcode == 1] == [text for text, _ in texts]


def test_control_frames() -> None:
    reader = Reader(1000)
    assert reader.feed(sent(b"x" * 125, 9) + sent(b"p", 10), 0.0) == [Said(9, b"x" * 125), Said(10, b"p")]
    assert reader.feed(sent(struct.pack("!H", 1001) + b"bye", 8), 0.0) == [Said(8, b"\x03\xe9bye", 1001)]
    assert Reader(1000).feed(sent(b"", 8), 0.0) == [Said(8, b"", 1005)]
    assert Reader(1000).feed(sent(b"\x00\x01", 2), 0.0) == [Said(2, b"\x00\x01")]


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (b"\x81\x01x", 1002),  # no mask
        (sent(b"x" * 1001), 1009),
        (b"\x81\xff" + struct.pack("!Q", 4 * 2**30), 1009),  # said, and never sent
        (b"\x81\xff" + struct.pack("!Q", 2**64 - 1), 1009),
        (sent(b"a" * 600, fin=False) + sent(b"b" * 600, 0), 1009),
        (sent(b"x", 3), 1002),
        (sent(b"x", 11), 1002),
        (sent(b"x", 9, fin=False), 1002),
        (sent(b"x" * 126, 9), 1002),
        (sent(b"x", rsv=0x40), 1002),
        (sent(b"x", 0), 1002),
        (sent(b"x", fin=False) + sent(b"y"), 1002),
        (sent(b"\xff"), 1007),
        (sent(b"", 9) * 21, 1008),
        (sent(b"", fin=False) + sent(b"", 0, fin=False) * 2000, 1009),
    ],
)
def test_what_breaks_the_rules(wire: bytes, code: int) -> None:
    with pytest.raises(Violation) as violation:
        Reader(1000).feed(wire, 0.0)
    assert violation.value.loss.code == code


def test_twenty_control_frames_a_second_are_allowed() -> None:
    reader = Reader(1000)
    for second in range(5):
        assert len(reader.feed(sent(b"", 10) * 20, float(second))) == 20


def test_a_flood_of_empty_fragments_is_refused_before_the_thousandth_is_read_twice() -> None:
    flood = sent(b"", fin=False) + sent(b"", 0, fin=False) * 200_000
    with pytest.raises(Violation, match="fragments"):
        Reader(1000).feed(flood, 0.0)
