"""Every way to lose a line: told, recovered from, and no trade lost in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from tapewire.config import SessionOptions
from tapewire.errors import ConnectFailed, LineLost
from tapewire.model.events import Event, TradeEvent
from tapewire.model.status import (
    Connected,
    Connecting,
    Disconnected,
    FeedEvent,
    Gap,
    Quarantined,
    Recovered,
    Rejected,
    Stale,
    Stopped,
)
from tapewire.model.subscription import Subscription
from tapewire.testing.clock import VirtualTimeLoop
from tests.client.stage import Stage, check_account, play, trades
from tests.sizes import size

STEADY = SessionOptions(jitter=False)


def lose_and_return(trouble: Callable[[Stage], None], *, wait: float = 90.0, rate: float = 10.0) -> Stage:
    """Thirty seconds of trades, the trouble, and some time after it. Nothing may be lost in silence."""

    async def story(stage: Stage) -> Stage:
        heard: list[Event] = []
        async with stage.client(session=STEADY) as client:
            await client.subscribe_trade(["KRW-BTC", "KRW-ETH"], heard.append)
            await client.subscribe_ticker("KRW-BTC", heard.append)
            await stage.after(30)
            trouble(stage)
            await stage.after(wait)
            until = len(stage.simulator.trades)
            await stage.turns()
        for symbol in ("KRW-BTC", "KRW-ETH"):
            check_account(stage, symbol, trades(heard), until)
        return stage

    return play(story, rate=rate)


def test_a_clean_close_is_a_loss_like_any_other() -> None:
    stage = lose_and_return(lambda stage: stage.simulator.drop(1000, "bye"), wait=10, rate=60.0)
    lost = stage.told(Disconnected)[0]
    assert (lost.loss.cause, lost.loss.code, lost.loss.reason, lost.retry_in) == ("closed", 1000, "bye", 1.0)
    gaps = [gap for gap in stage.told(Gap) if gap.subscription == Subscription("trade", "KRW-BTC")]
    assert [(gap.state, gap.cause) for gap in gaps] == [("unfilled", "closed")]
    assert gaps[0].to_ns is not None
    assert gaps[0].to_ns - gaps[0].from_ns == 1_000_000_000
    [recovered] = stage.told(Recovered)
    assert recovered.seconds == 1.0
    assert sorted(map(str, recovered.subscriptions)) == ["ticker KRW-BTC", "trade KRW-BTC", "trade KRW-ETH"]
    assert [event.reconnect for event in stage.told(Connected)] == [0, 1]


def test_the_bounds_of_a_gap_are_the_trades_on_either_side() -> None:
    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []
        async with stage.client(session=STEADY) as client:
            await client.subscribe_trade("KRW-BTC", heard.append)
            await stage.after(30)
            before = heard[-1]
            known = len(heard)
            stage.simulator.abort()
            await stage.after(20)
            [gap] = stage.told(Gap)
            after = heard[known]
        assert (gap.last_id, gap.first_id) == (before.sequential_id, after.sequential_id)
        assert (gap.last_timestamp, gap.first_timestamp) == (before.timestamp, after.timestamp)
        assert (gap.state, gap.cause) == ("unfilled", "reset")

    play(story, rate=100.0)


def test_a_quiet_market_tells_that_nothing_was_missed() -> None:
    async def story(stage: Stage) -> None:
        heard: list[TradeEvent] = []
        async with stage.client(session=STEADY) as client:
            handle = await client.subscribe_trade("KRW-BTC", heard.append)
            await handle.live()
            stage.simulator.drop()
            await stage.after(1.2)
            [gap] = stage.told(Gap)
            assert (gap.state, gap.last_id) == ("nothing_missed", heard[0].sequential_id)
        assert len(heard) == 1, "the trade of the second snapshot had been delivered"

    play(story, rate=0.001)


def test_half_open_is_noticed_by_ping_and_the_gap_begins_before_it() -> None:
    stage = lose_and_return(lambda stage: stage.simulator.freeze())
    [lost] = [event for event in stage.told(Disconnected) if event.loss.cause != "stopped"]
    assert (lost.loss.cause, lost.retry_in) == ("ping_timeout", 1.0)
    frozen = stage.simulator.exchange.market.trades_made[0].timestamp
    assert frozen is not None
    assert {gap.cause for gap in stage.told(Gap)} == {"ping_timeout"}


def test_silence_is_told_as_stale_and_the_line_is_replaced() -> None:
    stage = lose_and_return(lambda stage: stage.simulator.silence(), wait=600)
    causes = [event.loss.cause for event in stage.told(Disconnected)]
    assert causes == ["stale", "stopped"]
    stale = [event for event in stage.told(Stale) if not event.over]
    assert {str(event.subscription) for event in stale} == {"trade KRW-BTC", "trade KRW-ETH", "ticker KRW-BTC"}
    assert all(60 < event.silent < 70 and event.silent >= event.limit for event in stale)
    silent = [gap for gap in stage.told(Gap) if gap.last_id is not None]
    assert {gap.cause for gap in silent} == {"stale"}
    assert {gap.state for gap in silent} <= {"unfilled", "nothing_missed"}


def test_a_line_that_answers_requests_but_brings_nothing_by_itself_is_replaced() -> None:
    """No trade's id shows here that something was missed: tickers and books alone."""

    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(session=STEADY) as client:
            await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], heard.append)
            await client.subscribe_orderbook("KRW-BTC", heard.append)
            await stage.after(30)
            stage.simulator.silence()
            await stage.after(60 + 120 + 10)
            known = len(heard)
            await stage.after(30)
            assert len(heard) > known, "data again"
        [lost] = [event for event in stage.told(Disconnected) if event.loss.cause != "stopped"]
        assert lost.loss.cause == "stale"
        assert {(gap.cause, gap.state) for gap in stage.told(Gap)} == {("stale", "full_state")}
        assert len(stage.asked()) == 3, "one request, one more when all were silent, one on the new line"

    play(story)


