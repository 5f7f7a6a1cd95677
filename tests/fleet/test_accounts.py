"""An account carried by a fleet: its carriers are killed, and its orders at the broker are the exchange's own."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from tapewire import WebSocketClient
from tapewire.apps.cli.main import cli
from tapewire.config import Credentials, Secret
from tapewire.fleet.account import mark_of
from tapewire.fleet.words import State
from tapewire.model.events import Event, MyOrderEvent
from tapewire.sim.scenario import DEMO_KEY
from tapewire.sinks.brokers.letters import unpack
from tapewire.testing.background import BackgroundSimulator
from tapewire.venues.trading import Order
from tests.fleet.fleets import Collecting, Fleet, wait_for
from tests.fleet.test_collect import keys_of_limits
from tests.sinks.brokers.servers import PASSWORD, NatsServer
from tests.sizes import figure

QUICK = ("--markets", "KRW-M0", "--types", "trade", "--lease", "2")
PRIVATE = ("--private", "myOrder,myAsset", "--account", "main")
STREAM = "md-account-main"
MARK = mark_of(Credentials(Secret(DEMO_KEY.access_key), DEMO_KEY.secret_key))
#: What one event of an order tells: the order, an execution's id or a state.
Told = tuple[str, str]

pytestmark = pytest.mark.skipif(not NatsServer.is_there(), reason="make servers")


@pytest.fixture
def simulator() -> Iterator[BackgroundSimulator]:
    with BackgroundSimulator(markets=("KRW-M0", "KRW-M1"), rate=40.0, customer=0.15) as running:
        yield running


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    with NatsServer(tmp_path / "nats") as server:
        yield server


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPBIT_ACCESS_KEY", DEMO_KEY.access_key)
    monkeypatch.setenv("UPBIT_SECRET_KEY", DEMO_KEY.secret_key.reveal())


def stored(nats: NatsServer) -> list[Event]:
    found = [item for headers, payload in nats.stored(STREAM) for item in unpack(headers, payload)]
    return [item for item in found if isinstance(item, Event)]


def orders(events: Sequence[Event]) -> list[MyOrderEvent]:
    return [one for one in events if isinstance(one, MyOrderEvent)]


def told(event: MyOrderEvent) -> Told:
    return event.uuid, event.trade_uuid or "" if event.state == "trade" else str(event.state)


def story(order: Order) -> list[Told]:
    """All that there is to tell of an order, in its order."""
    end = [(order.uuid, order.state)] if order.state in ("done", "cancel") else []
    return [(order.uuid, "wait"), *((order.uuid, fill.uuid) for fill in order.fills), *end]


def judge(made: Sequence[Order], events: Sequence[MyOrderEvent]) -> None:
    """Nothing of these orders is doubled, and each order's own are in order."""
    counts = Counter(told(event) for event in events)
    assert [one for one, count in counts.items() if count > 1] == []
    for order in made:
        ours = [told(event) for event in events if event.uuid == order.uuid]
        assert ours == [one for one in story(order) if one in ours], events


def owed(made: Sequence[Order]) -> set[Told]:
    """Every execution, and every end."""
    return {one for order in made for one in story(order) if one[1] != "wait"}


def carriers(states: dict[str, State]) -> set[str]:
    return {name for name, state in states.items() if "main" in state.accounts and state.accounts["main"].live}


