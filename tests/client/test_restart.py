"""RELIABILITY D11: a process ends at any moment, and the next one begins where it was: nothing is lost in silence."""

from __future__ import annotations

import errno
import os
import random
import stat
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tapewire import ConfigError, Subscription
from tapewire.config import FsyncPolicy, MailboxOptions, TapeOptions
from tapewire.model.events import CandleEvent, Event, MyAssetEvent, MyOrderEvent, TradeEvent
from tapewire.model.status import Gap, Recovered
from tapewire.runtime.cursor_file import CursorFile, Saved
from tapewire.runtime.cursor_keeper import EVERY
from tapewire.sim.scenario import DEMO_KEY
from tapewire.testing.clock import elapse
from tapewire.testing.oracle import account
from tests.client.restarts import Lives, play
from tests.sizes import figure, size

KEY = {"access_key": DEMO_KEY.access_key, "secret_key": DEMO_KEY.secret_key.reveal()}
#: Seconds before the end of a process whose messages may come again: two looks (docs/guarantees.md).
AGAIN = 2 * EVERY + 0.1


def trades(lives: Lives) -> list[TradeEvent]:
    return [event for _, event in lives.heard if isinstance(event, TradeEvent)]


def judge(lives: Lives, until: int) -> int:
    """P1 over all lives: every trade was heard or lies in a told gap, and twice came only what was heard last.

    Returns how many came twice.
    """
    heard = trades(lives)
    made = lives.simulator.trades[:until]
    found = account(made, heard, [row for row in lives.feed if isinstance(row, Gap)])
    assert found.undetected == ()
    first: dict[tuple[str, int | None], float] = {}
    twice = 0
    for at, event in lives.heard:
        if isinstance(event, TradeEvent):
            key = event.symbol, event.sequential_id
            if key in first:
                twice += 1
                assert any(first[key] <= end < at and end - first[key] <= AGAIN for end in lives.ends), (
                    key, first[key], at, lives.ends,
                )  # fmt: skip
            first.setdefault(key, at)
    assert [row for row in lives.rows() if row.state not in ("filled", "nothing_missed")] == []
    assert found.lost == ()
    return twice


@pytest.mark.parametrize("first", range(0, size(60, 1_000), 20))
def test_d11_every_trade_over_restarts_at_random_points(first: int, tmp_path: Path) -> None:
    twice = restarts = 0

    for seed in range(first, first + 20):
        draw = random.Random(f"ends {seed}")

        async def story(lives: Lives, draw: random.Random = draw) -> None:
            for _ in range(4):
                with lives.life() as client:
                    await client.subscribe_trade(["KRW-BTC", "KRW-ETH"], lives.hear)
                    await lives.after(draw.uniform(0.0, 40.0))
                    if draw.random() < 0.3:
                        lives.simulator.abort()
                        await lives.after(draw.uniform(0.0, 20.0))
                if not lives.path.exists():  # it ended before anything was saved: as if it had not been
                    lives.heard.clear()
                    lives.feed.clear()
                await lives.after(10 ** draw.uniform(-2, 2.2))
            with lives.life() as client:
                await client.subscribe_trade(["KRW-BTC", "KRW-ETH"], lives.hear)
                await lives.after(60.0)
                until = len(lives.simulator.trades)
                await lives.after(10.0)
            nonlocal twice, restarts
            twice += judge(lives, until)
            restarts += len(lives.rows())

        faults = ("rest:500@0x9999%0.2", "late:2%0.05", "duplicate%0.05") if seed % 2 else ()
        play(story, tmp_path / f"{seed}", seed=seed, rate=4.0, faults=faults)
    assert restarts > 20
    figure(f"seeds {first}..{first + 19}: {restarts} streams went on after a restart, {twice} trades came twice")