@pytest.mark.parametrize("payload", [b"\x00\xff", b"{", b"[" * 5000, b'{"type":"novelty"}', b'{"type":7}', b"null"])
def test_garbage_goes_to_quarantine_and_costs_nothing(payload: bytes) -> None:
    stage = lose_and_return(lambda stage: stage.simulator.inject(payload), wait=10)
    [kept] = stage.told(Quarantined)
    assert (kept.payload, kept.count) == (payload, 1)
    assert len(stage.told(Connected)) == 1
    assert stage.told(Gap) == []


def test_an_error_frame_of_an_unknown_name_is_told_and_ends_nothing() -> None:
    frame = b'{"error":{"name":"NEW_KIND","message":"what now"}}'
    stage = lose_and_return(lambda stage: stage.simulator.inject(frame), wait=10)
    [told] = stage.told(Rejected)
    assert (told.name, told.message, told.final, told.subscriptions) == ("NEW_KIND", "what now", False, ())


def test_maintenance_is_waited_out_with_growing_delays() -> None:
    stage = lose_and_return(lambda stage: stage.simulator.maintenance(60), wait=120)
    delays = [event.retry_in for event in stage.told(Disconnected) if event.retry_in is not None]
    assert delays == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    assert [event.loss.cause for event in stage.told(Disconnected)][1:-1] == ["unreachable"] * 5


def test_a_cut_frame_is_a_loss_and_no_event() -> None:
    stage = lose_and_return(lambda stage: stage.simulator.cut())
    assert [event.loss.cause for event in stage.told(Disconnected)] == ["reset", "stopped"]


def test_a_server_that_accepts_and_closes_is_not_dialled_in_a_fast_circle() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(session=STEADY) as client:
            await client.subscribe_ticker("KRW-BTC", lambda _event: None)
            await stage.after(100)
            times = [round(at, 1) for at in stage.simulator.connects]
        assert [round(b - a) for a, b in pairwise(times)] == [1, 2, 4, 8, 16, 30, 30]

    play(story, faults=("close-after-subscribe",))


@pytest.mark.parametrize("when", ["first", "fifth", "always"])
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_handshake_that_trying_again_cannot_mend_ends_with_the_reason(status: int, when: str) -> None:
    """D4: told to handle, iterator and feed; not tried again."""

    async def story(stage: Stage) -> None:
        if when == "fifth":
            stage.simulator.refuse(503, times=4)
        stage.simulator.refuse(status, body=b'{"error":{"name":"no"}}', times=1000 if when == "always" else 1)
        async with stage.client(session=STEADY) as client:
            handle = await client.subscribe_ticker(["KRW-BTC", "KRW-ETH"], print)
            stream = client.trades("KRW-BTC")
            with pytest.raises(ConnectFailed, match=f"refused \\({status}"):
                await anext(stream)
            with pytest.raises(ConnectFailed):
                await handle.live()
            assert isinstance(handle.error, ConnectFailed)
            assert handle.error.loss.status == status
            assert handle.error.loss.body == b'{"error":{"name":"no"}}'
            assert handle.rejected.keys() == {"KRW-BTC", "KRW-ETH"}
            assert handle.symbols == []
            dials = len(stage.simulator.connects)
            await stage.after(300)
            assert len(stage.simulator.connects) == dials == (5 if when == "fifth" else 1)
        last = stage.told(Disconnected)[-1]
        assert (last.final, last.retry_in, last.loss.status) == (True, None, status)
        assert [event.error for event in stage.told(Stopped)] == [True]

    play(story)