@pytest.mark.timeout(300)
def test_carriers_of_an_account_die_and_no_order_is_lost_doubled_or_out_of_order(
    simulator: BackgroundSimulator, nats: NatsServer, tmp_path: Path, key: None
) -> None:
    with Fleet(nats.address, simulator.url, tmp_path, *QUICK) as fleet:
        members = {name: fleet.start(name, *PRIVATE) for name in "abc"}
        carrying = carriers(fleet.until(lambda states: len(states) == 3 and len(carriers(states)) == 2))
        since_ms = max(order.ms for order in simulator.orders())

        def made() -> list[Order]:
            return [order for order in simulator.orders() if order.ms > since_ms]

        def missing(due: set[Told]) -> set[Told]:
            return due - {told(event) for event in orders(stored(nats))}

        def all_stored() -> None:
            due = owed(made())
            wait_for(lambda: not missing(due), lambda: f"{missing(due)} {told_by(members)} {fleet.complaints()}")

        wait_for(lambda: len(owed(made())) > 20, lambda: f"{len(made())} orders")
        for name in carrying:
            members.pop(name).end(signal.SIGKILL)
        [spare] = {"a", "b", "c"} - carrying
        fleet.until(lambda states: carriers(states) == {spare})
        members["e"] = fleet.start("e", *PRIVATE)
        fleet.until(lambda states: carriers(states) == {spare, "e"})
        assert members.pop(spare).end(signal.SIGTERM) == 0
        fleet.until(lambda states: carriers(states) == {"e"})
        members.pop("e").end(signal.SIGKILL)
        fleet.until(lambda states: not carriers(states))
        members["f"] = fleet.start("f", *PRIVATE)
        fleet.until(lambda states: carriers(states) == {"f"})
        all_stored()
        judge(made(), orders(events := stored(nats)))
        recovered = sum(event.recovered for event in orders(events))
        figure(f"account of a fleet: {len(orders(events))} events of orders, {recovered} by REST; 0 lost, 0 doubled")
        assert recovered
        said = CliRunner().invoke(cli, ["fleet", nats.address])
        assert "account main: f" in said.stdout.splitlines()
        assert keys_of_limits(nats) >= {f"{name}-{MARK}" for name in ("connects", "rest-default")}
        shown = said.stdout + fleet.complaints() + str([member.said for member in members.values()])
    kept = b"".join(path.read_bytes() for path in (tmp_path / "nats" / "store").rglob("*") if path.is_file())
    assert MARK.encode() in kept
    for secret in (DEMO_KEY.access_key, DEMO_KEY.secret_key.reveal(), PASSWORD):
        assert secret not in shown
        assert secret.encode() not in kept


@pytest.mark.timeout(200)
def test_a_reader_without_the_key_has_the_account_to_itself(
    simulator: BackgroundSimulator, nats: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: None
) -> None:
    with Fleet(nats.address, simulator.url, tmp_path, *QUICK) as fleet:
        fleet.start("a", *PRIVATE)
        fleet.until(lambda states: carriers(states) == {"a"})
        wait_for(lambda: len(of_one_market(nats)) > 3)
        for name in ("UPBIT_ACCESS_KEY", "UPBIT_SECRET_KEY"):
            monkeypatch.delenv(name)
        heard = asyncio.run(read(f"{nats.address}?stream={STREAM}&prefix=md-account.main"))
        assert heard[:3] == of_one_market(nats)[:3]
    assert not {headers["tw-type"] for headers, _ in nats.stored()} & {"myOrder", "myAsset"}


async def read(url: str) -> list[MyOrderEvent]:
    """The first orders that are to be had there."""
    heard: list[MyOrderEvent] = []
    enough = asyncio.Event()

    def hear(event: MyOrderEvent) -> None:
        heard.append(event)
        if len(heard) >= 3:
            enough.set()

    async with WebSocketClient("reader", url=f"{url}&since=600") as client, asyncio.timeout(60):
        await client.subscribe_my_order("KRW-M0", hear)
        await enough.wait()
    return heard


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--private", "announcement"), "a fleet carries myOrder, myAsset of an account of upbit"),
        (("--private", "myOrder", "--account", "a b"), "letters, digits, - and _"),
        (("--account", "main"), "--private myOrder,myAsset"),
        (("--private", "nonsense"), "'nonsense' is no type"),
    ],
)
def test_what_a_fleet_cannot_carry_of_an_account_is_told(words: tuple[str, ...], expected: str, key: None) -> None:
    ran = CliRunner().invoke(cli, ["collect", "--fleet", "nats://127.0.0.1:1", "--markets", "KRW-BTC", *words])
    assert ran.exit_code == 2
    assert expected in " ".join(ran.output.replace("│", " ").split())


def test_an_account_without_its_key_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UPBIT_ACCESS_KEY", "UPBIT_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    words = ["collect", "--fleet", "nats://127.0.0.1:1", "--markets", "KRW-BTC", "--private", "myOrder"]
    ran = CliRunner().invoke(cli, words)
    assert ran.exit_code == 2
    assert "UPBIT_ACCESS_KEY" in ran.output


def of_one_market(nats: NatsServer) -> list[MyOrderEvent]:
    return [event for event in orders(stored(nats)) if event.symbol == "KRW-M0"]


def told_by(members: dict[str, Collecting]) -> dict[str, list[str]]:
    return {name: member.notes for name, member in members.items()}