@pytest.mark.parametrize("redundancy", [1, 2])
def test_a_clean_end_and_a_new_start_lose_and_double_nothing(redundancy: int, tmp_path: Path) -> None:
    async def story(lives: Lives) -> None:
        for _ in range(3):
            with lives.life(redundancy=redundancy) as client:
                await client.subscribe_trade("KRW-BTC", lives.hear)
                await lives.after(30.3)
                await client.cleanup()
            await lives.after(30)
        made = [trade.sequential_id for trade in lives.simulator.trades if trade.symbol == "KRW-BTC"]
        heard = [trade.sequential_id for trade in trades(lives)]
        until = max(made.index(number) for number in heard if number in made)
        assert Counter(heard[1:]) == Counter(made[: until + 1]), "the first is a snapshot of what was before"
        assert [(row.cause, row.state) for row in lives.rows()] == [("restart", "filled")] * 2
        first = lives.rows()[0]
        assert (first.last_id, first.recovered > 0) == (heard[heard.index(first.last_id)], True)
        assert 29 < ((first.to_ns or 0) - first.from_ns) / 1e9 < 33
        assert [event.subscriptions for event in lives.feed if isinstance(event, Recovered)] == [
            (Subscription("trade", "KRW-BTC"),)
        ] * 2

    play(story, tmp_path / "cursor", rate=4.0)


def test_candles_that_ended_between_two_processes_come_final(tmp_path: Path) -> None:
    async def story(lives: Lives) -> None:
        for _ in range(2):
            with lives.life() as client:
                await client.subscribe_candle("KRW-BTC", lives.hear, unit="1m")
                await lives.after(100)
            await lives.after(200)
        missed = [event for _, event in lives.heard if isinstance(event, CandleEvent) and event.recovered]
        assert len(missed) >= 3
        assert all(candle.final for candle in missed)
        assert [row.state for row in lives.rows()] == ["filled"]
        starts = {event.candle_date_time_utc for _, event in lives.heard if isinstance(event, CandleEvent)}
        market = lives.simulator.exchange.market
        made = {candle.candle_date_time_utc for candle in market.candles("KRW-BTC", "1m", market.now_ms, 10)}
        low, high = min(map(str, starts)), max(map(str, starts))
        assert starts >= {start for start in made if low <= str(start) <= high}

    play(story, tmp_path / "cursor", rate=4.0)


def test_streams_of_complete_states_tell_the_span_without_them(tmp_path: Path) -> None:
    async def story(lives: Lives) -> None:
        for _ in range(2):
            with lives.life() as client:
                await client.subscribe_ticker("KRW-BTC", lives.hear)
                await client.subscribe_orderbook("KRW-ETH", lives.hear)
                await lives.after(20)
            await lives.after(40)
        assert {(row.subscription.kind, row.state) for row in lives.rows()} == {
            ("ticker", "full_state"), ("orderbook", "full_state"),
        }  # fmt: skip

    play(story, tmp_path / "cursor")


@pytest.mark.parametrize("seed", range(size(4, 40)))
def test_no_end_and_no_execution_of_an_order_is_missed_between_two_processes(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)

    async def story(lives: Lives) -> None:
        since_ms = 0
        for _ in range(4):
            with lives.life(**KEY) as client:
                await (await client.subscribe_my_order(lives.hear)).live()
                await (await client.subscribe_my_asset(lives.hear)).live()
                await lives.after(10)
                since_ms = since_ms or lives.simulator.exchange.market.now_ms
                await lives.after(draw.uniform(0, 60))
            await lives.after(draw.uniform(1, 200))
        with lives.life(**KEY) as client:
            await (await client.subscribe_my_order(lives.hear)).live()
            await (await client.subscribe_my_asset(lives.hear)).live()
            await lives.after(60)
        orders = [order for order in lives.simulator.orders() if order.ms >= since_ms]
        due = {(order.uuid, fill.uuid) for order in orders for fill in order.fills}
        due |= {(order.uuid, order.state) for order in orders if order.state in ("done", "cancel")}
        told: dict[tuple[str, str], list[float]] = {}
        for at, event in lives.heard:
            if isinstance(event, MyOrderEvent):
                what = event.trade_uuid or "" if event.state == "trade" else event.state
                told.setdefault((event.uuid, what), []).append(at)
        assert due <= told.keys()
        again = {what: times for what, times in told.items() if len(times) > 1 and what[1] != "prevented"}
        for times in again.values():
            assert any(times[0] <= end < times[1] and end - times[0] <= AGAIN for end in lives.ends)
        newest = {
            asset.currency: asset for _, event in lives.heard if isinstance(event, MyAssetEvent)
            for asset in event.assets
        }  # fmt: skip
        held = lives.simulator.exchange.desk.balances(lives.simulator.keys[0].account)
        wrong = [one for one in held if one.currency in newest and newest[one.currency].balance != one.free]
        assert wrong == []
        assert Counter((row.subscription.kind, row.state) for row in lives.rows()) == {
            ("myOrder", "filled"): 4, ("myAsset", "filled"): 4,
        }  # fmt: skip
        assert any(isinstance(event, MyOrderEvent) and event.recovered for _, event in lives.heard)

    play(story, tmp_path / "cursor", seed=seed, customer=1.0, switches={"fill_states": "both"})


