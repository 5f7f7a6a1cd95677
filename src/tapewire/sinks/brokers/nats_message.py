"""A message in the bytes of the NATS protocol, headers and all (pure; docs.nats.io, client protocol, ``HPUB``)."""

from __future__ import annotations

from collections.abc import Mapping

_ID = "Nats-Msg-Id"
#: No header may hold the end of its line.
_NO_LINES = {ord("\r"): " ", ord("\n"): " "}


def encode(subject: str, reply: str, message_id: str, headers: Mapping[str, str], payload: bytes) -> tuple[bytes, int]:
    """What publishes one message, and how many bytes of it the server holds against its ``max_payload``.

    Args:
        subject: without blanks.
        reply: where it is to be confirmed.
        message_id: by which the server drops doubles.
        headers: an end of a line in a value becomes a blank.
        payload: any bytes.
    """
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = f"NATS/1.0\r\n{''.join(lines)}{_ID}: {message_id}\r\n\r\n"
    if head.count("\n") != len(lines) + 3 or head.count("\r") != len(lines) + 3:
        clean = [f"{name}: {value.translate(_NO_LINES)}\r\n" for name, value in headers.items()]
        head = f"NATS/1.0\r\n{''.join(clean)}{_ID}: {message_id.translate(_NO_LINES)}\r\n\r\n"
    block = head.encode()
    size = len(block) + len(payload)
    return b"HPUB %b %b %d %d\r\n%b%b\r\n" % (subject.encode(), reply.encode(), len(block), size, block, payload), size
