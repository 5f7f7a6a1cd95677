"""Channels of alerts: callbacks, the log, web services on a local server and over memory; no secret is ever shown."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from tapewire.client import outbox as outbox_module
from tapewire.client.alerts import Callback, Channel, Log, Notice, Slack, Telegram, Webhook
from tapewire.client.channels import as_channel
from tapewire.client.outbox import Outbox, Outlet
from tapewire.client.posting import Tools
from tapewire.config import Secret
from tapewire.errors import ConfigError, HttpFailed
from tapewire.runtime.clock import LoopClock
from tapewire.testing.clock import VirtualTimeLoop, run_virtual
from tapewire.transport.http import AiohttpHttp

#: Without types: a program hands in plain text, or whatever it has.
any_webhook: Any = Webhook
any_slack: Any = Slack
any_telegram: Any = Telegram

TOKEN = "123456:CANARY-abcdefghij_klm"
CANARY = "CANARY"


def notice(text: str = "upbit-1 is down for 10 s", **facts: Any) -> Notice:
    fixed: dict[str, Any] = {"rule": "down", "severity": "critical", "subjects": ("upbit-1",), "at_ns": 10**18}
    return Notice(text=text, **(fixed | facts))


class Service:
    """A web service on loopback: answers one after the other (200 at the end of the list), and what it got."""

    def __init__(self, answers: list[web.Response]) -> None:
        self.answers = answers
        self.got: list[tuple[str, Mapping[str, str], Any]] = []
        self.url = ""
        self._changed = asyncio.Condition()

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append((request.path_qs, request.headers.copy(), await request.json()))
        async with self._changed:
            self._changed.notify_all()
        return self.answers.pop(0) if self.answers else web.Response(text="ok")

    async def received(self, number: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(lambda: len(self.got) >= number)


@asynccontextmanager
async def service(*answers: web.Response) -> AsyncIterator[Service]:
    made = Service(list(answers))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield made
    finally:
        await runner.cleanup()


def real_tools() -> Tools:
    clock = LoopClock()
    return Tools("my_app", clock, lambda: AiohttpHttp(clock.wall_ns))


async def test_a_webhook_gets_the_notice_as_json_with_its_headers() -> None:
    async with service() as far:
        outlet = any_webhook(far.url + "/hook/CANARY?k=1", {"Authorization": "Bearer x"}).open(real_tools())
        outlet.put(notice())
        outlet.put(notice("upbit-1 is back after 12 s", over=True, seconds=12.0))
        await outlet.aclose(5.0)
    assert [path for path, _, _ in far.got] == ["/hook/CANARY?k=1"] * 2
    [(_, headers, first), (_, _, second)] = far.got
    assert (headers["Authorization"], headers["Content-Type"]) == ("Bearer x", "application/json")
    assert (first["source"], first["text"], first["over"]) == ("my_app", "upbit-1 is down for 10 s", False)
    assert (second["seconds"], second["over"]) == (12.0, True)
    assert (outlet.sent, outlet.failed, outlet.dropped, outlet.waiting) == (2, 0, 0, 0)


async def test_slack_and_telegram_get_their_forms() -> None:
    async with service() as far:
        slack = any_slack(f"{far.url}/services/T0/B0/x").open(real_tools())
        telegram = any_telegram(TOKEN, -100123, api=far.url).open(real_tools())
        for outlet in (slack, telegram):
            outlet.put(notice())
            await outlet.aclose(5.0)
    text = "🔴 my_app [critical] down: upbit-1 is down for 10 s"
    assert [(path, body) for path, _, body in far.got] == [
        ("/services/T0/B0/x", {"text": text}),
        (
            f"/bot{TOKEN}/sendMessage",
            {"chat_id": "-100123", "text": text, "disable_web_page_preview": True},
        ),
    ]


async def test_a_redirect_is_not_followed_and_a_refusal_is_logged_without_the_secret(
    caplog: pytest.LogCaptureFixture,
) -> None:
    moved = web.Response(status=302, headers={"Location": "/elsewhere"})
    unknown = web.Response(status=401, text=f'{{"ok":false,"description":"no bot {TOKEN}\x1b[31m"}}')
    caplog.set_level(1)
    async with service(moved, unknown) as far:
        outlet = any_telegram(TOKEN, "@me", api=far.url).open(real_tools())
        outlet.put(notice("first"))
        outlet.put(notice("second"))
        await outlet.aclose(5.0)
    assert [path for path, _, _ in far.got] == [f"/bot{TOKEN}/sendMessage"] * 2
    assert (outlet.sent, outlet.failed) == (0, 2)
    lines = [record.getMessage() for record in caplog.records if record.name == "tapewire.alerts"]
    failed = f"127.0.0.1: a notice was not delivered: {far.url}/…: HTTP"
    said = '{"ok":false,"description":"no bot *** [31m"}'
    assert lines == [
        f"{failed} 302 Found; redirects are not followed (to the same host) ([critical] down: first)",
        f"{failed} 401 Unauthorized: {said} ([critical] down: second)",
    ]
    assert CANARY not in caplog.text


async def test_a_service_that_is_not_there_costs_the_feed_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with service() as gone:
        url = gone.url
    outlet = any_webhook(f"{url}/CANARY").open(real_tools())
    outlet.put(notice())
    await outlet.aclose(0.05)
    assert (outlet.sent, outlet.failed) == (0, 1)
    assert "127.0.0.1: a notice was not delivered before the end: [critical] down" in caplog.text
    assert CANARY not in caplog.text


async def test_the_time_limit_of_a_try_holds() -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def silent(request: web.Request) -> web.Response:
        asked.set()
        await answer.wait()
        return web.Response()

    app = web.Application()
    app.router.add_post("/", silent)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    http = real_tools().make_http()
    with pytest.raises(HttpFailed, match=r"no answer within 0\.05 s"):
        await http.post(Secret(f"http://127.0.0.1:{runner.addresses[0][1]}/"), b"{}", {}, timeout=0.05)
    assert asked.is_set()
    answer.set()
    await http.close()
    await runner.cleanup()


# Over memory, under virtual time.


class MemoryPost:
    """An HTTP transport whose answers are handed in: None is success; when it was asked, by the loop's clock."""

    def __init__(self, *answers: HttpFailed | None) -> None:
        self.answers = list(answers)
        self.asked: list[float] = []
        self.closed = 0

    async def post(self, url: Secret, body: bytes, headers: Mapping[str, Secret], *, timeout: float) -> bytes:  # noqa: ASYNC109
        self.asked.append(asyncio.get_running_loop().time())
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        return b""

    async def close(self) -> None:
        self.closed += 1


