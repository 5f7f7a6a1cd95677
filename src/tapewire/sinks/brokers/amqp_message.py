"""A message in the bytes of AMQP 1.0, as RabbitMQ keeps it in a stream (pure; OASIS AMQP 1.0, part 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from struct import pack

_ANNOTATIONS, _PROPERTIES, _APPLICATION, _DATA = b"\x00\x53\x72", b"\x00\x53\x73", b"\x00\x53\x74", b"\x00\x53\x75"


def encode(routing_key: str, message_id: str, headers: Mapping[str, str], payload: bytes) -> bytes:
    """What a reader of AMQP 0.9.1 sees as routing key, message id, headers and body.

    The routing key is kept as the annotation ``x-routing-key``, from which RabbitMQ makes it again.
    """
    return b"".join((
        _ANNOTATIONS, _map([_symbol("x-routing-key"), _text(routing_key)]),
        _PROPERTIES, _compound(b"\xd0", [_text(message_id)]),
        _APPLICATION, _map([_text(word) for pair in headers.items() for word in pair]),
        _DATA, b"\xb0", pack(">I", len(payload)), payload,
    ))  # fmt: skip


def _map(words: list[bytes]) -> bytes:
    return _compound(b"\xd1", words)


def _compound(code: bytes, words: list[bytes]) -> bytes:
    body = b"".join(words)
    return code + pack(">II", len(body) + 4, len(words)) + body


def _text(text: str) -> bytes:
    plain = text.encode()
    return b"\xa1" + bytes((len(plain),)) + plain if len(plain) < 256 else b"\xb1" + pack(">I", len(plain)) + plain


def _symbol(text: str) -> bytes:
    plain = text.encode("ascii")
    return b"\xa3" + bytes((len(plain),)) + plain