def test_after_a_fatal_refusal_a_new_subscription_dials_anew() -> None:
    async def story(stage: Stage) -> None:
        stage.simulator.refuse(403)
        async with stage.client() as client:
            first = await client.subscribe_ticker("KRW-BTC", print)
            with pytest.raises(ConnectFailed):
                await first.live()
            heard: list[Event] = []
            await (await client.subscribe_ticker("KRW-BTC", heard.append)).live()
            await stage.after(5)
            assert len(heard) > 1

    play(story)


@pytest.mark.parametrize(
    ("status", "headers", "least"),
    [(429, (("Retry-After", "7"),), 7.0), (429, (), 1.0), (418, (), 30.0), (503, (), 1.0), (500, (), 1.0)],
)
@pytest.mark.parametrize("times", [1, 5])
def test_a_refusal_that_passes_is_tried_again_but_never_earlier_than_asked(
    status: int, headers: tuple[tuple[str, str], ...], least: float, times: int
) -> None:
    async def story(stage: Stage) -> None:
        stage.simulator.refuse(status, headers, times=times)
        async with stage.client(session=STEADY) as client:
            handle = await client.subscribe_ticker("KRW-BTC", lambda _event: None)
            await handle.live(600)
            dials = stage.simulator.connects
        assert len(dials) == times + 1
        assert all(later - earlier >= least for earlier, later in pairwise(dials))

    play(story)


def test_who_may_try_only_so_often_gives_up_loudly() -> None:
    async def story(stage: Stage) -> None:
        stage.simulator.maintenance(10_000)
        async with stage.client(validate=False, session=SessionOptions(max_retries=3, jitter=False)) as client:
            handle = await client.subscribe_ticker("KRW-BTC", print)
            with pytest.raises(ConnectFailed, match="unreachable"):
                await handle.live(60)
            with pytest.raises(ConnectFailed, match="unreachable"):
                await handle.add("KRW-ETH")
        assert len(stage.told(Connecting)) == 4

    play(story)


def test_giving_up_after_a_line_that_stood_is_told_as_the_line_lost() -> None:
    async def story(stage: Stage) -> None:
        async with stage.client(session=SessionOptions(max_retries=0)) as client:
            handle = await client.subscribe_ticker("KRW-BTC", lambda _event: None)
            await handle.live()
            stage.simulator.drop(1001, "going away")
            await stage.after(1)
            assert isinstance(handle.error, LineLost)
            assert str(handle.error) == "closed (1001 going away)"

    play(story)


def test_a_clean_stop_takes_less_than_five_seconds_even_on_a_dead_line_with_a_stuck_callback() -> None:
    async def story(stage: Stage) -> None:
        async def stuck(_event: Event) -> None:
            await asyncio.get_running_loop().create_future()

        client = stage.client()
        await client.subscribe_trade("KRW-BTC", stuck)
        await stage.after(10)
        stage.simulator.freeze()
        began = stage.loop.time()
        await client.cleanup()
        assert stage.loop.time() - began < 5

    play(story)


def test_a_stop_while_dialling_or_waiting_is_at_once() -> None:
    async def story(stage: Stage) -> None:
        stage.simulator.maintenance(1000)
        for wait in (0.0, 5.0):
            client = stage.client(validate=False)
            await client.subscribe_trade("KRW-BTC", print)
            await stage.turns(1)
            await stage.after(wait)
            began = stage.loop.time()
            await client.cleanup()
            assert stage.loop.time() - began < 0.01

    play(story)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "last"), [(1, 249), (250, 349), (350, 429), (430, 500)])