def test_what_a_mailbox_still_holds_comes_again(tmp_path: Path) -> None:
    """An async callback that is behind: what it had not taken when the process died is not taken for delivered."""

    async def story(lives: Lives) -> None:
        async def slow(event: Event) -> None:
            await elapse(2)
            lives.hear(event)

        with lives.life(mailbox=MailboxOptions(size=1_000)) as client:
            await client.subscribe_trade("KRW-BTC", slow)
            await lives.after(60)
            late = len(lives.simulator.trades) - len(lives.heard)
            assert late > 20
        with lives.life() as client:
            await client.subscribe_trade("KRW-BTC", lives.hear)
            await lives.after(60)
        made = {trade.sequential_id for trade in lives.simulator.trades if trade.symbol == "KRW-BTC"}
        heard = Counter(trade.sequential_id for trade in trades(lives))
        first = min(number for number in heard if number)
        assert {number for number in made if number and number > first} - heard.keys() == set()

    play(story, tmp_path / "cursor", rate=4.0)


def test_the_hole_that_was_being_filled_is_filled_by_the_next_process(tmp_path: Path) -> None:
    async def story(lives: Lives) -> None:
        with lives.life() as client:
            await client.subscribe_trade("KRW-BTC", lives.hear)
            await lives.after(60)
            lives.simulator.maintenance(30)
            await lives.after(90)
            assert {row.state for row in lives.rows("reset")} == {"filling"}
        await lives.after(200)
        with lives.life() as client:
            await client.subscribe_trade("KRW-BTC", lives.hear)
            await lives.after(60)
            until = len(lives.simulator.trades)
            await lives.after(10)
        judge(lives, until)

    play(story, tmp_path / "cursor", rate=2.0, faults=("rest:503@55x12",))