def over_memory(http: MemoryPost, story: Callable[[Outlet], Awaitable[None]]) -> Outlet:
    async def run() -> Outlet:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        outlet = Webhook("https://example.invalid/CANARY").open(Tools("me", LoopClock(loop.wall_ns), lambda: http))
        await story(outlet)
        return outlet

    return run_virtual(run())


def refused(status: int | None, retry_after: float | None = None) -> HttpFailed:
    return HttpFailed("https://example.invalid/…", status, "no", retry_after)


def test_tries_go_on_with_growing_waits_and_the_order_is_kept() -> None:
    http = MemoryPost(refused(None), refused(503), refused(500))

    async def story(outlet: Outlet) -> None:
        outlet.put(notice("first"))
        outlet.put(notice("second"))
        await outlet.aclose(100.0)

    outlet = over_memory(http, story)
    assert http.asked == [0.0, 1.0, 3.0, 7.0, 7.0]
    assert (outlet.sent, outlet.failed) == (2, 0)
    assert http.closed == 2, "when nothing waits, and at the end"


def test_retry_after_is_honoured() -> None:
    http = MemoryPost(refused(429, 42.0), refused(503, 0.0))

    async def story(outlet: Outlet) -> None:
        outlet.put(notice())
        await outlet.aclose(100.0)

    assert over_memory(http, story).sent == 1
    assert http.asked == [0.0, 42.0, 43.0]


