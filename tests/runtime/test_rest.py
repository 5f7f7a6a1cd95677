"""REST calls within the exchange's limits: by group, by turn, slower when it says so, not at all after a refusal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import pytest

from tapewire.config import Credentials, FeedOptions
from tapewire.errors import HttpFailed
from tapewire.model.status import FeedEvent, Limited
from tapewire.runtime.clock import LoopClock
from tapewire.runtime.limits import account_of, figures_of, shared_gate
from tapewire.runtime.rest import Rest
from tapewire.runtime.turns import Rank
from tapewire.session.limits import Limits
from tapewire.testing.clock import elapse, run_virtual
from tapewire.transport.contract import Answered
from tapewire.venues.registry import get_venue

VENUE = get_venue("upbit")
TRADES, MARKETS, ACCOUNTS = "/v1/trades/ticks?market=KRW-BTC", "/v1/market/all", "/v1/accounts"


@dataclass
class Server:
    """Counts each group as the exchange does, by arrival; answers after ``seconds``."""

    seconds: float = 0.0
    left: int | None = None
    refuse: list[HttpFailed] = field(default_factory=list)
    group: str | None = None
    came: dict[str, list[float]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    async def get(self, url: str, *, timeout: float, headers: Mapping[str, str] | None = None) -> bytes:  # noqa: ASYNC109
        return (await self.fetch(url, timeout=timeout, headers=headers)).body

    async def fetch(self, url: str, *, timeout: float, headers: Mapping[str, str] | None = None) -> Answered:  # noqa: ASYNC109
        path = url.removeprefix(VENUE.facts.rest_url)
        now = asyncio.get_running_loop().time()
        group = self.group or (VENUE.rest_group(path) if VENUE.rest_group else "")
        times = self.came.setdefault(group, [])
        times.append(now)
        self.order.append(path)
        self.headers.append(headers or {})
        used = sum(now - 1.0 < t for t in times)
        await elapse(min(self.seconds, timeout))
        if self.refuse:
            raise self.refuse.pop(0)
        left = 10 - used if self.left is None else self.left
        return Answered(b"[]", {"remaining-req": f"group={group}; min=600; sec={left}"})

    async def close(self) -> None:
        """Nothing is held."""


class Bare:
    """An ``Http`` that knows nothing of headers."""

    async def get(self, url: str, *, timeout: float, headers: Mapping[str, str] | None = None) -> bytes:  # noqa: ASYNC109
        return f"{url} {timeout} {headers}".encode()

    async def close(self) -> None:
        """Nothing is held."""


@dataclass
class Scene:
    server: Server
    rest: Rest
    limits: Limits
    told: list[FeedEvent]

    @property
    def t(self) -> float:
        return asyncio.get_running_loop().time()


def play(story: Callable[[Scene], Awaitable[None]], server: Server | None = None) -> None:
    async def run() -> None:
        http, limits, told = server or Server(), Limits(VENUE.facts, shared_gate), list[FeedEvent]()
        rest = Rest(VENUE, FeedOptions(), http, LoopClock(), limits, told.append)
        await story(Scene(http, rest, limits, told))

    run_virtual(run())


def test_each_group_has_its_own_limit_and_is_kept_by_arrival() -> None:
    async def story(scene: Scene) -> None:
        calls = [scene.rest.get(path, timeout=5) for path in [TRADES] * 25 + [MARKETS] * 3]
        await asyncio.gather(*calls)
        assert scene.server.came["market"] == [0.0] * 3
        assert [round(t, 3) for t in scene.server.came["crix-trades"]] == [0.0] * 10 + [1.021] * 10 + [2.042] * 5
        assert scene.told == []

    play(story, Server(seconds=0.02))


def test_a_minute_of_calls_gets_99_percent_of_what_is_allowed() -> None:
    async def story(scene: Scene) -> None:
        async with asyncio.timeout(60):
            for _ in range(590):
                await scene.rest.get(TRADES, timeout=5)
        times = scene.server.came["crix-trades"]
        assert all(later - first >= 1.0 for first, later in zip(times, times[10:], strict=False))
        await asyncio.gather(*(scene.rest.get(TRADES, timeout=5) for _ in range(10)))

    play(story)


def test_history_goes_last_whoever_came_first() -> None:
    async def story(scene: Scene) -> None:
        history = [
            asyncio.ensure_future(scene.rest.get(f"{TRADES}&n={n}", timeout=5, rank=Rank.HISTORY)) for n in range(15)
        ]
        await elapse(0.5)
        urgent = [asyncio.ensure_future(scene.rest.get(f"{TRADES}&now={n}", timeout=5)) for n in range(7)]
        history[12].cancel()
        await asyncio.gather(*history, *urgent, return_exceptions=True)
        asked = [path.removeprefix(TRADES) for path in scene.server.order]
        assert asked[10:] == [*(f"&now={n}" for n in range(7)), "&n=10", "&n=11", "&n=13", "&n=14"]

    play(story)


def test_a_call_that_is_cancelled_in_its_turn_counts_as_made() -> None:
    async def story(scene: Scene) -> None:
        await asyncio.gather(*(scene.rest.get(TRADES, timeout=5) for _ in range(10)))
        call = asyncio.ensure_future(scene.rest.get(TRADES, timeout=5))
        await asyncio.sleep(0)
        gate = scene.limits.rest("crix-trades")
        asyncio.get_running_loop().call_at(gate.next_at(0.0), call.cancel)  # between its grant and its first step
        with pytest.raises(asyncio.CancelledError):
            await call
        assert len(scene.server.order) == 10
        assert [left for _, left in gate.left(1.5)] == [9]
        assert [left for _, left in gate.left(2.1)] == [10]

    play(story)


def test_what_others_use_slows_the_calls_before_one_is_refused() -> None:
    async def story(scene: Scene) -> None:
        await scene.rest.get(TRADES, timeout=5)
        await asyncio.gather(*(scene.rest.get(TRADES, timeout=5) for _ in range(5)))
        assert [round(t, 3) for t in scene.server.came["crix-trades"]] == [0.0, 0.0, 0.0, 1.001, 1.001, 1.001]

    play(story, Server(left=2))


def test_groups_go_by_the_name_that_the_exchange_gives_them() -> None:
    async def story(scene: Scene) -> None:
        await scene.rest.get(TRADES, timeout=5)
        await asyncio.gather(*(scene.rest.get(path, timeout=5) for path in [MARKETS, TRADES] * 8))
        assert dict(scene.limits.rest_gates()).keys() >= {"renamed"}
        assert scene.limits.rest("renamed").left(scene.t)[0][1] < 10

    play(story, Server(group="renamed"))


def test_429_waits_the_window_and_is_told() -> None:
    async def story(scene: Scene) -> None:
        scene.server.refuse.append(HttpFailed("x", 429, "Too Many Requests"))
        with pytest.raises(HttpFailed, match="429"):
            await scene.rest.get(TRADES, timeout=5)
        await scene.rest.get(MARKETS, timeout=5)
        assert scene.t == 0.0, "another group"
        await scene.rest.get(TRADES, timeout=5)
        assert scene.t == 1.0
        [told] = scene.told
        assert isinstance(told, Limited)
        assert (told.group, told.status, told.seconds) == ("crix-trades", 429, 1.0)

    play(story)


@pytest.mark.parametrize(
    ("refusal", "seconds"),
    [
        (HttpFailed("x", 418, "teapot", 40.0), 40.0),
        (HttpFailed("x", 418, "teapot", None, b"blocked for 2 minutes"), 120.0),
        (HttpFailed("x", 418, "teapot"), 30.0),
    ],
    ids=["Retry-After", "its text", "no word"],
)
def test_418_stops_every_group_for_as_long_as_it_says(refusal: HttpFailed, seconds: float) -> None:
    async def story(scene: Scene) -> None:
        scene.server.refuse.append(refusal)
        with pytest.raises(HttpFailed, match="418"):
            await scene.rest.get(TRADES, timeout=5)
        [wait] = {one.wait for one in figures_of(scene.limits, scene.t) if one.name == "rest_calls"}
        assert wait == seconds
        await scene.rest.get(MARKETS, timeout=5)
        assert scene.t == seconds
        assert [(one.status, one.seconds) for one in scene.told if isinstance(one, Limited)] == [(418, seconds)]

    play(story)


def test_signed_calls_count_by_account_and_show_no_key() -> None:
    async def story(scene: Scene) -> None:
        keys = [account_of(Credentials(access_key=name, secret_key="secret")) for name in ("mine", "yours")]  # type: ignore[arg-type]
        for account in keys:
            for _ in range(30):
                await scene.rest.get(ACCOUNTS, timeout=5, account=account, sign=lambda: {"authorization": "Bearer x"})
        assert scene.t == 0.0
        assert scene.server.headers[0] == {"authorization": "Bearer x"}
        await scene.rest.get(ACCOUNTS, timeout=5, account=keys[0])
        assert scene.t == pytest.approx(1.001)
        assert account_of(None) == ""
        assert not {"mine", "yours"} & {*keys}

    play(story, Server(left=30))


def test_an_http_without_headers_is_enough() -> None:
    async def run() -> None:
        limits = Limits(VENUE.facts)
        rest = Rest(VENUE, FeedOptions(rest_url="http://x/"), Bare(), LoopClock(), limits, list[FeedEvent]().append)
        assert await rest.get(MARKETS, timeout=5) == b"http://x/v1/market/all 5 None"
        await rest.close()

    run_virtual(run())
