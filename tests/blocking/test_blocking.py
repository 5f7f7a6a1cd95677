"""The blocking client over real sockets: callbacks on one thread, plain iterators, every end without a hang."""

from __future__ import annotations

import _thread
import gc
import itertools
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tapewire.blocking import Handle, WebSocketClient
from tapewire.config import MailboxOptions
from tapewire.errors import ConfigError, SubscriptionError, TimedOut, UnknownName, UnknownSymbol, UsageError
from tapewire.model.events import Event, OrderbookEvent, TickerEvent, TradeEvent
from tapewire.model.status import CallbackFailed, FeedEvent
from tapewire.model.subscription import Subscription
from tapewire.testing.background import BackgroundSimulator

PATIENCE = 10.0
MARKETS = ("KRW-BTC", "KRW-ETH", "KRW-XRP")


@pytest.fixture(scope="module")
def exchange() -> Iterator[BackgroundSimulator]:
    """Upbit with three busy markets, without limits: every test is a process of its own to it."""
    with BackgroundSimulator(seed=7, markets=MARKETS, rate=400.0, limits=False) as simulator:
        yield simulator


@pytest.fixture
def client(exchange: BackgroundSimulator) -> Iterator[WebSocketClient]:
    with WebSocketClient("bot", url=exchange.url) as made:
        yield made


def threads() -> list[threading.Thread]:
    """Those of clients."""
    others = ("simulator", "limits")
    ours = [one for one in threading.enumerate() if one.name.startswith("tapewire ")]
    return [one for one in ours if not any(word in one.name for word in others)]


def test_nothing_is_started_before_something_is_wanted(exchange: BackgroundSimulator) -> None:
    before = len(exchange.connects)
    client = WebSocketClient("bot", url=exchange.url)
    assert threads() == []
    assert len(client.markets()) == 3
    [thread] = threads()
    assert (thread.daemon, thread.name) == (True, "tapewire bot")
    assert len(exchange.connects) == before, "only a subscription connects"
    client.close()
    client.close()
    assert threads() == []


def test_callbacks_run_on_the_clients_one_thread(client: WebSocketClient) -> None:
    heard: queue.Queue[tuple[str, str]] = queue.Queue()

    def hear(event: Event) -> None:
        heard.put((type(event).__name__, threading.current_thread().name))

    client.subscribe_ticker(["KRW-BTC"], hear)
    client.subscribe_trade("KRW-BTC", hear)
    client.subscribe_orderbook("KRW-BTC", hear, depth=5)
    client.subscribe_candle("KRW-BTC", hear, unit="1m")
    client.subscribe([Subscription("ticker", "KRW-ETH")], hear)
    seen: set[tuple[str, str]] = set()
    while len(seen) < 4:
        seen.add(heard.get(timeout=PATIENCE))
    assert seen == {(f"{kind}Event", "tapewire bot") for kind in ("Ticker", "Trade", "Orderbook", "Candle")}


def test_a_handle_adds_removes_and_ends(client: WebSocketClient) -> None:
    handle = client.subscribe_trade(["KRW-BTC", "KRW-NOPE"], lambda _: None)
    assert isinstance(handle, Handle)
    assert (handle.symbols, list(handle.rejected)) == (["KRW-BTC"], ["KRW-NOPE"])
    handle.live(timeout=PATIENCE)
    handle.add(["KRW-ETH"])
    assert handle.symbols == ["KRW-BTC", "KRW-ETH"]
    with pytest.raises(SubscriptionError, match="symbol is 'KRW-XRP'; it must be one that is subscribed here"):
        handle.remove("KRW-XRP")
    handle.remove("KRW-BTC")
    assert (handle.symbols, handle.error, handle.finished, handle.name) == (["KRW-ETH"], None, False, "bot:trade")
    client.unsubscribe(handle)
    handle.unsubscribe()
    assert (handle.symbols, handle.active) == ([], False)
    with pytest.raises(UsageError, match="the handle has been unsubscribed"):
        handle.add("KRW-BTC")


