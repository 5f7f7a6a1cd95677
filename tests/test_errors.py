"""One tree of errors, as pictured at the top of the module; each says what was wrong and what would be right."""

from __future__ import annotations

import inspect
import re

import pytest

from tapewire import errors
from tapewire.model.line import Loss

LOSS = Loss("refused", status=429, retry_after=3)

MADE: list[tuple[errors.FeedError, str, bool]] = [
    (errors.ConfigError("size", 0, "more than 0"), "size is 0; it must be more than 0", False),
    (errors.CredentialsError("secret_key", "is missing"), "secret_key: is missing", False),
    (errors.SubscriptionError("depth", 7, "1 or 5"), "depth is 7; it must be 1 or 5", False),
    (
        errors.UnknownSymbol("KRW-BTT", "upbit", ["KRW-BTC"]),
        "symbol is 'KRW-BTT'; it must be a market that upbit lists; did you mean KRW-BTC? (see `tapewire markets`)",
        False,
    ),
    (
        errors.UnknownSymbol("KRW-X", "upbit"),
        "symbol is 'KRW-X'; it must be a market that upbit lists (see `tapewire markets`)",
        False,
    ),
    (
        errors.UnknownName("venue", "okx", ["upbit", "upbit-sg"]),
        "no venue is called 'okx'; known: upbit, upbit-sg",
        False,
    ),
    (
        errors.UnknownName("sink", "csv", []),
        "no sink is called 'csv'; known: none; is the package installed (an editable install is enough)?",
        False,
    ),
    (errors.UsageError("the client was closed"), "the client was closed", False),
    (errors.ConnectFailed(LOSS), "refused (429 retry after 3 s)", True),
    (
        errors.AuthenticationFailed("upbit", Loss("refused", None, "invalid_access_key", 401)),
        "upbit refused the key: 401 invalid_access_key",
        False,
    ),
    (errors.LineLost(Loss("closed", 1001, "going away")), "closed (1001 going away)", True),
    (errors.LineLost(), "the line is not open", True),
    (errors.HttpFailed("http://x/v1", 429, "Too Many", 2.0, b"{}"), "http://x/v1: HTTP 429 Too Many", True),
    (errors.HttpFailed("http://x/v1", None, "no answer within 3 s"), "http://x/v1: no answer within 3 s", True),
    (errors.DecodeError("upbit", "not JSON", b"oops"), "upbit: not JSON: 'oops'", False),
    (errors.DecodeError("upbit", "too deep", b"[" * 200), f"upbit: too deep: '{'[' * 80}'…", False),
    (errors.Rejected("upbit", "WRONG_FORMAT", "bad"), "upbit refused: WRONG_FORMAT: bad", False),
    (errors.Lagging("me:trade", 10_000), "me:trade is 10,000 events behind and its mailbox is full", False),
    (errors.TimedOut("me:trade", 2.5), "me:trade: no answer within 2.5 s", True),
    (
        errors.SinkError("/d/x.jsonl", "disk full", "12 lines are safe"),
        "/d/x.jsonl: disk full; 12 lines are safe",
        False,
    ),
    (errors.SinkError("/d/x.jsonl", "disk full"), "/d/x.jsonl: disk full", False),
    (errors.TapeError("/d/000001.tape", "is no tape"), "/d/000001.tape: is no tape", False),
]


@pytest.mark.parametrize(("error", "text", "retryable"), MADE, ids=lambda value: type(value).__name__)
def test_each_error_says_what_was_wrong(error: errors.FeedError, text: str, retryable: bool) -> None:
    assert (str(error), error.retryable) == (text, retryable)
    with pytest.raises(errors.FeedError):
        raise error


def test_every_class_is_tried_above_or_is_only_an_ancestor() -> None:
    classes = {cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.FeedError)}
    made = {type(error) for error, _, _ in MADE}
    assert classes - made == {errors.FeedError, errors.TransportError, errors.VenueError}


def test_the_picture_at_the_top_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    path = ["FeedError"]
    for line in (errors.__doc__ or "").splitlines():
        branch = re.search(r"── (\w+)", line)
        if branch:
            path = [*path[: branch.start() // 4 + 1], branch[1]]
            drawn[branch[1]] = path[-2]
    real = {
        name: cls.__bases__[0].__name__
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.FeedError) and cls is not errors.FeedError
    }
    assert drawn == real


def test_errors_are_also_what_the_standard_library_would_raise() -> None:
    assert issubclass(errors.ConfigError, ValueError)
    assert issubclass(errors.SubscriptionError, ValueError)
    assert issubclass(errors.UnknownName, LookupError)
    assert issubclass(errors.TransportError, OSError)
    assert issubclass(errors.TimedOut, TimeoutError)
    assert issubclass(errors.DecodeError, ValueError)


def test_details_are_kept_as_attributes() -> None:
    http = errors.HttpFailed("http://x", 503, "busy", 4.0, b"body")
    assert (http.url, http.status, http.reason, http.retry_after, http.body) == ("http://x", 503, "busy", 4.0, b"body")
    assert errors.ConnectFailed(LOSS).loss is LOSS
    assert errors.UnknownSymbol("KRW-X", "upbit", ["KRW-XRP"]).suggestions == ("KRW-XRP",)
    assert errors.DecodeError("upbit", "bad", b"whole").payload == b"whole"