def test_disconnects_at_every_message_of_a_session_lose_nothing_in_silence(first: int, last: int) -> None:
    """D2: the line is cut after the n-th message, for every n of a session of 500 messages."""

    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        cuts = first - 1

        def cut(event: Event) -> None:
            nonlocal cuts
            heard.append(event)
            if len(heard) > cuts:  # the n-th session ends at its n-th message
                cuts += 1
                heard.clear()
                (stage.simulator.abort if cuts % 2 else stage.simulator.drop)()

        everything: list[Event] = []
        async with stage.client(session=SessionOptions(backoff_base=0.2, backoff_cap=0.2, jitter=False)) as client:
            subscriptions = [
                Subscription(kind, symbol) for kind in ("trade", "ticker") for symbol in ("KRW-BTC", "KRW-ETH")
            ]
            await client.subscribe(subscriptions, everything.append)
            await client.subscribe(subscriptions, cut)
            while cuts < last:
                await stage.after(10)
            until = len(stage.simulator.trades)
            await stage.turns()
        for symbol in ("KRW-BTC", "KRW-ETH"):
            check_account(stage, symbol, trades(everything), until)
        lost = [event for event in stage.told(Disconnected) if event.loss.cause != "stopped"]
        assert len(lost) > 0.95 * (last - first)

    play(story, rate=200.0, markets=("KRW-BTC", "KRW-ETH"))


@pytest.mark.parametrize("first_seed", range(0, size(100, 500), 25))
def test_half_open_is_always_noticed_in_time(first_seed: int) -> None:
    """D3: whenever the line dies, detection ≤ ping interval + time-out + 0.1 s."""

    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(session=SessionOptions(ping_interval=5, ping_timeout=2)) as client:
            await client.subscribe_trade("KRW-BTC", heard.append)
            await stage.after(3 + stage.manager._draw() * 20)
            stage.simulator.freeze()
            frozen = stage.loop.time()
            lost: list[float] = []
            client.subscribe_feed(
                lambda event: lost.append(stage.loop.time()) if isinstance(event, Disconnected) else None
            )
            await stage.after(12)
            assert lost[0] - frozen <= 5 + 2 + 0.1
            await stage.after(5)
            until = len(stage.simulator.trades)
            await stage.turns()
        check_account(stage, "KRW-BTC", trades(heard), until)

    for seed in range(first_seed, first_seed + 25):
        play(story, seed=seed, rate=5.0)


@pytest.mark.parametrize("seed", range(1, 1 + size(1, 50)))
@pytest.mark.parametrize("jump", [3600.0, -3600.0, 1.0, -1.0])
def test_a_wall_clock_that_jumps_changes_nothing_but_the_stamps(jump: float, seed: int) -> None:
    """D8: no time-out and no reconnect from the wall clock; the same requests at the same moments."""

    def run(shift: float) -> tuple[list[object], list[str], list[int]]:
        offset = 0

        async def story(stage: Stage) -> tuple[list[object], list[str], list[int]]:
            nonlocal offset
            heard: list[TradeEvent] = []
            async with stage.client() as client:
                await client.subscribe_trade("KRW-BTC", heard.append)
                await stage.after(50)
                offset = int(shift * 1e9)
                await stage.after(50)
                stage.simulator.drop()
                await stage.after(100)
            facts: list[object] = [(sent.at, sent.payload) for sent in stage.simulator.requests]
            return facts, [type(event).__name__ for event in stage.feed], [trade.received_ns for trade in heard]

        def wall_ns() -> int:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualTimeLoop)
            return loop.wall_ns() + offset

        return play(story, seed=seed, wall_ns=wall_ns)

    steady, jumped = run(0.0), run(jump)
    assert steady[:2] == jumped[:2]
    assert {b - a for a, b in zip(steady[2], jumped[2], strict=True)} == {0, int(jump * 1e9)}


@pytest.mark.parametrize("seed", range(1, 1 + size(1, 200)))
def test_a_process_stopped_for_ten_minutes_makes_no_storm(seed: int) -> None:
    """D8, a VM's pause: the loop's time jumps; one ping or one reconnect, not all that were missed."""

    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client() as client:
            await client.subscribe_trade("KRW-BTC", heard.append)
            await stage.after(20 + 20 * seed % 40)
            before = len(stage.simulator.connects), len(stage.simulator.requests)
            stage.loop.jump(600)
            await stage.after(60)
            after = len(stage.simulator.connects), len(stage.simulator.requests)
            until = len(stage.simulator.trades)
            await stage.turns()
        assert after[0] - before[0] <= 1
        assert after[1] - before[1] <= 2
        check_account(stage, "KRW-BTC", trades(heard), until)

    play(story, seed=seed)


def test_every_feed_event_names_venue_connection_and_time() -> None:
    stage = lose_and_return(lambda stage: stage.simulator.drop())
    first = stage.loop.wall_ns() - int(stage.loop.time() * 1e9)
    for event in stage.feed:
        assert isinstance(event, FeedEvent)
        assert (event.venue, event.connection) == ("upbit", "upbit-1")
        assert first <= event.at_ns <= stage.loop.wall_ns()