def test_the_latest_event_of_each_stream_can_be_looked_at(client: WebSocketClient) -> None:
    assert client.latest("KRW-BTC") is None
    book = client.subscribe_orderbook(["KRW-BTC", "KRW-ETH"])
    candles = client.subscribe_candle("KRW-BTC", unit="1m")
    came = threading.Event()
    client.subscribe_ticker("KRW-BTC", lambda _: came.set())
    assert came.wait(PATIENCE)
    book.live(PATIENCE)
    candles.live(PATIENCE)
    ticker, latest_book = client.latest("KRW-BTC"), client.latest("KRW-ETH", "orderbook")
    candle = client.latest("KRW-BTC", "candle", unit="1m")
    assert isinstance(ticker, TickerEvent)
    assert isinstance(latest_book, OrderbookEvent)
    assert latest_book.symbol == "KRW-ETH"
    assert candle is not None
    assert candle.unit == "1m"
    assert client.latest("KRW-BTC", "candle") is None, "another unit"
    assert client.latest("KRW-BTC", "trade") is None, "not subscribed"
    book.remove("KRW-ETH")
    assert client.latest("KRW-ETH", "orderbook") is None
    assert client.latest("KRW-BTC", "orderbook") is not None
    book.unsubscribe()
    assert client.latest("KRW-BTC", "orderbook") is None
    with pytest.raises(SubscriptionError, match="kind is 'book'; it must be ticker or trade or orderbook or candle"):
        client.latest("KRW-BTC", "book")  # type: ignore[call-overload]


def test_each_kind_can_be_iterated_with_for(client: WebSocketClient) -> None:
    for events in (
        client.tickers("KRW-BTC"),
        client.trades(["KRW-BTC", "KRW-ETH"]),
        client.orderbooks("KRW-BTC", depth=5),
        client.candles("KRW-BTC", unit="1m"),
    ):
        assert len(list(itertools.islice(events, 2))) == 2
    with client.stream([Subscription("trade", "KRW-XRP")]) as mixed:
        kinds = {type(item).__name__ for item in itertools.islice(mixed, 10)}
    assert {"TradeEvent", "Subscribed"} <= kinds


def test_trades_are_iterated_in_order_without_a_hole(client: WebSocketClient, exchange: BackgroundSimulator) -> None:
    ids = [trade.sequential_id for trade in itertools.islice(client.trades("KRW-ETH"), 40)]
    made = [trade.sequential_id for trade in exchange.trades if trade.symbol == "KRW-ETH"]
    assert ids == made[made.index(ids[0]) :][: len(ids)]


def test_an_iterator_given_up_or_closed_gives_its_subscription_back(client: WebSocketClient) -> None:
    for _ in client.trades("KRW-BTC"):
        break
    client.tickers("KRW-BTC")  # never used
    gc.collect()
    with client.tickers("KRW-ETH") as tickers:
        next(tickers)
        assert tickers.statistics().taken >= 1
    assert list(tickers) == []
    client.statistics()  # the thread has done what it was told before
    assert (client._client.handles, client._client._component.boxes) == ((), {})


def test_waiting_for_an_event_can_have_a_limit_and_go_on(
    client: WebSocketClient, exchange: BackgroundSimulator
) -> None:
    trades = client.trades("KRW-BTC", stream_preference="realtime_only", mailbox=MailboxOptions(rule="conflate"))
    next(trades)
    exchange.silence(0.5)
    late = ""
    while not late:
        try:
            trades.next(timeout=0.05)
        except TimedOut as error:
            late = str(error)
    assert late == "bot: waiting for an event: no answer within 0.05 s"
    assert isinstance(trades.next(timeout=PATIENCE), TradeEvent)
    with pytest.raises(SubscriptionError, match="symbol is 'KRW-NOPE'"):
        next(client.trades("KRW-NOPE"))


def test_ctrl_c_interrupts_the_waiting_and_nothing_is_lost(exchange: BackgroundSimulator) -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("Ctrl-C reaches the main thread only (pytest-xdist on Python 3.13 runs tests in another)")
    with WebSocketClient("bot", url=exchange.url) as client:
        trades = client.trades("KRW-BTC")
        ids = [next(trades).sequential_id]
        exchange.silence(1.0)
        interrupted = False
        try:
            threading.Timer(0.3, _thread.interrupt_main).start()
            ids.extend(trade.sequential_id for trade in trades)
        except KeyboardInterrupt:
            interrupted = True
        assert interrupted
        ids += [trade.sequential_id for trade in itertools.islice(trades, 20)]
    assert len(ids) == len(set(ids))


