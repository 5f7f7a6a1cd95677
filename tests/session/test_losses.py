"""RELIABILITY.md D2, D3, D4, D8 and the fault lab's rows at the machine, and a day of faults."""

from __future__ import annotations

import hashlib
from random import Random

import pytest

from tapewire.model.line import Loss
from tapewire.model.status import Connecting, Disconnected, Gap, Stale, Stopped
from tapewire.session.actions import Close, Connect, Finish, Ping, Publish
from tapewire.venues.contract import Control
from tests.session.exchange import Exchange, worst
from tests.session.made_up import CONNECTS, MESSAGES, wishes
from tests.session.test_refusals import against

WISH = ("A", "B", "ticker A")


def running(seed: int = 1, until: float = 60.0, every: float = 0.1, **options: object) -> Exchange:
    exchange = Exchange(Random(seed), every=every)
    exchange.do(against(exchange, **options).want(exchange.now, wishes(*WISH)))
    exchange.run(until)
    return exchange


def manners(exchange: Exchange) -> None:
    """No window of connects or messages was overrun, and no dial came before its time."""
    assert all(worst(exchange.connects, window) <= window.count for window in CONNECTS)
    for times in exchange.messages.values():
        assert all(worst(times, window) <= window.count for window in MESSAGES)
    promised = 0.0
    for t, action in exchange.actions:
        if isinstance(action, Connect):
            assert t >= promised
        elif isinstance(action, Publish) and isinstance(action.event, Disconnected):
            promised = t + (action.event.retry_in or 0.0) - 1e-9


def whole(exchange: Exchange) -> bool:
    """Every stream is live, has data, and no gap is open."""
    machine = exchange.machine
    return len(machine.live) == len(WISH) == len(exchange.progress) and not machine.gaps


def test_d2_a_loss_at_every_boundary_of_a_session_is_told_and_repaired() -> None:
    boundaries = [n * 0.01 for n in range(500)]
    for boundary in boundaries:
        exchange = running(until=boundary, every=0.05)
        had = set(exchange.machine.live) | set(exchange.progress)
        before = exchange.line
        exchange.end(Loss("reset", 1006))
        assert {gap.subscription for gap in exchange.machine.gaps} == (had if before else set())
        exchange.run(boundary + 4.0)
        assert whole(exchange)
        rows = {event.subscription for event in exchange.events() if isinstance(event, Gap)}
        assert rows == (had if before else set())
        manners(exchange)


def test_d2_a_loss_during_the_handshake() -> None:
    exchange = Exchange(Random(1))
    exchange.refuse = [Loss("reset"), Loss("unreachable")]
    exchange.do(against(exchange).want(exchange.now, wishes(*WISH)))
    exchange.run(20.0)
    assert whole(exchange)
    assert [round(t, 2) for t in exchange.connects] == [0.0, 1.02, 3.04]


def test_d3_half_open_is_seen_within_interval_and_timeout_at_any_moment() -> None:
    for seed in range(500):
        exchange = running(seed, until=Random(seed).uniform(5.0, 70.0), every=1.0)
        exchange.frozen, since, seen = True, exchange.t, len(exchange.actions)
        exchange.run(since + 41.0)
        closes = [(t, action.loss.cause) for t, action in exchange.actions[seen:] if isinstance(action, Close)]
        assert [cause for _, cause in closes] == ["ping_timeout"]
        assert closes[0][0] - since <= 30 + 10 + 0.1


@pytest.mark.parametrize(
    ("loss", "least"),
    [
        (Loss("refused", status=429), 1.0),
        (Loss("refused", status=429, retry_after=17.0), 17.0),
        (Loss("refused", status=503), 0.0),
        (Loss("refused", status=500, retry_after=3.0), 3.0),
        (Loss("refused", status=418), 30.0),
        (Loss("refused", status=302), 0.0),
        (Loss("unreachable", reason="TLS"), 0.0),
        (Loss("unreachable", reason="name resolution"), 0.0),
        (Loss("unreachable", reason="refused"), 0.0),
    ],
)
@pytest.mark.parametrize("times", [1, 5, 1000])
def test_d4_a_refused_handshake_is_tried_again_never_earlier_than_asked(loss: Loss, least: float, times: int) -> None:
    exchange = Exchange(Random(3))
    exchange.refuse = [loss] * times
    exchange.do(against(exchange).want(exchange.now, wishes(*WISH)))
    exchange.run(600.0)
    manners(exchange)
    pauses = [b - a for a, b in zip(exchange.connects, exchange.connects[1:], strict=False)]
    assert min(pauses) >= max(least, 1.0)
    assert worst(exchange.connects, MESSAGES[1]) <= 7
    assert exchange.machine.state in (("connecting", "waiting") if times == 1000 else ("open",))


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("first", [True, False])
def test_d4_401_and_403_end_it_at_once(status: int, first: bool) -> None:
    exchange = Exchange(Random(1)) if first else running()
    exchange.refuse = [Loss("refused", status=status)] * 9
    if first:
        exchange.do(against(exchange).want(exchange.now, wishes(*WISH)))
    exchange.end(Loss("closed", 1000))
    exchange.run(5_000.0)
    assert isinstance(exchange.actions[-1][1], Finish)
    assert len(exchange.refuse) == 8
    assert [event.error for event in exchange.events() if isinstance(event, Stopped)] == [True]


