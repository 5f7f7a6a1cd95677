"""Books of the simulated OKX: snapshot and changes make the book that REST shows, and what faults do to them."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import chain, islice, pairwise, zip_longest
from typing import Any
from zlib import crc32

import pytest

from tapewire.sim.peer import Exchange
from tests.venues.okx.sim_stage import Client, get, login_of, make, run

BOOKS = {"channel": "books", "instId": "BTC-USDT"}
Side = dict[Decimal, list[str]]


class Keeper:
    """A client's book: rules of spec/okx.md A6.4, nothing of ours in it."""

    def __init__(self) -> None:
        self.asks: Side = {}
        self.bids: Side = {}
        self.number: int | None = None
        self.chain: list[tuple[int, int]] = []
        self.bad_sums = 0

    def take(self, message: dict[str, Any]) -> None:
        [row] = message["data"]
        if message["action"] == "snapshot":
            self.asks, self.bids = {}, {}
        for mine, levels in ((self.asks, row["asks"]), (self.bids, row["bids"])):
            for level in levels:
                if level[1] == "0":
                    mine.pop(Decimal(level[0]), None)
                else:
                    mine[Decimal(level[0])] = level
        if "seqId" in row:
            self.chain.append((row["prevSeqId"], row["seqId"]))
        self.bad_sums += row["checksum"] not in (0, self.checksum())

    def sides(self, count: int = 400) -> tuple[list[list[str]], list[list[str]]]:
        asks = [self.asks[price] for price in sorted(self.asks)]
        return asks[:count], [self.bids[price] for price in sorted(self.bids, reverse=True)][:count]

    def checksum(self) -> int:
        sides = [[f"{one[0]}:{one[1]}" for one in islice(side, 25)] for side in reversed(self.sides())]
        text = ":".join(one for one in chain.from_iterable(zip_longest(*sides)) if one)
        value = crc32(text.encode())
        return value - 2**32 if value >= 2**31 else value

    def holes(self) -> list[tuple[int, int]]:
        """Links of the chain that do not follow on the one before."""
        return [newer for older, newer in pairwise(self.chain) if newer[0] not in (-1, older[1])]


def kept(client: Client, channel: str = "books", symbol: str = "BTC-USDT") -> Keeper:
    keeper = Keeper()
    for frame in client.wire.frames:
        message = json.loads(frame)
        if message.get("arg") == {"channel": channel, "instId": symbol} and "data" in message:
            keeper.take(message)
    return keeper


def shown(okx: Exchange, symbol: str = "BTC-USDT", count: int = 400) -> dict[str, Any]:
    row: dict[str, Any] = get(okx, f"/api/v5/market/books?instId={symbol}&sz={count}", now=okx.moment)["data"][0]
    return row


@pytest.mark.parametrize(("channel", "depth"), [("books", 400), ("books-l2-tbt", 400), ("books50-l2-tbt", 50)])
@pytest.mark.parametrize("symbol", ["BTC-USDT", "BTC-USD-SWAP", "BTC-USD-261225-90000-C"])
def test_snapshot_and_changes_make_the_book_that_rest_shows(channel: str, depth: int, symbol: str) -> None:
    okx = make(checksums=True)
    client = Client(okx)
    client.say(login_of(client))
    client.ask({"channel": channel, "instId": symbol})
    for second in (5.0, 10.0, 20.0):
        run(okx, second)
        while okx.deadline < second + 0.3:  # a moment at which all that changed has been told
            run(okx, okx.deadline)
        keeper, book = kept(client, channel, symbol), shown(okx, symbol, depth)
        assert keeper.holes() == []
        assert keeper.bad_sums == 0
        if keeper.chain[-1][1] == book["seqId"]:
            assert [*map(list, keeper.sides())] == [book["asks"], book["bids"]]
    assert keeper.chain[0][0] == -1
    assert len(keeper.chain) > 5
    assert {len(side) for side in keeper.sides()} <= {depth, len(book["bids"])}


