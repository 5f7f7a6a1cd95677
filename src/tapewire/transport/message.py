"""The message layer: frames → whole, valid messages, or the violation that ends the line; knows no socket."""

from __future__ import annotations

import zlib
from collections import deque

from tapewire.config import LineOptions
from tapewire.model.line import Loss

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

PROTOCOL_ERROR, INVALID_DATA, POLICY, TOO_BIG = 1002, 1007, 1008, 1009
ABNORMAL, NO_STATUS = 1006, 1005

_FLUSHED = b"\x00\x00\xff\xff"  # what RFC 7692 7.2.1 takes off the end of every compressed message
_SENDABLE = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})


class Violation(Exception):
    """The far end broke the protocol or a limit; ``loss`` says how, with the close code to send."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.loss = Loss("protocol", code, reason)


def sendable(code: int | None) -> bool:
    """Whether a close frame may carry this code (RFC 6455 7.4)."""
    return code is not None and (code in _SENDABLE or 3000 <= code <= 4999)


def read_close(payload: bytes) -> Loss:
    """A close frame's payload as the loss it means: code (1005 when it carries none) and reason.

    Raises:
        Violation: one byte, a code that may not be sent, or a reason that is no UTF-8.
    """
    if not payload:
        return Loss("closed", NO_STATUS)
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not sendable(code):
        raise Violation(PROTOCOL_ERROR, f"a close frame with the code {code}, which may not be sent")
    try:
        return Loss("closed", code, payload[2:].decode())
    except UnicodeDecodeError:
        raise Violation(INVALID_DATA, "the reason in a close frame is no UTF-8") from None


def close_payload(code: int | None) -> bytes:
    """Payload of a close frame with this code, or with 1000 where this one may not be sent."""
    return (code if code is not None and sendable(code) else 1000).to_bytes(2, "big")


def check_ping(payload: bytes) -> None:
    """Raises ``ValueError`` for a ping that no frame could carry."""
    if len(payload) > 125:
        raise ValueError(f"a ping carries at most 125 bytes, not {len(payload)}")


class Inflater:
    """The far end's half of permessage-deflate (RFC 7692), with a bound on what may come out.

    Args:
        takeover: whether one message may refer to earlier ones (no ``server_no_context_takeover`` agreed).
    """

    __slots__ = ("_stream", "_takeover")

    def __init__(self, *, takeover: bool = True) -> None:
        self._takeover = takeover
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)

    def inflate(self, data: bytes, room: int, *, last: bool) -> bytes:
        """What ``data``, the next part of a message, stands for; at most ``room`` bytes are ever made.

        Raises:
            Violation: more than ``room`` bytes, or data that is no deflate stream.
        """
        try:
            payload = self._expand(data + _FLUSHED if last else data, room)
        except zlib.error as error:
            raise Violation(INVALID_DATA, f"compressed data that cannot be inflated: {error}") from None
        if last and not self._takeover:
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        return payload

    def _expand(self, data: bytes, room: int) -> bytes:
        parts = []
        while data:
            part = self._stream.decompress(data, room + 1)
            room -= len(part)
            if room < 0 or self._stream.unconsumed_tail:
                raise Violation(TOO_BIG, "a compressed message that grows beyond the limit")
            parts.append(part)
            data = self._stream.unused_data
            if self._stream.eof:  # a block marked as the last one (RFC 7692 7.2.3.4): the next begins a new stream
                self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        return b"".join(parts)


def negotiated(answer: str | None, *, offered: bool) -> Inflater | None:
    """What the far end's ``Sec-WebSocket-Extensions`` header agreed to; None is no compression.

    Raises:
        ValueError: an extension or a parameter that was not offered; the text says which.
    """
    if not answer:
        return None
    name, *parameters = (part.strip() for part in answer.split(";"))
    if not offered or name != "permessage-deflate" or "," in answer:
        raise ValueError(f"the server chose extensions that were not offered: {answer[:80]}")
    takeover = True
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "server_no_context_takeover" and not value:
            takeover = False
        elif not _harmless(key, value.strip('"')):
            raise ValueError(f"the server answered permessage-deflate with {parameter[:40]!r}")
    return Inflater(takeover=takeover)


def _harmless(key: str, value: str) -> bool:
    # What limits only our own compressor means nothing to us (we send uncompressed, which is always allowed),
    # and a smaller window of the server's is read by the largest one.
    if key == "client_no_context_takeover":
        return not value
    return key in ("server_max_window_bits", "client_max_window_bits") and value in map(str, range(8, 16))


class MessageLayer:
    """Joins one line's frames to messages and holds them to the protocol and the limits.

    A message is handed back as ``(payload, is_text)``. After a ``Violation`` the layer is of no further use.
    """

    __slots__ = (
        "_compressed", "_controls", "_inflater", "_is_text", "_limits", "_parts", "_room", "_wire_room", "partial",
    )  # fmt: skip

    def __init__(self, options: LineOptions, inflater: Inflater | None = None) -> None:
        self._limits = options
        self._inflater = inflater
        self._controls: deque[float] = deque(maxlen=options.max_control_rate)
        self._parts: list[bytes] = []
        self._is_text = self._compressed = False
        self._room = self._wire_room = 0
        self.partial = False  # a message has begun and its last frame has not come

    def data(self, opcode: int, payload: bytes, *, fin: bool, rsv1: bool, rsv23: bool) -> tuple[bytes, bool] | None:
        """Take one data frame; the message it completes, or None.

        Raises:
            Violation: order of frames, reserved bits, size, number of fragments, compression or UTF-8.
        """
        self._check_order(opcode, rsv1=rsv1, rsv23=rsv23)
        if opcode != CONTINUATION:
            self._begin(opcode, compressed=rsv1)
        self._append(payload, last=fin)
        if not fin:
            return None
        self.partial = False
        message = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = []
        if self._is_text:
            check_text(message)
        return message, self._is_text

    def control(self, now: float, *, rsv: bool = False) -> None:
        """Count one control frame at ``now`` (monotonic seconds).

        Raises:
            Violation: more of them within a second than ``max_control_rate``, or a reserved bit is set.
        """
        if rsv:
            raise Violation(PROTOCOL_ERROR, "a control frame with a reserved bit set")
        times = self._controls
        if len(times) == times.maxlen and now - times[0] < 1:
            raise Violation(POLICY, f"more than {times.maxlen} control frames within a second")
        times.append(now)

    def _check_order(self, opcode: int, *, rsv1: bool, rsv23: bool) -> None:
        if rsv23 or (rsv1 and (self._inflater is None or opcode == CONTINUATION)):
            raise Violation(PROTOCOL_ERROR, "a frame with a reserved bit set that no extension uses")
        if opcode == CONTINUATION and not self.partial:
            raise Violation(PROTOCOL_ERROR, "a continuation frame with nothing to continue")
        if opcode != CONTINUATION and self.partial:
            raise Violation(PROTOCOL_ERROR, "a new message before the last one was complete")

    def _begin(self, opcode: int, *, compressed: bool) -> None:
        self.partial = True
        self._parts = []
        self._is_text, self._compressed = opcode == TEXT, compressed
        self._room, self._wire_room = self._limits.max_message, wire_limit(self._limits)

    def _append(self, payload: bytes, *, last: bool) -> None:
        if len(self._parts) >= self._limits.max_fragments:
            raise Violation(TOO_BIG, f"a message in more than {self._limits.max_fragments:,} fragments")
        self._wire_room -= len(payload)
        if self._wire_room < 0:
            raise too_big(self._limits)
        if self._compressed and self._inflater is not None:
            payload = self._inflater.inflate(payload, self._room, last=last)
        self._room -= len(payload)
        if self._room < 0:
            raise too_big(self._limits)
        self._parts.append(payload)


def check_text(payload: bytes) -> None:
    """Raises ``Violation`` unless the payload is UTF-8."""
    if payload.isascii():
        return
    try:
        payload.decode()
    except UnicodeDecodeError as error:
        raise Violation(INVALID_DATA, f"a text message that is no UTF-8 at byte {error.start:,}") from None


def too_big(options: LineOptions) -> Violation:
    """The violation for a message above ``max_message``."""
    return Violation(TOO_BIG, f"a message of more than {options.max_message:,} bytes")


def wire_limit(options: LineOptions) -> int:
    """Bytes on the wire that one message may take; deflate adds a little to what it cannot compress."""
    if options.compression is None:
        return options.max_message
    return options.max_message + (options.max_message >> 10) + 64
