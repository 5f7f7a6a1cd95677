"""One stream on its way to local programs: frames as they came, in frames of any size, and of one frame one message."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest

from tapewire.apps.gateway.backlog import Backlog
from tapewire.apps.gateway.frames import BINARY, TEXT, framed
from tapewire.apps.gateway.outlet import Outlet, Pump
from tapewire.apps.gateway.relay import Relay
from tapewire.apps.gateway.visiting import Held
from tapewire.model.events import Event
from tapewire.model.market import Market
from tapewire.model.subscription import Subscription
from tapewire.testing.clock import run_virtual
from tapewire.venues.registry import get_venue
from tapewire.venues.serving import Visitor
from tests.venues.ring import Ring

UPBIT, OKX = get_venue("upbit"), get_venue("okx")
TRADE = b'{"type":"trade","code":"KRW-BTC","trade_price":1.0,"sequential_id":7,"stream_type":"REALTIME"}'
TRADES = Subscription("trade", "KRW-BTC")


class Nothing(Held):
    """Streams of which nothing is held."""

    def __init__(self) -> None:
        self.markets = {"KRW-BTC": Market("KRW-BTC", "BTC", "KRW")}

    def latest(self, stream: Subscription) -> Event | None:
        return None

    def refused(self, stream: Subscription) -> tuple[str, str] | None:
        return None


class Far:
    """A program's end: what it got."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    def write(self, data: bytes, /) -> None:
        self.got.append(data)

    def unsent(self) -> int:
        return 0

    def cut(self) -> None:
        raise AssertionError("nobody is too slow here")


class Visit(NamedTuple):
    """What a relay asks of one."""

    talk: Visitor
    outlet: Outlet


def visit(venue: Any, pump: Pump, far: Far, request: bytes) -> Any:
    talk = venue.serving("DEFAULT").visitor(Nothing(), "public", Ring())
    talk.receive(0.0, request, is_text=True)
    return Visit(talk, Outlet(far, "websocket", pump, Backlog()))


def asking(form: str) -> bytes:
    return b'[{"ticket":"t"},{"type":"trade","codes":["KRW-BTC"]},{"format":"%b"}]' % form.encode()


@pytest.mark.parametrize("size", [len(TRADE), 125, 126, 127, 65_535, 65_536])
def test_a_frame_of_any_size_goes_on_byte_for_byte(size: int) -> None:
    async def story() -> None:
        pump, far, other = Pump(), Far(), Far()
        relay = Relay(TRADES, BINARY, conflates=False)
        relay.renew(visit(UPBIT, pump, far, asking("DEFAULT")))
        relay.renew(visit(UPBIT, pump, other, asking("SIMPLE")))
        payload = TRADE + b" " * (size - len(TRADE))
        [event] = UPBIT.codec("DEFAULT", "float", True).read(payload).events
        event.raw = payload
        relay.hear(event)
        await asyncio.sleep(0)
        assert far.got == [framed(payload, BINARY)]
        assert len(other.got) == 1
        assert b'"cd":"KRW-BTC"' in other.got[0]
        pump.close()

    run_virtual(story())


@pytest.mark.parametrize("size", [len(TRADE), 125, 126, 127, 65_535, 65_536])
def test_of_the_only_program_all_frames_go_on_byte_for_byte_till_another_comes(size: int) -> None:
    async def story() -> None:
        pump, far, other = Pump(), Far(), Far()
        relay = Relay(TRADES, BINARY, conflates=False)
        relay.renew(visit(UPBIT, pump, far, asking("DEFAULT")))
        payloads = [TRADE.replace(b"7", b"%d" % number).ljust(size) for number in (1, 2, 3)]
        for payload in payloads[:2]:
            [event] = UPBIT.codec("DEFAULT", "float", True).read(payload).events
            event.raw = payload
            relay.hear(event)
        later = visit(UPBIT, pump, other, asking("DEFAULT"))
        relay.renew(later)
        [event] = UPBIT.codec("DEFAULT", "float", True).read(payloads[2]).events
        event.raw = payloads[2]
        relay.hear(event)
        await asyncio.sleep(0)
        assert far.got == [b"".join(framed(payload, BINARY) for payload in payloads)]
        assert other.got == [framed(payloads[2], BINARY)]
        relay.remove(later)
        event.raw = payloads[0]
        relay.hear(event)
        await asyncio.sleep(0)
        assert (len(far.got), len(other.got)) == (2, 1)
        pump.close()

    run_virtual(story())


def test_what_rest_told_the_only_program_is_made_anew_between_frames_as_they_came() -> None:
    async def story() -> None:
        pump, far = Pump(), Far()
        relay = Relay(TRADES, BINARY, conflates=False)
        relay.renew(visit(UPBIT, pump, far, asking("DEFAULT")))
        codec, spaced = UPBIT.codec("DEFAULT", "float", True), TRADE.replace(b":", b": ")
        for recovered in (False, True, False):
            [event] = codec.read(spaced).events
            event.recovered = recovered
            relay.hear(event)
            await asyncio.sleep(0)
        assert [spaced in frame for frame in far.got] == [True, False, True]
        assert b'"sequential_id":7' in far.got[1]
        pump.close()

    run_virtual(story())


def test_what_rest_told_is_made_anew() -> None:
    async def story() -> None:
        pump, far = Pump(), Far()
        relay = Relay(TRADES, BINARY, conflates=False)
        relay.renew(visit(UPBIT, pump, far, asking("DEFAULT")))
        [event] = UPBIT.codec("DEFAULT", "float", True).read(TRADE.replace(b":", b": ")).events
        event.recovered = True
        relay.hear(event)
        await asyncio.sleep(0)
        [frame] = far.got
        assert event.raw is not None
        assert event.raw not in frame
        assert b'"sequential_id":7' in frame
        pump.close()

    run_virtual(story())


def test_a_frame_of_several_trades_goes_on_once() -> None:
    async def story() -> None:
        stream, arg = Subscription("trade", "BTC-USDT"), b'{"channel":"trades","instId":"BTC-USDT"}'
        row = b'{"instId":"BTC-USDT","tradeId":"%d","px":"1","sz":"1","side":"buy","ts":"5","count":"1"}'
        payload = b'{"arg":%b,"data":[%b,%b]}' % (arg, row % 1, row % 2)
        first, second = OKX.codec("DEFAULT", "float", True).read(payload).events
        pump, far = Pump(), Far()
        relay = Relay(stream, TEXT, conflates=False)
        relay.renew(visit(OKX, pump, far, b'{"op":"subscribe","args":[%b]}' % arg))
        for event in (first, second):
            relay.hear(event)
        await asyncio.sleep(0)
        assert far.got == [framed(payload, TEXT)]
        pump.close()

    run_virtual(story())
