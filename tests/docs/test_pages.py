"""The pages say what the code says: generated parts are fresh, links lead somewhere, the shown output is today's."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from rich.console import Console

from tapewire import config
from tapewire.apps.cli.summary import Summary, show
from tapewire.apps.cli.terminal import feed_line, gap_lines
from tapewire.model import book, events, status
from tapewire.model.line import Loss
from tapewire.model.subscription import Subscription
from tapewire.sinks.contract import Written
from tapewire.sinks.files import options
from tests.docs.pages import PAGES, ROOT, generator

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_generated_parts_are_fresh(path: Path) -> None:
    page = path.read_text("utf-8")
    assert generator()["fresh"](page) == page, "run .venv/bin/python scripts/docs.py"


def test_every_generated_part_has_a_place() -> None:
    used = {name for path in PAGES for name in re.findall(r"<!-- gen:([a-z0-9:-]+) -->", path.read_text("utf-8"))}
    assert used - {"end"} == set(generator()["PARTS"])


def test_every_option_event_and_feed_event_is_on_its_page_with_words() -> None:
    options = (ROOT / "docs/options.md").read_text("utf-8")
    for made in (
        config.FeedOptions, config.SessionOptions, config.LineOptions, config.MailboxOptions, config.TapeOptions,
    ):  # fmt: skip
        for name in made.__struct_fields__:
            assert re.search(rf"^\| `{name}` \| `.+` \| .+ \|$", options, re.MULTILINE), name
    page = (ROOT / "docs/events.md").read_text("utf-8")
    for event in events.EVENT_CLASSES.values():
        section = page.partition(f"### {event.__name__}\n")[2].partition("\n### ")[0]
        for name in event.__struct_fields__:
            assert re.search(rf"^\| `{name}` \| .+ \| .* \| .+ \|$", section, re.MULTILINE), name
    for told in status.FeedEvent.__subclasses__():
        section = page.partition(f"### {told.__name__}\n")[2].partition("\n### ")[0]
        own = set(told.__struct_fields__) - set(status.FeedEvent.__struct_fields__)
        assert [name for name in own if f"`{name}`" not in section] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in LINK.findall(path.read_text("utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / unquote(file)).resolve() if file else path
        assert there.exists(), target
        if anchor:
            assert anchor in _anchors(there.read_text("utf-8")), target


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs/index.md").read_text("utf-8")
    names = [str(path.relative_to(ROOT / "docs")) for path in PAGES[1:]]
    assert [name for name in names if f"({name})" not in index and name != "index.md"] == []


def test_the_readme_credits_the_recordings_and_names_the_licence() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    credit = "This product includes software developed by Bryant Moscon (http://www.bryantmoscon.com/)"
    assert credit in readme
    assert credit in (ROOT / "NOTICE").read_text("utf-8")
    assert "(NOTICE)" in readme
    assert "Apache-2.0" in readme


def test_the_readmes_demo_has_the_lines_of_todays_demo() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    demo = readme.partition("<!-- demo -->\n```text\n")[2].partition("```")[0]
    shown, words = _normal(demo), _words(demo)
    for event in _STEPS:
        assert _normal(feed_line(event)[1]) in shown, event
    for told in ([_gap("full_state"), _gap("nothing_missed"), _gap("filling")], [_gap("filled", recovered=2)]):
        for _, line in gap_lines(told):
            assert _words(line) in words, line
    output = io.StringIO()
    show(Console(file=output, width=200, markup=False, highlight=False), _SUMMARY)
    for line in output.getvalue().splitlines():
        assert _words(line) in words, line
    assert _normal("Lost in silence  0 of 243 trades made") in shown


_HERE: dict[str, Any] = {"venue": "upbit", "connection": "upbit-1", "at_ns": 0}
_URL = "ws://127.0.0.1:40001/websocket/v1"
_STEPS: tuple[status.FeedEvent, ...] = (
    status.Disconnected(**_HERE, loss=Loss("stopped"), attempt=0, retry_in=None, final=True),
    status.Stopped(**_HERE, reason="stopped"),
    status.Connecting(**_HERE, url=_URL, attempt=1),
    status.Connecting(**_HERE, url=_URL, attempt=2),
    status.Connected(**_HERE, url=_URL, reconnect=0),
    status.Connected(**_HERE, url=_URL, reconnect=1),
    status.Disconnected(**_HERE, loss=Loss("closed", 1001, "going away"), attempt=1, retry_in=0.3),
    status.Disconnected(**_HERE, loss=Loss("ping_timeout", 1006, "no pong within 1 s"), attempt=1, retry_in=0.3),
    status.Subscribed(**_HERE, subscriptions=(Subscription("trade", "KRW-BTC"),) * 24),
    status.Recovered(**_HERE, subscriptions=(Subscription("trade", "KRW-BTC"),) * 24, seconds=0.25),
)
_SUMMARY = Summary(
    seconds=20.0,
    received={"candle.1s": 1, "orderbook": 1, "ticker": 1, "trade": 1},
    per_second=40.0,
    reconnects=2,
    connect_time="2026-11-21T08:42:31.000+00:00",
    last_error="ping_timeout (1006 no pong within 1 s)",
    last_error_time="2026-11-21T08:42:30.000+00:00",
    gaps={"full_state": 36, "nothing_missed": 6, "filled": 6},
    missing=(),
    recovered=21,
    dropped=0,
    quarantined=0,
    latency_ms={"p50": 35.0, "p99": 38.0},
    folder="demo-recording",
    files=tuple(Written(f"KRW-BTC_{kind}.jsonl", 19, 7300) for kind in ("candle.1s", "orderbook", "ticker", "trade")),
    lost_in_silence=0,
    made=243,
)


def _gap(state: status.GapState, recovered: int = 0) -> status.Gap:
    return status.Gap(
        **_HERE,
        subscription=Subscription("trade", "KRW-ETH"),
        cause="closed",
        state=state,
        from_ns=0,
        to_ns=10**9,
        last_id=1,
        first_id=2,
        last_timestamp=0,
        first_timestamp=1000,
        recovered=recovered,
    )


def _normal(text: str) -> str:
    """Every number alike."""
    return re.sub(r"\d[\d,.]*", "N", text)


def _words(text: str) -> str:
    """The words alone: without numbers, market codes and spaces."""
    return " ".join(re.sub(r"\S*\d\S*|[A-Z]+-[A-Z]+|[·:,()]|\b[kM]?B\b", " ", text).split())


def _anchors(page: str) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_the_words_of_the_pages_are_structs_that_exist() -> None:
    for name in re.findall(r"`([A-Z]\w+(?:Event|Options|Unit))`", "".join(p.read_text("utf-8") for p in PAGES)):
        home = next((one for one in (events, book, status, config, options) if hasattr(one, name)), None)
        if name != "RunnerOptions":
            assert home is not None, name
            assert issubclass(getattr(home, name), msgspec.Struct)