def test_snapshots_answer_once(client: WebSocketClient) -> None:
    assert [event.symbol for event in client.ticker_snapshot(["KRW-ETH", "KRW-BTC"])] == ["KRW-ETH", "KRW-BTC"]
    assert [event.symbol for event in client.trade_snapshot("KRW-ETH", timeout=PATIENCE)] == ["KRW-ETH"]
    assert [len(event.orderbook_units) for event in client.orderbook_snapshot("KRW-ETH", depth=5)] == [5]
    assert [event.unit for event in client.candle_snapshot("KRW-ETH", unit="1m")] == ["1m"]
    with pytest.raises(UnknownSymbol):
        client.ticker_snapshot(["KRW-NOPE"])
    with pytest.raises(ConfigError, match="timeout is 0"):
        client.ticker_snapshot("KRW-BTC", timeout=0)


def test_within_a_callback_waiting_is_refused_and_the_rest_works(client: WebSocketClient) -> None:
    said: queue.Queue[Any] = queue.Queue()
    handles: queue.Queue[Handle] = queue.Queue()
    waiting = client.tickers("KRW-ETH")

    def hear(event: TradeEvent) -> None:
        handle = handles.get(timeout=PATIENCE)
        for call in (
            client.markets,
            client.close,
            handle.live,
            lambda: handle.add("KRW-ETH"),
            lambda: client.subscribe_ticker("KRW-ETH"),
            lambda: client.ticker_snapshot("KRW-ETH"),
            lambda: next(waiting),
        ):
            try:
                said.put(call())
            except UsageError as error:
                said.put(str(error))
        said.put(client.statistics().total_processed)
        said.put(client.latest("KRW-BTC", "trade") is event)
        said.put(handle.symbols)
        handle.unsubscribe()
        said.put(handle.symbols)

    handles.put(client.subscribe_trade("KRW-BTC", hear))
    refusals = [said.get(timeout=PATIENCE) for _ in range(7)]
    for what, words in zip(
        ("markets", "close", "handle.live", "handle.add", "subscribing", "the snapshot", "waiting for an event"),
        refusals,
        strict=True,
    ):
        assert words == (
            f"bot: {what} was called within a callback, on the client's own thread, which would wait for itself; "
            "hand the work to another thread (a queue.Queue)"
        )
    assert said.get(timeout=PATIENCE) >= 1
    assert [said.get(timeout=PATIENCE) for _ in range(3)] == [True, ["KRW-BTC"], []]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ZeroDivisionError("mine"), "ZeroDivisionError('mine')"),
        (SystemExit(3), "a callback cannot end the program: it raised SystemExit(3) on the client's thread"),
    ],
)
def test_a_callback_that_raises_is_told_as_in_the_asyncio_client(
    client: WebSocketClient, error: BaseException, words: str
) -> None:
    told: queue.Queue[FeedEvent] = queue.Queue()

    def broken(_event: Event) -> None:
        raise error

    client.subscribe_feed(told.put)
    client.subscribe_ticker("KRW-BTC", broken)
    while not isinstance(failure := told.get(timeout=PATIENCE), CallbackFailed):
        pass
    assert failure.subscriber == "bot:ticker"
    assert words in failure.error
    assert "in broken\n    raise error\n" in failure.traceback
    assert client.statistics().callback_errors >= 1
    assert client.trade_snapshot("KRW-BTC"), "the thread goes on"


@pytest.mark.parametrize("callback", [3, "print"])
def test_a_callback_must_be_one(client: WebSocketClient, callback: Any) -> None:
    with pytest.raises(UsageError, match="it must be a function that takes one event"):
        client.subscribe_ticker("KRW-BTC", callback)


def test_an_async_callback_is_refused(client: WebSocketClient) -> None:
    async def hear(_event: Event) -> None:
        """Nobody would run it."""

    with pytest.raises(UsageError, match="it must be a plain function: this client is not asyncio's"):
        client.subscribe_ticker("KRW-BTC", hear)


def test_wrong_options_are_refused_at_once() -> None:
    with pytest.raises(UnknownName, match="no venue is called 'upbitt'"):
        WebSocketClient("bot", "upbitt")
    with pytest.raises(ConfigError, match="url is 'http://x'"):
        WebSocketClient("bot", url="http://x")
    assert threads() == []


