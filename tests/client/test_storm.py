"""Subscribers come and go at random while lines are lost at random: each still gets exactly its part (P1, P2, P5)."""

from __future__ import annotations

import random

import pytest

from tapewire.client import Handle
from tapewire.config import SessionOptions
from tapewire.model.events import Event, TradeEvent
from tapewire.model.status import Gap
from tapewire.model.subscription import StreamPreference
from tests.client.stage import Stage, play
from tests.sizes import size

SYMBOLS = ("KRW-BTC", "KRW-ETH", "KRW-XRP")
PREFERENCES: tuple[StreamPreference, ...] = ("both", "both", "realtime_only")


class Member:
    """One subscriber with what it heard and when it was sure to be heard."""

    def __init__(self, symbol: str, preference: StreamPreference) -> None:
        self.symbol, self.preference = symbol, preference
        self.heard: list[TradeEvent] = []
        self.handle: Handle
        self.first_made = 0
        self.last_made: int | None = None
        self.left_in_a_gap = False

    def hear(self, event: TradeEvent) -> None:
        assert event.symbol == self.symbol
        self.heard.append(event)

    def check(self, stage: Stage) -> None:
        """Everything made while it was live was heard once, or lies within a gap that was told."""
        got = [trade.sequential_id for trade in self.heard]
        assert len(got) == len(set(got))
        if self.preference == "realtime_only":
            assert {trade.stream_type for trade in self.heard} <= {"REALTIME"}
        made = [trade.sequential_id for trade in stage.simulator.trades if trade.symbol == self.symbol]
        at = {number: index for index, number in enumerate(made)}
        known = set(got)
        bounds = [
            (at.get(gap.last_id, -1), len(made) if gap.first_id is None else at.get(gap.first_id, -1))
            for gap in stage.told(Gap)
            if gap.subscription.kind == "trade" and gap.subscription.symbol == self.symbol
        ]
        window = stage.simulator.trades[self.first_made : self.last_made]
        missed = [trade.sequential_id for trade in window if trade.symbol == self.symbol]
        missed = [number for number in missed if number not in known]
        # a realtime-only listener is not given the snapshot that ends a gap, and who left before it came neither
        reach = 1 if self.preference == "realtime_only" or self.left_in_a_gap else 0
        assert [n for n in missed if not any(low < at[n] < high + reach for low, high in bounds)] == []


async def storm(stage: Stage, chance: random.Random, steps: int) -> int:
    members: list[Member] = []
    present: list[Member] = []
    troubles = (stage.simulator.drop, stage.simulator.abort, stage.simulator.freeze, stage.simulator.cut)
    session = SessionOptions(ping_interval=5, ping_timeout=2, backoff_cap=4)
    clients = [stage.client(name, session=session, validate=False) for name in ("one", "two")]
    other: list[Event] = []
    lost: list[tuple[float, int]] = []
    for _ in range(steps):
        step = chance.random()
        if step < 0.4 and len(present) < 8:
            member = Member(chance.choice(SYMBOLS), chance.choice(PREFERENCES))
            member.handle = await chance.choice(clients).subscribe_trade(member.symbol, member.hear, member.preference)
            await member.handle.live(60)
            await stage.turns(8)
            member.first_made = len(stage.simulator.trades)
            members.append(member)
            present.append(member)
        elif step < 0.6 and present:
            member = present.pop(chance.randrange(len(present)))
            await stage.turns(8)
            member.last_made = len(stage.simulator.trades)
            # a dead line may not have been noticed yet, and now nobody asks for it
            member.last_made = min(
                [made for at, made in lost if stage.loop.time() - at < 7.5], default=member.last_made
            )
            member.left_in_a_gap = any(one.open_gaps for one in clients[0].statistics().connections)
            await member.handle.unsubscribe()
        elif step < 0.75:
            lost.append((stage.loop.time(), len(stage.simulator.trades)))
            chance.choice(troubles)()
        elif step < 0.85:
            depth = chance.choice((1, 5, 15))
            handle = await clients[0].subscribe_orderbook(SYMBOLS[0], other.append, depth=depth)
            await stage.after(chance.random())
            await handle.unsubscribe()
        await stage.after(chance.random() * chance.choice((0.01, 1, 10)))
    await stage.after(20)
    await stage.turns(8)
    for member in present:
        member.last_made = len(stage.simulator.trades)
    for client in clients:
        await client.cleanup()
    for member in members:
        member.check(stage)
    assert stage.simulator.connected == 0
    return sum(len(member.heard) for member in members)


@pytest.mark.parametrize("seed", range(size(20, 500)))
def test_each_subscriber_gets_its_part_in_any_weather(seed: int) -> None:
    chance = random.Random(seed)

    async def story(stage: Stage) -> None:
        assert await storm(stage, chance, 60) > 100

    play(story, seed=seed, rate=30.0)