def test_a_notice_is_given_up_after_six_tries_and_the_next_is_tried(caplog: pytest.LogCaptureFixture) -> None:
    http = MemoryPost(*[refused(500)] * 6)

    async def story(outlet: Outlet) -> None:
        outlet.put(notice("first"))
        outlet.put(notice("second"))
        await outlet.aclose(1000.0)

    outlet = over_memory(http, story)
    assert http.asked == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 31.0]
    assert (outlet.sent, outlet.failed) == (1, 1)
    assert "HTTP 500 no ([critical] down: first)" in caplog.text


def test_a_full_queue_drops_its_oldest_and_the_end_cuts_what_is_late(caplog: pytest.LogCaptureFixture) -> None:
    http = MemoryPost(refused(429, 300.0))

    async def story(outlet: Outlet) -> None:
        outlet.put(notice("under way"))
        await asyncio.sleep(0)
        for number in range(outbox_module.SIZE + 2):
            outlet.put(notice(f"n{number}"))
        assert (outlet.waiting, outlet.dropped) == (outbox_module.SIZE, 2)
        before = asyncio.get_running_loop().time()
        await outlet.aclose(3.0)
        assert asyncio.get_running_loop().time() - before == 3.0
        outlet.put(notice("after the end"))

    outlet = over_memory(http, story)
    assert (outlet.sent, outlet.failed, outlet.dropped, outlet.waiting) == (0, 1, outbox_module.SIZE + 2, 0)
    assert "example.invalid: too slow, the oldest notice was dropped (2 so far)" in caplog.text
    assert "example.invalid: a notice was not delivered before the end: [critical] down: under way" in caplog.text
    assert f"example.invalid: {outbox_module.SIZE} notices were not delivered before the end" in caplog.text


def test_notices_that_come_while_the_queue_runs_empty_are_sent_too() -> None:
    sent: list[str] = []

    async def story() -> None:
        async def send(one: Notice) -> None:
            sent.append(one.text)

        async def idle() -> None:
            if len(sent) == 1:
                box.put(notice("late"))

        box = Outbox("x", send, idle)
        box.put(notice("early"))
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "alerts to x"))
        assert sent == ["early", "late"]
        await box.aclose(1.0)

    run_virtual(story())


# Callbacks and the log.


def unused_tools() -> Tools:
    return Tools("my_app", LoopClock(), MemoryPost)


async def test_plain_and_async_callbacks_get_notices_and_may_raise(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def plain(one: Notice) -> None:
        heard.append(f"plain {one.text}")
        if one.text == "bad":
            raise ZeroDivisionError(one.text)

    async def slow(one: Notice) -> None:
        await asyncio.sleep(0)
        plain(one)

    class Called:
        async def __call__(self, one: Notice) -> None:
            heard.append(f"object {one.text}")

    outlets = [as_channel(one).open(unused_tools()) for one in (plain, slow, Called())]
    for outlet in outlets:
        outlet.put(notice("bad"))
        outlet.put(notice("good"))
    assert heard == ["plain bad", "plain good"]
    for outlet in outlets:
        await outlet.aclose(1.0)
    assert sorted(heard[2:]) == ["object bad", "object good", "plain bad", "plain good"]
    assert [(outlet.sent, outlet.failed) for outlet in outlets] == [(1, 1), (1, 1), (2, 0)]
    assert caplog.text.count("raised for: [critical] down: bad") == 2
    assert caplog.text.count("ZeroDivisionError: bad") == 2


async def test_a_callback_may_close_its_own_outlet() -> None:
    async def closing(one: Notice) -> None:
        await outlet.aclose(5.0)

    outlet = Callback(closing).open(unused_tools())
    outlet.put(notice())
    async with asyncio.timeout(1):
        await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name().startswith("alerts to")))
    assert outlet.sent == 1