@pytest.mark.parametrize("hours", [1, -1])
def test_d8_the_wall_clock_decides_nothing(hours: int) -> None:
    def run(jump: int) -> list[tuple[float, str]]:
        exchange = running(7)
        exchange.jump_ns = jump
        exchange.run(200.0)
        exchange.frozen = True
        exchange.run(300.0)
        return [(t, type(action).__name__) for t, action in exchange.actions]

    assert run(hours * 3600 * 10**9) == run(0)


@pytest.mark.parametrize("outstanding", [False, True])
def test_d8_a_process_that_stood_still_for_ten_minutes_does_not_storm(outstanding: bool) -> None:
    exchange = running(until=30.03 if outstanding else 45.0, every=0.5)
    seen, machine = len(exchange.actions), exchange.machine
    exchange.t += 600.0
    exchange.do(machine.tick(exchange.now, exchange.progress))
    done = [type(action) for _, action in exchange.actions[seen:]]
    assert done == ([Close, Publish] if outstanding else [Ping])
    exchange.run(exchange.t + 60.0)
    assert whole(exchange)
    assert len(exchange.connects) == (2 if outstanding else 1)
    assert not [event for event in exchange.events() if isinstance(event, Stale)]


def test_a_close_right_after_every_subscribe_makes_no_circle() -> None:
    exchange = Exchange(Random(1), every=0.01, latency=0.001)
    exchange.hang_up_after = 0.05
    exchange.do(against(exchange).want(exchange.now, wishes(*WISH)))
    exchange.run(25.0)
    assert len(exchange.connects) == 5  # at about 0, 1, 3, 7, 15 s
    manners(exchange)
    assert [e.attempt for e in exchange.events() if isinstance(e, Connecting)] == [1, 2, 3, 4, 5]


def test_only_stable_uptime_with_data_brings_the_first_delay_back() -> None:
    def delays(until: float, *, silent: bool) -> list[float | None]:
        exchange = Exchange(Random(1), every=1.0)
        exchange.refuse = [Loss("unreachable")] * 3
        exchange.do(against(exchange).want(exchange.now, wishes("A~")))
        exchange.run(7.08)
        exchange.silent = silent
        exchange.run(7.08 + until)
        exchange.end(Loss("closed", 1000))
        return [event.retry_in for event in exchange.events() if isinstance(event, Disconnected)]

    assert delays(29.0, silent=False) == [1, 2, 4, 8]
    assert delays(31.0, silent=True) == [1, 2, 4, 8]
    assert delays(31.0, silent=False) == [1, 2, 4, 1]


def test_data_that_stop_while_pings_are_answered_are_noticed_and_repaired() -> None:
    exchange = running(until=100.0, every=0.5)
    exchange.silent = True
    exchange.run(270.0)
    assert [action.loss.cause for _, action in exchange.actions if isinstance(action, Close)] == ["stale"]
    assert whole(exchange)
    manners(exchange)


FAULTS = ("close", "reset", "freeze", "silence", "error", "too many", "outage", "busy", "wish")


def day(seed: int, hours: float = 24.0) -> tuple[Exchange, int]:
    """A virtual day with a fault about every two minutes, all kinds mixed."""
    exchange, plan = Exchange(Random(seed), every=4.0), Random(seed + 1)
    machine = against(exchange, stale_reconnect=90.0)
    exchange.do(machine.want(exchange.now, wishes(*WISH)))
    faults = 0
    while exchange.t < hours * 3600:
        exchange.run(exchange.t + plan.expovariate(1 / 120))
        faults += 1
        match plan.choice(FAULTS):
            case "close":
                exchange.end(Loss("closed", plan.choice((1000, 1001, 1012))))
            case "reset":
                exchange.end(Loss("reset", 1006))
            case "freeze":
                exchange.frozen = True
            case "silence":
                exchange.silent = True
            case "error":
                exchange.say(Control("error", "WRONG_FORMAT", "no"))
            case "too many":
                exchange.say(Control("error", "TOO_MANY_REQUEST", "no"))
            case "outage":
                exchange.refuse += [Loss("unreachable")] * plan.randrange(6)
                exchange.end(Loss("closed", 1001))
            case "busy":
                exchange.refuse.append(
                    Loss("refused", status=plan.choice((429, 503)), retry_after=plan.choice((None, 5.0)))
                )
                exchange.end(Loss("reset", 1006))
            case _:
                exchange.do(machine.want(exchange.now, wishes(*WISH, *plan.sample(["C", "D~", "ticker E!"], 2))))
    exchange.do(machine.want(exchange.now, wishes(*WISH)))
    exchange.refuse.clear()
    exchange.run(exchange.t + 600.0)
    return exchange, faults


def digest(exchange: Exchange) -> str:
    return hashlib.sha256("\n".join(exchange.log()).encode()).hexdigest()


def test_a_day_of_faults_keeps_every_limit_and_ends_whole() -> None:
    exchange, faults = day(11)
    assert faults > 500
    manners(exchange)
    assert set(wishes(*WISH)) <= exchange.machine.live
    assert not exchange.machine.gaps
    told = [event for event in exchange.events() if isinstance(event, Gap)]
    losses = [event for event in exchange.events() if isinstance(event, Disconnected)]
    assert all(gap.state != "open" and gap.to_ns is not None for gap in told if gap.subscription in wishes(*WISH))
    assert len(losses) > 300
    assert not [event for event in losses if event.final]


def test_the_same_seed_gives_the_same_log_and_another_seed_another() -> None:
    logs = [digest(day(seed, hours=3.0)[0]) for seed in (5, 5, 6)]
    assert logs[0] == logs[1] != logs[2]
