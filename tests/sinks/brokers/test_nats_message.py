"""Messages in the bytes of the NATS protocol: lengths are right, no header ends before its line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from nats.protocol.command import hpub_cmd

from tapewire.sinks.brokers.nats_message import encode


def test_it_is_what_nats_py_makes() -> None:
    wire, size = encode(
        "md.a", "_INBOX.1", "upbit|trade|KRW-BTC|17", {"tw-form": "event", "tw-timestamp": ""}, b'{"a":1}'
    )
    block = b"NATS/1.0\r\ntw-form: event\r\ntw-timestamp: \r\nNats-Msg-Id: upbit|trade|KRW-BTC|17\r\n\r\n"
    assert wire == hpub_cmd("md.a", "_INBOX.1", block, b'{"a":1}')
    assert size == len(block) + 7


@given(st.dictionaries(st.sampled_from(["tw-venue", "tw-symbol", "tw-ids"]), st.text()), st.text(), st.binary())
def test_whatever_stands_in_it_the_lengths_are_right_and_the_lines_as_many(
    headers: dict[str, str], one: str, payload: bytes
) -> None:
    headers = {name: value.encode(errors="ignore").decode() for name, value in headers.items()}
    wire, size = encode("md.a", "r", one.encode(errors="ignore").decode(), headers, payload)
    first, _, rest = wire.partition(b"\r\n")
    word, subject, reply, block, whole = first.split(b" ")
    assert (word, subject, reply, int(whole)) == (b"HPUB", b"md.a", b"r", size)
    assert rest == rest[: int(block)] + payload + b"\r\n"
    assert len(rest) == size + 2
    lines = rest[: int(block)].split(b"\r\n")
    assert [line.partition(b":")[0] for line in lines] == [
        b"NATS/1.0", *(name.encode() for name in headers), b"Nats-Msg-Id", b"", b"",
    ]  # fmt: skip
