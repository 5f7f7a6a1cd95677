"""The bytes of AMQP 1.0 are those that another implementation reads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rstream import amqp_decoder

from tapewire.sinks.brokers.amqp_message import encode

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(WORDS, WORDS, st.dictionaries(WORDS, WORDS, max_size=5), st.binary(max_size=400))
def test_rstream_reads_what_we_write(key: str, message_id: str, headers: dict[str, str], payload: bytes) -> None:
    read = amqp_decoder(encode(key, message_id, headers, payload))
    names = {name.decode(): value.decode() for name, value in (read.application_properties or {}).items()}
    assert {name.decode(): value.decode() for name, value in read.message_annotations.items()} == {"x-routing-key": key}
    assert read.properties.message_id == message_id.encode()
    assert names == headers
    assert read.body == payload
