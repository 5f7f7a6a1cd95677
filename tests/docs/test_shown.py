"""Points of the guides that asked for this product, word by word, where no other test shows them so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tapewire import Subscription, WebSocketClient, decode
from tapewire.config import SessionOptions
from tapewire.model.events import Event, TradeEvent
from tapewire.model.subscription import Wish
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.sinks.registry import get_sink
from tapewire.testing.clock import elapse, run_virtual
from tapewire.transport.contract import Line, LineFactory
from tapewire.venues.registry import get_venue


class Wire:
    """The other end of a guide's sample: sends text, keeps what comes."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def on_message(self, payload: bytes, is_text: bool, received_ns: int) -> None:
        self.heard.append(payload)

    def on_pong(self, payload: bytes) -> None:
        pass

    def on_lost(self, loss: object) -> None:
        pass


async def _ask(venue: str, markets: tuple[str, ...], request: str) -> tuple[list[Event], list[bytes]]:
    """What the simulated exchange says to one text message within two seconds."""
    simulator = Simulator(Scenario(venue=venue, markets=markets, rate=50.0))
    wire = Wire()
    make: LineFactory = simulator.lines()
    line: Line = make(WebSocketClient("x").options.line, lambda: 0)
    await line.open("ws://memory/websocket/v1", {}, wire)
    line.send(request.encode())
    await simulator.reached(simulator.now + 2.0)
    await simulator.stop()
    return [event for payload in wire.heard for event in decode(venue, payload)], wire.heard


#: id of the requirement → venue, markets, request as the guide prints it, {(kind, code)} that answer
GUIDE_REQUESTS = {
    "S0-17": (
        "upbit-sg",
        ("SGD-BTC", "SGD-ETH", "SGD-XRP"),
        '[{"ticket":"uuid_"},{"type":"orderbook","codes":["SGD-BTC","SGD-ETH"]},{"type":"trade","codes":["SGD-XRP"]}]',
        {("orderbook", "SGD-BTC"), ("orderbook", "SGD-ETH"), ("trade", "SGD-XRP")},
    ),
    "S1-33": (
        "upbit",
        ("KRW-BTC",),
        '[{"ticket":"unique uuid"},{"type":"ticker","codes":["KRW-BTC"]},{"format":"DEFAULT"}]',
        {("ticker", "KRW-BTC")},
    ),
    "S1-34": (
        "upbit",
        ("KRW-BTC", "BTC-BCH"),
        (
            '[{"ticket":"unique uuid"},{"type":"trade","codes":["KRW-BTC","BTC-BCH"]},'
            '{"type":"orderbook","codes":["KRW-BTC","BTC-BCH"]},{"format":"SIMPLE"}]'
        ),
        {(kind, code) for kind in ("trade", "orderbook") for code in ("KRW-BTC", "BTC-BCH")},
    ),
}


@pytest.mark.parametrize("point", GUIDE_REQUESTS)
def test_a_guides_request_is_answered_as_the_guide_says(point: str) -> None:
    venue, markets, request, expected = GUIDE_REQUESTS[point]
    events, frames = run_virtual(_ask(venue, markets, request))
    kinds = [(type(event).__name__.removesuffix("Event").lower(), event.symbol, event.stream_type) for event in events]
    assert {(kind, symbol) for kind, symbol, _ in kinds} == expected
    assert sum(stream_type == "SNAPSHOT" for *_, stream_type in kinds) == len(expected)
    assert any(stream_type == "REALTIME" for *_, stream_type in kinds)
    assert all((b'"ty":' in frame) == ("SIMPLE" in request) for frame in frames)


@pytest.mark.parametrize("point", GUIDE_REQUESTS)
def test_what_we_send_asks_for_the_same_as_the_guides_request(point: str) -> None:
    venue, _, request, expected = GUIDE_REQUESTS[point]
    simple = "SIMPLE" if "SIMPLE" in request else "DEFAULT"
    wishes = [Wish(Subscription(kind, code)) for kind, code in sorted(expected)]
    [ours] = get_venue(venue).encode(wishes, "uuid_", simple)  # type: ignore[arg-type]

    def asked(text: str | bytes) -> set[tuple[str, str]]:
        return {(part["type"], code) for part in json.loads(text) if "type" in part for code in part["codes"]}

    assert asked(ours) == asked(request)
    assert list(json.loads(ours)[0]) == ["ticket"]
    assert json.loads(ours)[-1] == {"format": simple}