@pytest.mark.parametrize("symbol", ["BTC-USDT", "BTC-USD-SWAP"])
def test_a_book_with_rpi_orders_tells_what_there_is_and_what_anybody_may_meet(symbol: str) -> None:
    """Price, all, without RPI orders, how many orders; no checksum (A6.4)."""
    okx = make(checksums=True)
    client = Client(okx)
    client.ask({"channel": "books-rpi", "instId": symbol}, {"channel": "books", "instId": symbol})
    run(okx, 10.0)
    rpi, plain = ([one for one in client.pushes() if one["arg"]["channel"] == name] for name in ("books-rpi", "books"))
    assert len(rpi) == len(plain) > 5
    more = 0
    for mine, organic in zip(rpi, plain, strict=True):
        assert mine["action"] == organic["action"]
        [row], [other] = mine["data"], organic["data"]
        assert (row["seqId"], row["prevSeqId"], row["ts"]) == (other["seqId"], other["prevSeqId"], other["ts"])
        assert "checksum" not in row
        for side in ("asks", "bids"):
            assert [(one[0], one[2], one[3]) for one in row[side]] == [(one[0], one[1], one[3]) for one in other[side]]
            assert all(Decimal(one[1]) >= Decimal(one[2]) for one in row[side])
            more += sum(Decimal(one[1]) > Decimal(one[2]) for one in row[side])
    assert more > 100
    [asked] = get(okx, f"/api/v5/market/books-rpi?instId={symbol}&sz=5", now=okx.moment)["data"]
    [usual] = get(okx, f"/api/v5/market/books?instId={symbol}&sz=5", now=okx.moment)["data"]
    assert asked["seqId"] == usual["seqId"]
    assert [(one[0], one[2]) for one in asked["bids"]] == [(one[0], one[1]) for one in usual["bids"]]


def test_the_old_name_of_the_book_with_rpi_orders_is_known_no_more() -> None:
    client = Client(make())
    client.ask({"channel": "books-elp", "instId": "BTC-USDT"})
    assert json.loads(client.wire.frames[-1])["code"] == "60018"


def test_the_books_of_2022_hold_together_by_their_checksums() -> None:
    client = Client(make(fields="2022"))
    client.ask(BOOKS)
    client.wait(10.0)
    keeper = kept(client)
    assert (keeper.bad_sums, keeper.chain) == (0, [])
    sums = [one["data"][0]["checksum"] for one in client.pushes()]
    assert len(set(sums)) > 50
    assert 0 not in sums


def test_numbers_are_the_same_for_everybody_and_not_consecutive() -> None:
    okx = make()
    one = Client(okx)
    one.ask(BOOKS)
    run(okx, 3.0)
    other = Client(okx, now=3.0)
    other.ask(BOOKS)
    run(okx, 8.0)
    first, second = kept(one), kept(other)
    assert second.chain[0] == (-1, first.chain[-len(second.chain)][1])
    assert first.chain[-len(second.chain) + 1 :] == second.chain[1:]
    assert first.sides() == second.sides()
    assert any(number - previous > 1 for previous, number in second.chain[1:])


def test_a_book_is_kept_for_listeners_only() -> None:
    okx = make()
    client = Client(okx)
    client.ask(BOOKS)
    run(okx, 3.0)
    client.ask(BOOKS, op="unsubscribe")
    run(okx, 6.0)
    other = Client(okx, now=6.0)
    other.ask(BOOKS)
    client.ask(BOOKS)
    other.ask(BOOKS, op="unsubscribe")
    run(okx, 9.0)
    keeper = kept(client)
    assert keeper.holes() == []
    assert [previous for previous, _ in keeper.chain].count(-1) == 2


def test_second_subscription_of_a_held_book_brings_a_second_snapshot() -> None:
    """As in the recording of February 2022."""
    client = Client(make())
    client.ask(BOOKS)
    client.wait(3.0)
    assert [one.get("action") for one in client.ask(BOOKS)] == [None, "snapshot"]
    client.wait(6.0)
    assert kept(client).holes() == []


