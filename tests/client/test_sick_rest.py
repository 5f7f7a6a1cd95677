"""D5: whatever REST does while a hole is filled, its trades come once or lie within a gap that is told."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping

import msgspec
import pytest

from tapewire.errors import HttpFailed
from tapewire.model.events import TradeEvent
from tapewire.model.status import Gap
from tapewire.testing.clock import elapse
from tapewire.transport.contract import Http
from tests.client.stage import Stage, check_account, play
from tests.sizes import figure, size

SEEDS = size(12, 1_000)
AILMENTS = ("timeout", "429", "503", "garbage", "wrong market", "empty", "short", "stale", "overlapping")


class SickHttp:
    """REST whose pages of trades are ill with a chance, each in one of nine ways; everything else is well."""

    def __init__(self, well: Http, chance: float, rng: random.Random) -> None:
        self._well, self._chance, self._rng = well, chance, rng
        self._before: list[bytes] = []
        self.ailments: Counter[str] = Counter()

    async def get(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - as Http
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        body = await self._well.get(url, timeout=timeout, headers=headers)
        if "/trades/ticks" not in url or self._rng.random() >= self._chance:
            self._before = [*self._before, body][-5:]
            return body
        ailment = self._rng.choice(AILMENTS)
        self.ailments[ailment] += 1
        if ailment in ("timeout", "429", "503"):
            await elapse(timeout if ailment == "timeout" else 0.0)
            raise HttpFailed(url, None if ailment == "timeout" else int(ailment), ailment)
        return self._ill(ailment, body)

    def _ill(self, ailment: str, body: bytes) -> bytes:
        rows = msgspec.json.decode(body)
        match ailment:
            case "garbage":
                return b"<html>502</html>"
            case "wrong market":
                return msgspec.json.encode([row | {"market": "KRW-XRP"} for row in rows])
            case "empty":
                return b"[]"
            case "short":
                return msgspec.json.encode(rows[: len(rows) // 3])
            case "overlapping":
                return msgspec.json.encode([*rows, *rows[: len(rows) // 2]])
            case _:
                return self._rng.choice(self._before) if self._before else b"[]"

    async def close(self) -> None:
        await self._well.close()


@pytest.mark.parametrize("chance", [0.4, 0.9])
def test_d5_rest_that_fails_in_every_way_loses_nothing_in_silence(chance: float) -> None:
    totals: Counter[str] = Counter()
    for seed in range(SEEDS):

        async def story(stage: Stage, seed: int = seed) -> None:
            heard: list[TradeEvent] = []
            sick: list[SickHttp] = []

            def between(well: Http) -> Http:
                sick.append(SickHttp(well, chance, random.Random(seed)))
                return sick[0]

            stage.between = between
            async with stage.client(recover=True) as client:
                await (await client.subscribe_trade("KRW-BTC", heard.append)).live()
                for _ in range(2):
                    await stage.after(30)
                    stage.simulator.maintenance(8)
                await stage.after(150)
                totals["missed"] += check_account(stage, "KRW-BTC", heard)
            totals["recovered"] += sum(trade.recovered for trade in heard)
            totals.update(gap.state for gap in stage.told(Gap))
            totals.update(sick[0].ailments)

        play(story, seed=seed, markets=("KRW-BTC",))
    figure(f"REST ill with chance {chance}: {dict(totals)}")
    assert totals["recovered"] > SEEDS
    assert totals["filling"] >= totals["filled"] + totals["unfilled"]
    assert chance > 0.5 or totals["missed"] == 0
    assert chance < 0.5 or set(AILMENTS) <= totals.keys()