async def test_the_log_gets_levels_and_the_notice_itself(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tapewire.alerts")
    outlet = Log().open(unused_tools())
    told = [notice(severity=severity) for severity in ("info", "warning", "critical")] + [notice(over=True)]
    for one in told:
        outlet.put(one)
    await outlet.aclose(1.0)
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "ERROR", "INFO"]
    assert caplog.records[2].getMessage() == "my_app: [critical] down: upbit-1 is down for 10 s"
    assert [getattr(record, "alert", None) for record in caplog.records] == told


# What is refused.


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: any_webhook("CANARY"), "url is '…'; it must be an https:// or http:// address with a host"),
        (lambda: any_webhook("https://user:CANARY@host/"), "without user and password"),
        (lambda: any_webhook("https://host:99999/CANARY"), "url is '…'"),
        (lambda: any_webhook("https://host/CANARY x"), "url is '…'"),
        (lambda: any_webhook("ftp://host/CANARY"), "url is '…'"),
        (lambda: any_webhook(""), "url is ''; it must be a text that is not empty"),
        (lambda: any_webhook(7), "url is 'int'; it must be a text that is not empty"),
        (lambda: any_webhook("https://h/", [CANARY]), "headers is 'list'; it must be a mapping"),
        (lambda: any_webhook("https://h/", {"A": "CANARY\nx"}), r"headers\['A'\] is '…'; it must be a name of"),
        (lambda: any_webhook("https://h/", {"A:": "CANARY"}), r"headers\['A:'\] is '…'; it must be a name of"),
        (lambda: any_webhook("https://h/", {"A": None}), "headers is 'NoneType'; it must be a text that is not empty"),
        (lambda: any_webhook("https://h/CANARY", timeout=0), "timeout is 0; it must be more than 0"),
        (lambda: any_webhook("https://h/CANARY", at_least="bad"), "at_least is 'bad'; it must be \"info\" or"),
        (
            lambda: any_slack("http://hooks.slack.com/CANARY"),
            "url is '…'; it must be an https:// address: it is a secret",
        ),
        (lambda: any_slack("CANARY"), "url is '…'; it must be an https:// or http:// address"),
        (lambda: any_telegram("CANARY", 1), "token is '…'; it must be a bot's token such as 123456:ABC"),
        (lambda: any_telegram("1:CANARY/x", 1), "token is '…'"),
        (lambda: any_telegram(TOKEN, ""), "chat_id is ''; it must be the number of a chat, or @channel"),
        (lambda: any_telegram(TOKEN, None), "chat_id is None; it must be the number of a chat"),
        (
            lambda: any_telegram(TOKEN, 1, api="http://api.telegram.org"),
            "api is 'http://api.telegram.org'; it must be an https",
        ),
        (lambda: as_channel("slack"), "channel is 'slack'; it must be a function that takes one notice, or a channel"),
    ],
)
def test_a_wrong_channel_is_refused_without_showing_its_secret(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        make()
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in told.stack if "/tapewire/" in frame.filename and "/tests/" not in frame.filename]
    assert frames
    assert CANARY not in f"{caught.value} {vars(caught.value)} {[frame.locals for frame in frames]}"
    assert caught.value.__context__ is None


def test_channels_do_not_show_their_secrets() -> None:
    channels = [
        any_webhook("https://h/CANARY", {"Authorization": "CANARY"}),
        any_slack("https://hooks.slack.com/services/CANARY"),
        any_telegram(TOKEN, 1),
    ]
    assert CANARY not in f"{channels} {channels[0]!s} {msgspec.structs.asdict(channels[1])}"
    for channel in channels:
        with pytest.raises(TypeError):
            msgspec.json.encode(channel)


def test_only_what_is_severe_enough_is_taken() -> None:
    channel = Log(at_least="warning")
    assert [channel.takes(notice(severity=one)) for one in ("info", "warning", "critical")] == [False, True, True]


def test_a_bare_channel_says_what_it_lacks() -> None:
    with pytest.raises(NotImplementedError):
        Channel().open(None)  # type: ignore[arg-type]
