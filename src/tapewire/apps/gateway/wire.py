"""A client's bytes → messages and control frames: the server's half of RFC 6455, held to small limits (pure)."""

from __future__ import annotations

from typing import NamedTuple

from tapewire.config import LineOptions
from tapewire.transport.message import (
    CLOSE,
    PING,
    PONG,
    PROTOCOL_ERROR,
    MessageLayer,
    Violation,
    close_payload,
    read_close,
    too_big,
)

__all__ = ["CLOSE", "PING", "PONG", "Reader", "Said", "Violation", "close_payload"]

_CONTROLS = (CLOSE, PING, PONG)


class Said(NamedTuple):
    """What a client said: ``opcode`` 1 or 2 a message, 8 its close (``code``), 9 a ping, 10 a pong."""

    opcode: int
    payload: bytes
    code: int = 0


class Reader:
    """Takes bytes as they come.

    Args:
        most: bytes of one message, fragments together.
        fragments: parts of one message.
        controls: control frames within a second.
    """

    def __init__(self, most: int, *, fragments: int = 1024, controls: int = 20) -> None:
        self._limits = LineOptions(max_message=most, max_fragments=fragments, max_control_rate=controls)
        self._layer = MessageLayer(self._limits)
        self._buffer = bytearray()

    def feed(self, data: bytes, now: float) -> list[Said]:
        """What is complete by now (monotonic seconds).

        Raises:
            Violation: the protocol or a limit was broken; its loss has the code to close with.
        """
        self._buffer += data
        said: list[Said] = []
        at = 0
        while (frame := self._frame(at)) is not None:
            first, payload, at = frame
            one = self._read(first, payload, now)
            if one is not None:
                said.append(one)
        del self._buffer[:at]
        return said

    def _frame(self, at: int) -> tuple[int, bytes, int] | None:
        """First byte, payload and end of the frame that begins at ``at``; None: it is not complete."""
        buffer = self._buffer
        if len(buffer) < at + 2:
            return None
        first, size, head = buffer[at], buffer[at + 1] & 0x7F, at + 2
        if not buffer[at + 1] & 0x80:
            raise Violation(PROTOCOL_ERROR, "a client's frame without a mask")
        if size > 125:
            wide = 2 if size == 126 else 8
            if len(buffer) < head + wide:
                return None
            size, head = int.from_bytes(buffer[head : head + wide], "big"), head + wide
        if size > self._limits.max_message:
            raise too_big(self._limits)
        end = head + 4 + size
        if len(buffer) < end:
            return None
        return first, _unmasked(bytes(buffer[head + 4 : end]), bytes(buffer[head : head + 4])), end

    def _read(self, first: int, payload: bytes, now: float) -> Said | None:
        opcode, fin = first & 0x0F, bool(first & 0x80)
        if opcode in _CONTROLS:
            self._layer.control(now, rsv=bool(first & 0x70))
            if not fin or len(payload) > 125:
                raise Violation(PROTOCOL_ERROR, "a control frame that is long or in parts")
            return Said(opcode, payload, read_close(payload).code or 0) if opcode == CLOSE else Said(opcode, payload)
        if opcode > 2:
            raise Violation(PROTOCOL_ERROR, f"a frame of the unknown kind {opcode}")
        whole = self._layer.data(opcode, payload, fin=fin, rsv1=bool(first & 0x40), rsv23=bool(first & 0x30))
        return None if whole is None else Said(1 if whole[1] else 2, whole[0])


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")
