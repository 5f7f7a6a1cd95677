"""One frame, one line: whatever an exchange sends, a file of lines stays one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import json

from tapewire.sinks.files.lines import as_text, is_json, misc_line, one_line


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        (b'{"type":"trade"}', b'{"type":"trade"}'),
        (b'{\n "a": 1\r\n}', b'{"a":1}'),
        (b'[{"ty":"trade"}]', b'{"ty":"trade"}'),
        (b'[{"a":1},{"b":2}]', None),
        ('{"n":"비트코인"}'.encode(), '{"n":"비트코인"}'.encode()),
        (b'{"n":"\xff"}', None),
        (b'{"n":\n', None),
    ],
)
def test_a_payload_is_one_line_as_it_came_or_none(payload: bytes, line: bytes | None) -> None:
    assert one_line(payload) == line


@given(payload=st.binary(max_size=200))
@example(b'{"status":"UP"}')
@example(b'{"a":1')
@example(b'{"a":\xff}')
@example(b"[" * 100_000)
def test_whatever_comes_is_one_line_that_json_reads_and_nothing_of_it_is_lost(payload: bytes) -> None:
    line = misc_line(payload)
    assert b"\n" not in line
    held = json.decode(line)
    if held == as_text(payload):
        assert payload == (held["raw"].encode() if "raw" in held else base64.b64decode(held["raw_base64"]))
    else:
        assert held == json.decode(payload)


def test_what_is_json() -> None:
    assert [is_json(line) for line in (b"{}", b"1", b"{", b"", b"[" * 100_000)] == [True, True, False, False, False]
