"""Frames of lines: whole ones are found and read, torn and hostile ones are named and cost no memory (S14)."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.sinks.files import frames
from tapewire.sinks.files.frames import BadFrame, end_of_frames, following, lines_in, next_frame, pack

if sys.version_info >= (3, 14):  # pragma: no cover - the one or the other on each Python
    from compression import zstd
else:
    from backports import zstd


def unpack(stored: bytes) -> bytes:
    return b"".join(lines_in(stored))


LINES = st.binary(min_size=1, max_size=400).map(lambda line: line + b"\n")


@given(parts=st.lists(LINES, min_size=1, max_size=6), torn=st.integers(0, 10))
def test_what_was_packed_is_read_again_and_a_torn_end_is_seen(parts: list[bytes], torn: int) -> None:
    stored = [pack(part) for part in parts]
    last = pack(b"torn\n")[:torn]
    size = len(b"".join(stored) + last)
    file = io.BytesIO(b"".join(stored) + last)
    assert end_of_frames(file, size) == size - len(last)
    at, read = 0, []
    while at < size - len(last):
        frame = next_frame(file, at, size)
        read.append(unpack(frame.stored))
        at = frame.end
    assert read == parts


def test_a_frame_larger_than_the_first_look_is_found_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_WINDOW", 64)
    lines = bytes(number * number % 251 for number in range(5_000)) + b"\n"
    stored = pack(lines)
    assert len(stored) > 64
    file = io.BytesIO(b"damage" * 30 + stored)
    size = 180 + len(stored)
    assert following(file, 0, size) == 180
    assert unpack(next_frame(file, 180, size).stored) == lines
    assert end_of_frames(file, size) == size


def test_a_frame_that_lies_or_swells_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pack(b"a line\n" * 50)
    with pytest.raises(BadFrame, match="cannot be inflated"):
        unpack(whole[:-1] + bytes([whole[-1] ^ 1]))
    wide = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    with pytest.raises(BadFrame, match="cannot be inflated"):
        unpack(wide.compress(b"a line\n") + wide.flush())
    monkeypatch.setattr(frames, "FRAME_MOST", 100)
    with pytest.raises(BadFrame, match="more than 100 bytes"):
        unpack(whole)


def test_a_large_frame_is_read_in_pieces_and_only_if_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_AT_ONCE", 300)
    monkeypatch.setattr(frames, "_PIECE", 100)
    lines = [b"%d " % number * (number * 7 % 60) + b"\n" for number in range(100)]
    whole = pack(b"".join(lines))
    assert list(lines_in(whole)) == lines
    assert list(lines_in(pack(b"x" * 1_000 + b"\nno end"))) == [b"x" * 1_000 + b"\n"]
    read: list[bytes] = []
    with pytest.raises(BadFrame):
        read += lines_in(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BadFrame, match="or not all of them"):
        read += lines_in(whole[:-9])
    assert read == []


def test_no_frame_and_too_many_that_are_none() -> None:
    assert (end_of_frames(io.BytesIO(b""), 0), end_of_frames(io.BytesIO(b"plain\n"), 6)) == (0, 0)
    assert following(io.BytesIO(b"plain\n"), 0, 6) is None
    with pytest.raises(BadFrame, match="no frame begins here"):
        next_frame(io.BytesIO(b"plain\n"), 0, 6)
    hostile = b"\x28\xb5\x2f\xfd\xff" * 1_001
    with pytest.raises(BadFrame, match="no file of frames"):
        following(io.BytesIO(hostile), 0, len(hostile))