def test_a_quiet_book_shows_that_it_lives() -> None:
    okx = make(markets=("BTC-USDT",))
    pit = okx.market.pits["BTC-USDT"]
    quiet = Client(okx)
    quiet.ask(BOOKS, {"channel": "books5", "instId": "BTC-USDT"})
    okx.market._due.clear()  # nobody trades or quotes any more
    okx.market.touched(pit.symbol)
    quiet.stay(130.0)
    frames = quiet.pushes()
    beats = [one["data"][0] for one in frames if one.get("action") == "update"]
    assert [(row["asks"], row["bids"]) for row in beats] == [([], [])] * 2
    assert {(row["prevSeqId"], row["seqId"]) for row in beats} == {(123_456, 123_456)}
    whole = [one["data"][0]["asks"] for one in frames if one["arg"]["channel"] == "books5"]
    assert len(whole) == 3
    assert whole[0] == whole[1] == whole[2]


def test_whole_books_are_the_best_of_the_deep_one_on_change() -> None:
    okx = make()
    client = Client(okx)
    client.ask({"channel": "bbo-tbt", "instId": "BTC-USDT"}, {"channel": "books5", "instId": "BTC-USDT"})
    run(okx, 20.0)
    for channel, depth in (("bbo-tbt", 1), ("books5", 5)):
        rows = [
            json.loads(one)["data"][0] for one in client.wire.frames if b'"data"' in one and channel.encode() in one
        ]
        assert {len(row[side]) for row in rows for side in ("asks", "bids")} == {depth}
        states = [(row["asks"], row["bids"]) for row in rows]
        assert all(one != other for one, other in pairwise(states))
        assert all(row["seqId"] > 0 and "checksum" not in row for row in rows)
        assert len(rows) > 20


def test_without_snapshots_the_first_message_is_a_change() -> None:
    client = Client(make(snapshots=False))
    assert [one["event"] for one in client.ask(BOOKS)] == ["subscribe"]
    client.wait(3.0)
    keeper = kept(client)
    assert keeper.chain[0][0] > 0
    assert keeper.holes() == []


class TestFaults:
    def test_a_lost_change_is_a_hole_in_that_book_alone(self) -> None:
        client = Client(make("book-lost:BTC-USDT@3x1"))
        client.ask(BOOKS, BOOKS | {"instId": "ETH-USDT"})
        client.wait(8.0)
        assert len(kept(client).holes()) == 1
        assert kept(client, symbol="ETH-USDT").holes() == []

    def test_a_change_may_come_twice(self) -> None:
        client = Client(make("book-repeat@3x1"))
        client.ask(BOOKS)
        client.wait(8.0)
        links = kept(client).chain
        assert sum(one == other for one, other in pairwise(links)) == 1

    @pytest.mark.parametrize("checksums", [True, False])
    def test_a_wrong_checksum_is_not_0_and_not_right(self, *, checksums: bool) -> None:
        client = Client(make("book-checksum@3x1", checksums=checksums))
        client.ask(BOOKS)
        client.wait(8.0)
        keeper = kept(client)
        assert (keeper.bad_sums, keeper.holes()) == (1, [])

    def test_after_a_maintenance_numbers_are_small_again(self) -> None:
        client = Client(make("book-reset@3"))
        client.ask(BOOKS, BOOKS | {"instId": "ETH-USDT"})
        client.wait(8.0)
        for symbol in ("BTC-USDT", "ETH-USDT"):
            keeper = kept(client, symbol=symbol)
            assert keeper.holes() == []
            [reset] = [link for link in keeper.chain if link[1] < link[0]]
            assert reset[1] == 3
            assert keeper.chain[-1][1] < 1_000

    def test_one_market_may_begin_again_alone(self) -> None:
        client = Client(make("book-reset:ETH-USDT@3"))
        client.ask(BOOKS, BOOKS | {"instId": "ETH-USDT"})
        client.wait(8.0)
        assert kept(client).chain[-1][1] > 1_000 > kept(client, symbol="ETH-USDT").chain[-1][1]

    def test_a_late_snapshot_is_older_than_the_changes_before_it(self) -> None:
        client = Client(make("book-late:0.5"))
        client.ask(BOOKS)
        actions = [(one["action"], one["data"][0]["seqId"]) for one in client.wait(3.0)]
        place = [action for action, _ in actions].index("snapshot")
        assert place > 0
        assert actions[place][1] < actions[place - 1][1]