def test_each_request_has_a_fresh_uuid4_as_its_ticket() -> None:
    """S0-58, S1-24, S3-77: with the defaults of a user's client, across requests and reconnects."""

    async def story() -> list[str]:
        simulator = Simulator(Scenario(markets=("KRW-BTC", "KRW-ETH"), faults=("drop@5", "drop@20")))
        here: dict[str, Any] = {"line_factory": simulator.lines(), "http": simulator.http()}
        async with WebSocketClient("tickets", **here) as client:
            handle = await client.subscribe_trade("KRW-BTC", lambda _: None)
            await handle.live()
            await handle.add("KRW-ETH")
            await simulator.reached(60)
        sent = [json.loads(sent.payload) for sent in simulator.requests]
        await simulator.stop()
        return [request[0]["ticket"] for request in sent]

    tickets = run_virtual(story())
    assert len(tickets) >= 4
    assert len(set(tickets)) == len(tickets)
    assert {UUID(ticket).version for ticket in tickets} == {4}


def test_the_state_of_a_connection_can_be_asked_at_any_time() -> None:
    """S2-23, S2-47: open, waiting with the time to the next attempt, open again, gone."""

    async def story() -> list[tuple[str, bool, str | None]]:
        simulator = Simulator(Scenario(markets=("KRW-BTC",)))
        here: dict[str, Any] = {"line_factory": simulator.lines(), "http": simulator.http()}
        seen: list[tuple[str, bool, str | None]] = []

        def look() -> None:
            [one] = client.statistics().connections
            seen.append((one.state, one.retry_in is not None, one.last_error))

        async with WebSocketClient("state", session=SessionOptions(jitter=False), **here) as client:
            handle = await client.subscribe_ticker("KRW-BTC", lambda _: None)
            await handle.live()
            look()
            simulator.drop(1001, "going away")
            await elapse(0.5)
            look()
            await elapse(1.0)
            look()
        await simulator.stop()
        return seen

    lost = "closed (1001 going away)"
    assert run_virtual(story()) == [("open", False, None), ("waiting", True, lost), ("open", False, lost)]


def test_the_attempts_of_an_older_guide_can_be_had_exactly() -> None:
    """S3-22, S2-14, S0-33: five tries after 1, 2, 4, 8 and 16 s, then a loud end."""

    async def story() -> list[float]:
        faults = ("maintenance:1000@5",)
        simulator = Simulator(Scenario(markets=("KRW-BTC",), faults=faults))
        here: dict[str, Any] = {"line_factory": simulator.lines(), "http": simulator.http()}
        session = SessionOptions(jitter=False, max_retries=5)
        waits: list[float] = []
        async with WebSocketClient("guide", session=session, **here) as client:
            client.subscribe_feed(lambda event: waits.append(getattr(event, "retry_in", None) or 0.0))
            handle = await client.subscribe_ticker("KRW-BTC", lambda _: None)
            await simulator.reached(60)
            assert "unreachable" in str(handle.error)
        await simulator.stop()
        return [round(wait, 3) for wait in waits if wait]

    assert run_virtual(story()) == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_the_request_limits_are_the_exchanges_own() -> None:
    """S0-79 to S0-83: five connects and five messages a second, a hundred messages a minute, in every region."""
    for name in ("upbit", "upbit-sg", "upbit-id", "upbit-th"):
        facts = get_venue(name).facts
        assert [(one.count, one.seconds) for one in facts.connects] == [(5, 1.0)]
        assert [(one.count, one.seconds) for one in facts.messages] == [(5, 1.0), (100, 60.0)]


def test_a_user_records_into_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    """S0-66: missing folders are made, also several deep."""
    sink = get_sink("jsonl")(tmp_path / "not" / "there" / "yet")
    sink.open()
    sink.write([TradeEvent(venue="upbit", symbol="KRW-BTC", trade_price=1.0)])
    sink.close()
    assert [path.name for path in (tmp_path / "not" / "there" / "yet").iterdir()] == ["KRW-BTC_trade.jsonl"]
