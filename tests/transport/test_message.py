"""The message layer by itself: order, limits, compression, close frames."""

from __future__ import annotations

import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.config import LineOptions
from tapewire.model.line import Loss
from tapewire.transport.message import (
    BINARY,
    CONTINUATION,
    TEXT,
    Inflater,
    MessageLayer,
    Violation,
    close_payload,
    negotiated,
    read_close,
    wire_limit,
)
from tests.sizes import figure

SMALL = LineOptions(max_message=100, max_fragments=4)


def feed(
    layer: MessageLayer, opcode: int, payload: bytes, *, fin: bool = True, rsv1: bool = False, rsv23: bool = False
) -> tuple[bytes, bool] | None:
    return layer.data(opcode, payload, fin=fin, rsv1=rsv1, rsv23=rsv23)


def deflated(payload: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return (stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_fragments_are_joined_and_the_kind_is_that_of_the_first() -> None:
    layer = MessageLayer(SMALL)
    began = layer.partial
    assert feed(layer, TEXT, "값".encode()[:1], fin=False) is None
    assert (began, layer.partial) == (False, True)
    assert feed(layer, CONTINUATION, b"", fin=False) is None
    assert feed(layer, CONTINUATION, "값".encode()[1:]) == ("값".encode(), True)
    assert feed(layer, BINARY, b"\xff") == (b"\xff", False)


@pytest.mark.parametrize(
    ("frames", "code", "reason"),
    [
        ([(CONTINUATION, b"x", {})], 1002, "nothing to continue"),
        ([(TEXT, b"a", {"fin": False}), (TEXT, b"b", {})], 1002, "before the last one was complete"),
        ([(TEXT, b"a", {"rsv1": True})], 1002, "reserved bit"),
        ([(TEXT, b"a", {"rsv23": True})], 1002, "reserved bit"),
        ([(TEXT, b"\xed\xa0\x80", {})], 1007, "no UTF-8 at byte 0"),
        ([(TEXT, b"\xe2\x82", {})], 1007, "no UTF-8"),
        ([(BINARY, b"x" * 101, {})], 1009, "more than 100 bytes"),
        ([(BINARY, b"x" * 60, {"fin": False}), (CONTINUATION, b"x" * 41, {})], 1009, "more than 100 bytes"),
        ([(BINARY, b"", {"fin": False}), *[(CONTINUATION, b"", {"fin": False})] * 4], 1009, "more than 4 fragments"),
    ],
)
def test_each_violation_has_its_close_code_and_says_what_was_wrong(
    frames: list[tuple[int, bytes, dict[str, bool]]], code: int, reason: str
) -> None:
    layer = MessageLayer(SMALL)
    *good, bad = frames
    for opcode, payload, bits in good:
        feed(layer, opcode, payload, **bits)
    with pytest.raises(Violation, match=reason) as caught:
        feed(layer, bad[0], bad[1], **bad[2])
    assert (caught.value.loss.cause, caught.value.loss.code) == ("protocol", code)


def test_control_frames_are_counted_over_any_second() -> None:
    layer = MessageLayer(LineOptions(max_control_rate=3))
    for now in (0.0, 0.9, 0.95, 1.0, 1.91):
        layer.control(now)
    with pytest.raises(Violation, match="more than 3 control frames within a second"):
        layer.control(1.94)
    with pytest.raises(Violation, match="reserved bit"):
        MessageLayer(SMALL).control(0.0, rsv=True)


@given(st.lists(st.tuples(st.binary(max_size=300), st.booleans()), max_size=8), st.booleans(), st.data())
def test_compressed_messages_come_out_as_they_went_in(
    messages: list[tuple[bytes, bool]], takeover: bool, data: st.DataObject
) -> None:
    layer = MessageLayer(LineOptions(compression="deflate", max_message=300), Inflater(takeover=takeover))
    stream = zlib.compressobj(wbits=-15)
    for payload, compress in messages:
        wire = (stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH))[:-4] if compress else payload
        if compress and not takeover:
            stream = zlib.compressobj(wbits=-15)
        cut = data.draw(st.integers(0, len(wire)))
        assert feed(layer, BINARY, wire[:cut], fin=False, rsv1=compress) is None
        assert feed(layer, CONTINUATION, wire[cut:]) == (payload, False)


def test_a_compressed_message_may_end_its_stream() -> None:
    """RFC 7692 7.2.3.4: a block with BFINAL set, then a byte 0."""
    layer = MessageLayer(SMALL, Inflater())
    ended = bytes([0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00])
    assert feed(layer, TEXT, ended, rsv1=True) == (b"Hello", True)
    assert feed(layer, TEXT, deflated(b"again"), rsv1=True) == (b"again", True)


def test_a_bomb_is_never_made_in_memory_beyond_the_limit() -> None:
    """S7: 510 kB that stand for 500 MiB; what counts is the peak, which is gone again after the refusal."""
    stream = zlib.compressobj(9, wbits=-15)
    bomb = (stream.compress(bytes(1 << 20)) + stream.flush(zlib.Z_FULL_FLUSH)) * 500
    layer = MessageLayer(LineOptions(compression="deflate"), Inflater())
    tracemalloc.start()
    try:
        with pytest.raises(Violation) as refused:
            feed(layer, BINARY, bomb, rsv1=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert refused.value.loss.code == 1009
    figure(f"S7: a peak of {peak / 2**20:.1f} MiB")
    assert peak < 4 << 20


def test_a_message_may_inflate_to_exactly_the_limit_and_not_a_byte_more() -> None:
    assert feed(MessageLayer(SMALL, Inflater()), BINARY, deflated(b"z" * 100), rsv1=True) == (b"z" * 100, False)
    for more in (101, 100_000):
        with pytest.raises(Violation) as caught:
            feed(MessageLayer(SMALL, Inflater()), BINARY, deflated(b"z" * more), rsv1=True)
        assert caught.value.loss.code == 1009


def test_the_limit_of_a_compressed_message_holds_over_its_fragments() -> None:
    layer = MessageLayer(SMALL, Inflater())
    wire = deflated(b"a" * 60 + b"b" * 60)

    def one_byte_at_a_time() -> None:
        for i in range(len(wire)):
            feed(layer, CONTINUATION if i else BINARY, wire[i : i + 1], fin=False, rsv1=not i)

    with pytest.raises(Violation) as caught:
        one_byte_at_a_time()
    assert caught.value.loss.code == 1009


def test_what_does_not_compress_may_take_a_little_more_on_the_wire() -> None:
    options = LineOptions(compression="deflate")
    noise = bytes(i * i * 2654435761 >> 13 & 0xFF for i in range(options.max_message))
    stored = zlib.compressobj(level=0, wbits=-15)
    wire = (stored.compress(noise) + stored.flush(zlib.Z_SYNC_FLUSH))[:-4]
    assert options.max_message < len(wire) <= wire_limit(options)
    assert feed(MessageLayer(options, Inflater()), BINARY, wire, rsv1=True) == (noise, False)


@given(st.binary(max_size=200))
def test_garbage_in_place_of_compressed_data_is_a_violation_or_a_message(wire: bytes) -> None:
    try:
        message = feed(MessageLayer(SMALL, Inflater()), BINARY, wire, rsv1=True)
    except Violation as violation:
        assert violation.loss.code in (1007, 1009)  # noqa: PT017
    else:
        assert message is not None
        assert len(message[0]) <= 100


def test_continuations_of_compressed_messages_carry_no_bit_of_their_own() -> None:
    layer = MessageLayer(SMALL, Inflater())
    feed(layer, BINARY, b"", fin=False, rsv1=True)
    with pytest.raises(Violation, match="reserved bit"):
        feed(layer, CONTINUATION, b"", rsv1=True)


@pytest.mark.parametrize(
    ("payload", "loss"),
    [
        (b"", Loss("closed", 1005)),
        ((1000).to_bytes(2, "big"), Loss("closed", 1000)),
        ((3999).to_bytes(2, "big") + "끝".encode(), Loss("closed", 3999, "끝")),
    ],
)
def test_close_frames_that_are_valid(payload: bytes, loss: Loss) -> None:
    assert read_close(payload) == loss


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"\x03", 1002),
        *(((number).to_bytes(2, "big"), 1002) for number in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000)),
        ((1000).to_bytes(2, "big") + b"\xff", 1007),
    ],
)
def test_close_frames_that_are_not(payload: bytes, code: int) -> None:
    with pytest.raises(Violation) as caught:
        read_close(payload)
    assert caught.value.loss.code == code


