"""Bodies for web services, and what their answers mean for the next try."""

from __future__ import annotations

import msgspec
import pytest

from tapewire.errors import HttpFailed
from tapewire.hub.notice_forms import generic, shortened, slack, telegram, wait_before_next
from tapewire.hub.notices import Notice

NOTICE = Notice(
    rule="down",
    severity="critical",
    text="upbit-1 is down for 10 s: <reset> & gone",
    subjects=("upbit-1",),
    at_ns=1_786_611_600_123_000_000,
    held_back=2,
)


def test_the_generic_form_has_every_field() -> None:
    assert msgspec.json.decode(generic(NOTICE, "my_app")) == {
        "source": "my_app",
        "at": "2026-08-13T09:00:00.123+00:00",
        "rule": "down",
        "severity": "critical",
        "text": "upbit-1 is down for 10 s: <reset> & gone",
        "subjects": ["upbit-1"],
        "at_ns": 1_786_611_600_123_000_000,
        "over": False,
        "seconds": None,
        "held_back": 2,
        "others": 0,
    }


def test_slack_gets_its_three_characters_escaped() -> None:
    assert msgspec.json.decode(slack(NOTICE, "my_app")) == {
        "text": "🔴 my_app [critical] down: upbit-1 is down for 10 s: &lt;reset&gt; &amp; gone"
        " (2 more held back since the last notice)"
    }


def test_telegram_gets_plain_text_and_its_chat() -> None:
    over = msgspec.structs.replace(NOTICE, over=True, text="upbit-1 is back after 12 s", held_back=0)
    assert msgspec.json.decode(telegram("-100")(over, "my_app")) == {
        "chat_id": "-100",
        "text": "🟢 my_app [over] down: upbit-1 is back after 12 s",
        "disable_web_page_preview": True,
    }


def test_a_text_that_no_service_would_take_is_cut() -> None:
    assert shortened("x" * 3000) == "x" * 3000
    assert shortened("x" * 3001) == "x" * 2999 + "…"


def failed(status: int | None, retry_after: float | None = None, body: bytes = b"") -> HttpFailed:
    return HttpFailed("https://h/…", status, "no", retry_after, body)


@pytest.mark.parametrize("status", [None, 408, 425, 429, 500, 503])
def test_what_can_pass_is_tried_again_with_longer_waits(status: int | None) -> None:
    assert [wait_before_next(n, failed(status)) for n in range(1, 7)] == [1.0, 2.0, 4.0, 8.0, 16.0, None]


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 410])
def test_a_wrong_address_or_message_is_not_tried_again(status: int) -> None:
    assert wait_before_next(1, failed(status, 5.0)) is None


@pytest.mark.parametrize(
    ("retry_after", "body", "wait"),
    [
        (30.0, b"", 30.0),
        (0.0, b"", 1.0),
        (600.0, b"", 600.0),
        (601.0, b"", None),
        (None, b'{"ok":false,"parameters":{"retry_after":17}}', 17.0),
        (None, b'{"parameters":{"retry_after":true}}', 1.0),
        (None, b'{"parameters":{"retry_after":-5}}', 1.0),
        (None, b'{"parameters":[]}', 1.0),
        (None, b"[" * 100_000, 1.0),
        (None, b"busy", 1.0),
    ],
)
def test_a_wish_to_wait_goes_before_the_back_off(retry_after: float | None, body: bytes, wait: float | None) -> None:
    assert wait_before_next(1, failed(429, retry_after, body)) == wait
