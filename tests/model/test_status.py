"""Feed events in words."""

from __future__ import annotations

import pytest

from tapewire.model.status import Stale, StaleCause
from tapewire.model.subscription import Subscription


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "silent for 61 s (limit 60 s)"),
        ({"over": True}, "has data again"),
        ({"over": True, "cause": "sequence", "silent": 1.25}, "has its order book again after 1.2 s"),
    ],
)
def test_a_stale_stream_in_words(facts: dict[str, object], words: str) -> None:
    known: dict[str, object] = {"silent": 61.0, "limit": 60.0} | facts
    told = Stale(venue="v", connection="c", at_ns=1, subscription=Subscription("orderbook", "A-B"), **known)  # type: ignore[arg-type]
    assert told.words == words


def test_a_spoilt_book_says_why() -> None:
    causes: tuple[StaleCause, ...] = ("sequence", "checksum", "unreadable")
    book = Subscription("orderbook", "A-B")
    told = [
        Stale(venue="v", connection="c", at_ns=1, subscription=book, silent=0.0, limit=0.0, cause=cause).words
        for cause in causes
    ]
    assert len(set(told)) == len(causes)
    assert not any("silent" in words for words in told)