def test_only_codes_that_may_be_sent_are_sent() -> None:
    codes = (None, 1000, 1005, 1006, 1008, 1015, 4000)
    assert [int.from_bytes(close_payload(code), "big") for code in codes] == [1000, 1000, 1000, 1000, 1008, 1000, 4000]


@pytest.mark.parametrize("answer", [None, ""])
def test_no_extension_is_no_compression(answer: str | None) -> None:
    assert negotiated(answer, offered=True) is None


@pytest.mark.parametrize(
    "answer",
    [
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        'permessage-deflate; server_max_window_bits="9"; client_max_window_bits=15',
    ],
)
def test_what_a_server_may_agree_to(answer: str) -> None:
    assert isinstance(negotiated(answer, offered=True), Inflater)


@pytest.mark.parametrize(
    ("answer", "offered"),
    [
        ("permessage-deflate", False),
        ("x-webkit-deflate-frame", True),
        ("permessage-deflate, permessage-deflate", True),
        ("permessage-deflate; server_max_window_bits=16", True),
        ("permessage-deflate; server_max_window_bits", True),
        ("permessage-deflate; client_no_context_takeover=1", True),
        ("permessage-deflate; spice", True),
    ],
)
def test_what_a_server_may_not_agree_to(answer: str, offered: bool) -> None:
    with pytest.raises(ValueError, match="the server"):
        negotiated(answer, offered=offered)