def test_the_file_is_small_private_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "cursor"

    async def story(lives: Lives) -> None:
        with lives.life(**KEY) as client:
            await client.subscribe_trade("KRW-BTC", lives.hear)
            await (await client.subscribe_my_order(lives.hear)).live()
            await lives.after(120)
        saved = msgspec.json.decode(path.read_bytes(), type=Saved)
        (place,) = [one for one in saved.streams if one.subscription.kind == "trade"]
        heard = [trade.sequential_id for trade in trades(lives)]
        assert set(place.ids) <= set(heard)
        assert 5 < len(place.ids) < len(heard) / 2
        assert (saved.venue, len(saved.accounts)) == ("upbit", 1)

    play(story, path, rate=6.0, customer=1.0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert sorted(one.name for one in tmp_path.iterdir()) == ["cursor", "cursor.lock"]
    content = path.read_bytes()
    assert DEMO_KEY.access_key.encode() not in content
    assert DEMO_KEY.secret_key.reveal().encode() not in content


def test_who_finds_the_file_in_use_is_told_so(tmp_path: Path) -> None:
    async def story(lives: Lives) -> None:
        other = CursorFile(lives.path, "upbit")
        other.open()
        with lives.life() as client:
            with pytest.raises(ConfigError, match="it must be one that nobody else uses now"):
                await client.subscribe_trade("KRW-BTC", lives.hear)
            other.close()
            await client.subscribe_trade("KRW-BTC", lives.hear)
            await lives.after(10)
        assert trades(lives)

    play(story, tmp_path / "cursor", rate=4.0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "a file that tapewire wrote"),
        (b'{"venue":"okx"}', "a file of upbit, version 1 (that one is of okx, version 1)"),
        (b'{"venue":"upbit","version":2}', "that one is of upbit, version 2"),
        (None, "a file that can be read (Is a directory)"),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_and_kept(content: bytes | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "cursor"
    path.mkdir() if content is None else path.write_bytes(content)
    file = CursorFile(path, "upbit")
    for _ in range(2):
        with pytest.raises(ConfigError) as caught:
            file.open()
        assert words in str(caught.value)
    assert content is None or path.read_bytes() == content


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"in a directory that can be written \(No such file or directory\)"):
        CursorFile(tmp_path / "nowhere" / "cursor", "upbit").open()


def test_a_disk_that_takes_no_more_is_told_once_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()

    async def story(lives: Lives) -> None:
        with lives.life() as client:
            await client.subscribe_trade("KRW-BTC", lives.hear)
            await lives.after(10)
            os.rename(folder, tmp_path / "away")  # noqa: PTH104
            await lives.after(10)
            os.rename(tmp_path / "away", folder)  # noqa: PTH104
            before = (folder / "cursor").stat().st_mtime_ns
            await lives.after(10)
            assert (folder / "cursor").stat().st_mtime_ns > before

    play(story, folder / "cursor", rate=4.0)
    assert caplog.text.count("how far its streams came cannot be saved") == 1


def test_an_order_that_waited_over_the_restart_and_ended_meanwhile_is_told(tmp_path: Path) -> None:
    async def story(lives: Lives) -> None:
        simulator = lives.simulator
        simulator.exchange  # noqa: B018 - its clock begins
        with lives.life(**KEY) as client:
            await (await client.subscribe_my_order(lives.hear)).live()
            order = simulator.place_order("KRW-BTC", "bid", ord_type="limit", price="1000000", volume="0.01")
            await lives.after(20)
        simulator.cancel_order(order.uuid)
        await lives.after(20)
        with lives.life(**KEY) as client:
            await (await client.subscribe_my_order(lives.hear)).live()
            await lives.after(20)
        events = [event for _, event in lives.heard if isinstance(event, MyOrderEvent)]
        assert [(event.uuid, event.state, event.recovered) for event in events] == [
            (order.uuid, "wait", False), (order.uuid, "cancel", True),
        ]  # fmt: skip
        assert events[-1].price == Decimal(1_000_000)

    play(story, tmp_path / "cursor")


@pytest.mark.parametrize("fsync", ["interval", "each"])
def test_the_file_is_never_ahead_of_the_tape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fsync: FsyncPolicy
) -> None:
    """What the disk has not confirmed is not said to be had: the next process would not ask for it."""
    confirm, until = os.fsync, time.monotonic() + 60
    monkeypatch.setattr("tapewire.tape.recorder.RETRY", 0.01)

    def refuse(_handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    async def story(lives: Lives) -> None:
        options = TapeOptions(folder=str(tmp_path / "tape"), fsync=fsync, write_every=0.001)
        with lives.life(tape=options) as client:
            await client.subscribe_trade("KRW-BTC", lives.hear)
            while client.tape_position() is None:
                await lives.after(0.1)
            monkeypatch.setattr(os, "fsync", refuse)
            await lives.after(30.0)
            assert lives.heard
            assert not lives.path.exists()
            monkeypatch.setattr(os, "fsync", confirm)
            while not lives.path.exists():
                assert time.monotonic() < until
                await lives.after(1.0)
            await client.cleanup()

    play(story, tmp_path / "cursor")
