"""What Prometheus reads and Grafana shows: a real scrape of a running client, over HTTP, against the simulator."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from tapewire import FeedError, FeedOptions, WebSocketClient, metrics
from tapewire.client.lines import real_ports
from tapewire.errors import ConfigError
from tapewire.hub.mailbox import Mailbox
from tapewire.runtime.manager import WebSocketManager
from tapewire.runtime.prometheus import METRICS, NAMED_MAILBOXES, PER_SYMBOL
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tapewire.venues.registry import get_venue

CANARY = "canary-6b1f0c"


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


def parsed(text: str) -> dict[str, Family]:
    """By the name of the samples."""
    families = text_string_to_metric_families(text)
    return {sample.name: family for family in families for sample in family.samples}


def value(families: dict[str, Family], name: str, **labels: str) -> float:
    [sample] = [
        sample for sample in families[name].samples if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return float(sample.value)


#: Figures of lines that carry the same streams.
OF_SISTERS = {"tapewire_connection_firsts_total", "tapewire_connection_copies_total", "tapewire_lead_seconds"}


async def scrape(redundancy: int = 1, **how: Any) -> tuple[str, str]:
    """A client with a key, a trade stream, an async callback; after a reconnect, as Prometheus and as JSON."""
    async with Simulator(Scenario(markets=("KRW-BTC", "KRW-ETH"), rate=400.0)) as simulator:
        manager = WebSocketManager(real_ports)
        client = WebSocketClient(
            "me", url=simulator.url, manager=manager, access_key=CANARY, secret_key=CANARY * 4,
            headers=(("X-Secret", CANARY),), backoff_base=0.01, redundancy=redundancy,
        )  # fmt: skip
        back = asyncio.Event()
        heard = 0

        async def hear(_: object) -> None:
            nonlocal heard
            heard += 1
            if heard == 40:
                simulator.abort()
            if heard == 140 * redundancy * redundancy:
                back.set()

        async with client:
            server = await client.serve_metrics(**how)
            await client.subscribe_trade(["KRW-BTC", "KRW-ETH"], hear, "realtime_only")  # the first is timed
            await back.wait()
            status, page = await get(server.url)
            assert status == 200
            status, health = await get(server.url.replace("/metrics", "/health"))
            assert status == 200
        with pytest.raises(aiohttp.ClientConnectionError):
            await get(server.url)
    return page, health


async def test_a_scrape_has_every_metric_and_the_figures_of_the_client() -> None:
    page, health = await scrape()
    families = parsed(page)
    assert families.keys() == {metric.name for metric in METRICS} - OF_SISTERS
    connection = {"venue": "upbit", "connection": "upbit-1", "side": "public"}
    assert value(families, "tapewire_messages_total", venue="upbit", kind="trade") >= 140
    assert value(families, "tapewire_reconnects_total", venue="upbit") == 1
    assert value(families, "tapewire_connection_errors_total", venue="upbit") == 1
    assert value(families, "tapewire_connection_up", **connection) == 1
    assert value(families, "tapewire_connection_state", **connection, state="active") == 1
    assert value(families, "tapewire_connection_state", **connection, state="error") == 0
    assert value(families, "tapewire_connection_received_bytes_total", **connection) > 140 * 200
    assert 200 < value(families, "tapewire_connection_sent_bytes_total", **connection) < 5_000
    assert value(families, "tapewire_mailbox_size", subscriber="me:trade") == 10_000
    assert value(families, "tapewire_process_memory_bytes") > 10e6
    assert 0 < value(families, "tapewire_latency_seconds", quantile="0.5") < 60
    assert json.loads(health)["total_messages_processed"] >= 140


async def test_with_sisters_it_says_who_was_first() -> None:
    families = parsed((await scrape(redundancy=2))[0])
    assert families.keys() >= OF_SISTERS
    brought = [value(families, "tapewire_connection_firsts_total", connection=f"upbit-{number}") for number in (1, 2)]
    copies = [value(families, "tapewire_connection_copies_total", connection=f"upbit-{number}") for number in (1, 2)]
    assert 40 <= sum(brought) <= value(families, "tapewire_messages_total", kind="trade")
    assert sum(copies) <= sum(brought)
    assert copies[0] or copies[1]


async def test_a_scrape_shows_no_secret() -> None:
    for text in await scrape(per_symbol=True):
        assert CANARY not in text
        assert "Bearer" not in text


async def test_series_of_each_symbol_are_an_option() -> None:
    page, _ = await scrape(per_symbol=True)
    families = parsed(page)
    assert families.keys() == {metric.name for metric in (*METRICS, PER_SYMBOL)} - OF_SISTERS
    assert value(families, PER_SYMBOL.name, kind="trade", symbol="KRW-ETH") > 0
    assert all("symbol" not in metric.labels for metric in METRICS), "without it no label grows with the markets"


async def test_the_dashboard_names_only_metrics_of_a_scrape() -> None:
    dashboard = json.loads(metrics.dashboard())
    plain, sisters = (await scrape())[0], (await scrape(redundancy=2))[0]
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    shown += [one["query"] for one in dashboard["templating"]["list"]]
    named = set(re.findall(r"\btapewire_\w+", " ".join(shown)))
    assert named <= parsed(plain).keys() | parsed(sisters).keys()
    assert {metric.name for metric in METRICS} - named == set(), "each metric has a panel"
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    labels = set(re.findall(r"\{\{(\w+)\}\}", metrics.dashboard())) - {"instance"}
    assert labels <= {label for metric in METRICS for label in metric.labels}


@pytest.mark.parametrize("metric", [*METRICS, PER_SYMBOL], ids=lambda metric: metric.name)
def test_names_follow_the_conventions(metric: Any) -> None:
    assert re.fullmatch(r"tapewire_[a-z]+(_[a-z]+)*", metric.name)
    assert (metric.kind == "counter") == metric.name.endswith("_total")
    assert metric.help


async def test_a_registry_can_be_scraped_from_another_thread() -> None:
    async with Simulator(Scenario(markets=("KRW-BTC",), rate=200.0)) as simulator:
        manager = WebSocketManager(real_ports)
        registry = CollectorRegistry()
        async with WebSocketClient(url=simulator.url, manager=manager) as client:
            registry.register(metrics.collector(manager))
            stream = client.trades("KRW-BTC")
            await anext(stream)
            text = await asyncio.to_thread(generate_latest, registry)
    assert value(parsed(text.decode()), "tapewire_connection_up") == 1


async def test_what_fails_in_the_loop_is_raised_where_the_scrape_was_asked() -> None:
    manager = WebSocketManager(real_ports)
    collector = metrics.collector(manager)
    manager._pools["x"] = None  # type: ignore[index,assignment]
    with pytest.raises(AttributeError):
        await asyncio.to_thread(lambda: list(collector.collect()))


async def test_the_number_of_named_mailboxes_is_bounded() -> None:
    manager = WebSocketManager(real_ports)
    options = FeedOptions(url="ws://127.0.0.1:9/x")
    pool = manager.pool(get_venue("upbit"), options)
    boxes = [Mailbox(f"me-{number:04}", options.mailbox) for number in range(NAMED_MAILBOXES + 20)]
    pool.troubles.mailboxes.update(boxes)
    registry = CollectorRegistry()
    registry.register(metrics.collector(manager))
    families = parsed(generate_latest(registry).decode())
    assert len(families["tapewire_mailbox_size"].samples) == NAMED_MAILBOXES + 1
    assert value(families, "tapewire_mailbox_size", subscriber="other") == 20 * options.mailbox.size


async def test_an_unhealthy_feed_answers_503() -> None:
    async with (
        Simulator(Scenario(markets=("KRW-BTC",), faults=("refuse:403@0",))) as simulator,
        WebSocketClient(url=simulator.url, manager=WebSocketManager(real_ports), validate=False) as client,
    ):
        ended = asyncio.Event()
        client.subscribe_feed(lambda event: ended.set() if type(event).__name__ == "Stopped" else None)
        await client.subscribe_trade("KRW-BTC", lambda _: None)
        await ended.wait()
        async with await client.serve_metrics() as server:
            status, health = await get(server.url.replace("/metrics", "/health"))
        assert (status, json.loads(health)["status"]) == (503, "unhealthy")


async def test_a_port_that_is_taken_and_one_that_is_none_are_told_at_once() -> None:
    manager = WebSocketManager(real_ports)
    async with await manager.serve_metrics() as server:
        port = int(server.url.rpartition(":")[2].partition("/")[0])
        with pytest.raises(FeedError, match=f"cannot listen on 127.0.0.1:{port}: .*already in use"):
            await manager.serve_metrics(port)
        for wrong in (-1, 65_536, True, "9100"):
            with pytest.raises(ConfigError, match=r"port is .*; it must be a whole number from 0"):
                await manager.serve_metrics(wrong)  # type: ignore[arg-type]
    await server.close()