def test_after_close_everything_says_so(exchange: BackgroundSimulator) -> None:
    client = WebSocketClient("bot", url=exchange.url)
    handle = client.subscribe_trade("KRW-BTC", lambda _: None)
    handle.live(PATIENCE)
    trades = client.trades("KRW-ETH")
    next(trades)
    client.close()
    for call in (
        client.markets,
        handle.live,
        lambda: client.latest("KRW-BTC", "trade"),
        lambda: client.trades("KRW-BTC"),
        lambda: client.subscribe_trade("KRW-BTC", lambda _: None),
        lambda: client.ticker_snapshot("KRW-BTC"),
    ):
        with pytest.raises(UsageError, match="the client was closed; make a new WebSocketClient"):
            call()
    assert list(trades) == []
    assert handle.symbols == []
    handle.unsubscribe()
    assert client.statistics().total_processed > 0
    unused = WebSocketClient("unused", url=exchange.url)
    unused.close()
    with pytest.raises(UsageError, match="the client was closed"):
        unused.statistics()


def test_many_threads_may_use_one_client_while_it_closes(exchange: BackgroundSimulator) -> None:
    client = WebSocketClient("bot", url=exchange.url)
    ready = threading.Barrier(7)
    ends: queue.Queue[str] = queue.Queue()

    def iterate() -> None:
        trades = client.trades("KRW-BTC")
        next(trades)
        ready.wait(PATIENCE)
        for _ in trades:
            pass
        ends.put("ended")

    def come_and_go() -> None:
        began = False
        try:
            while True:
                handle = client.subscribe_ticker(MARKETS, lambda _: None)
                handle.remove("KRW-BTC")
                client.latest("KRW-ETH")
                handle.unsubscribe()
                if not began:
                    began = True
                    ready.wait(PATIENCE)
        except UsageError as error:
            ends.put("closed" if "was closed" in str(error) or "has been unsubscribed" in str(error) else str(error))

    workers = [threading.Thread(target=work) for work in (iterate,) * 3 + (come_and_go,) * 3]
    for worker in workers:
        worker.start()
    ready.wait(PATIENCE)
    client.close()
    for worker in workers:
        worker.join(PATIENCE)
        assert not worker.is_alive()
    assert sorted(ends.get_nowait() for _ in workers) == ["closed"] * 3 + ["ended"] * 3


def test_a_callback_that_does_not_come_back_is_named_by_close(exchange: BackgroundSimulator) -> None:
    client = WebSocketClient("bot", url=exchange.url)
    stuck, free = threading.Event(), threading.Event()

    def hear(_event: Event) -> None:
        stuck.set()
        free.wait(PATIENCE)

    client.subscribe_ticker("KRW-BTC", hear)
    assert stuck.wait(PATIENCE)
    with pytest.raises(TimedOut, match=r"bot: close: a callback .* does not come back: no answer within 0.1 s"):
        client.close(timeout=0.1)
    [thread] = threads()
    free.set()
    thread.join(PATIENCE)
    assert threads() == []
    gc.collect()  # what it left open would be told here as a ResourceWarning


@pytest.mark.parametrize(
    "ending",
    ["", "raise SystemExit(3)", "1 / 0", "import os, signal; os.kill(os.getpid(), signal.SIGINT); input()"],
)
def test_a_program_that_forgets_to_close_ends_all_the_same(exchange: BackgroundSimulator, ending: str) -> None:
    program = f"""
from tapewire.blocking import WebSocketClient
client = WebSocketClient("forgetful", url={exchange.url!r})
client.subscribe_trade("KRW-BTC", lambda trade: None).live()
tickers = client.tickers("KRW-ETH")
print(next(tickers).symbol)
{ending}
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=20, check=False,
        stdin=subprocess.PIPE,
    )  # fmt: skip
    assert done.stdout == "KRW-ETH\n", done.stderr
    shown = done.stderr.strip().splitlines()
    expected = {"": "", "raise SystemExit(3)": "", "1 / 0": "ZeroDivisionError: division by zero"}
    assert (shown[-1] if shown else "") == expected.get(ending, "KeyboardInterrupt")
    assert done.stderr.count("Traceback") == (0 if ending in {"", "raise SystemExit(3)"} else 1)
