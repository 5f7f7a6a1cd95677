"""Every name of an error that the exchange is known to give (spec/upbit.md section 5), and what the user sees of it."""

from __future__ import annotations

import logging

import msgspec
import pytest

from tapewire import AuthenticationFailed, FeedError, WebSocketClient
from tapewire.errors import ConnectFailed
from tapewire.errors import Rejected as RejectedError
from tapewire.model.events import Event
from tapewire.model.status import Connected, Connecting, Disconnected, Rejected, Stopped
from tests.client.stage import Stage, play

KEY = {"access_key": "sim-access-key", "secret_key": "sim-secret-key-0123456789-0123456789-01"}


def body(name: str | int, message: str = "in their words") -> bytes:
    return msgspec.json.encode({"error": {"name": name, "message": message}})


@pytest.mark.parametrize(
    "name", ["WRONG_FORMAT", "NO_TICKET", "NO_TYPE", "NO_CODES", "INVALID_PARAM", "SOMETHING_NEW", "한글"]
)
def test_a_refused_request_ends_the_one_stream_it_was_about(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Seen: the error of the handle, a ``Rejected`` event, a line of the log; the streams that were fine go on."""

    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(validate=False) as client:
            good = await client.subscribe_ticker("KRW-BTC", heard.append)
            await good.live()
            bad = await client.subscribe_trade("KRW-NEW", heard.append)
            await stage.after(0.2)
            stage.simulator.inject(body(name))
            with pytest.raises(RejectedError) as refused:
                await bad.live()
            assert (refused.value.name, refused.value.message) == (name, "in their words")
            assert str(refused.value) == f"upbit refused: {name}: in their words"
            before = len(heard)
            await stage.after(60)
            assert len(heard) > before
            assert good.error is None
        told = [event for event in stage.told(Rejected) if event.final]
        assert [(event.name, [one.symbol for one in event.subscriptions]) for event in told] == [(name, ["KRW-NEW"])]

    with caplog.at_level(logging.WARNING, "tapewire"):
        play(story)
    assert [record.levelname for record in caplog.records if name in record.getMessage()] == ["ERROR"]


@pytest.mark.parametrize("name", ["TOO_MANY_REQUEST", "Too Many Requests", "I'm a teapot"])
def test_too_many_requests_pass_by_themselves(name: str) -> None:
    """Seen: a ``Rejected`` event that is not final; what was asked is asked again when every window is empty."""

    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client(validate=False) as client:
            handle = await client.subscribe_ticker("KRW-BTC", heard.append)
            await handle.live()
            more = await client.subscribe_trade("KRW-ETH", heard.append)
            await stage.after(0.11)
            stage.simulator.inject(body(name))
            await stage.after(70)
            assert (handle.error, more.error, more.rejected) == (None, None, {})
            assert {event.symbol for event in heard} == {"KRW-BTC", "KRW-ETH"}
        assert [(event.name, event.final) for event in stage.told(Rejected)] == [(name, False)]

    play(story)


def test_an_auth_error_on_a_public_line_is_told_and_ends_nothing() -> None:
    async def story(stage: Stage) -> None:
        heard: list[Event] = []
        async with stage.client() as client:
            handle = await client.subscribe_ticker("KRW-BTC", heard.append)
            await handle.live()
            stage.simulator.inject(body("INVALID_AUTH"))
            before = len(heard)
            await stage.after(60)
            assert len(heard) > before
            assert handle.error is None
        assert [(event.name, event.final) for event in stage.told(Rejected)] == [("INVALID_AUTH", False)]

    play(story)


@pytest.mark.parametrize(
    "name",
    [
        "invalid_query_payload", "jwt_verification", "expired_access_key", "nonce_used", "no_authorization_ip",
        "no_authorization_i_p", "no_authorization_token", "invalid_access_key", "out_of_scope", "a_new_name",
    ],
)  # fmt: skip
def test_a_key_that_is_refused_with_401_gets_one_more_token_and_then_the_user_the_name(name: str) -> None:
    async def story(stage: Stage) -> None:
        stage.simulator.refuse(401, body=body(name), times=10)
        async with stage.client(validate=False, **KEY) as client:
            handle = await client.subscribe_my_asset(lambda _event: None)
            with pytest.raises(AuthenticationFailed) as refused:
                await handle.live()
            assert str(refused.value) == f"upbit refused the key: 401 Unauthorized: {name}: in their words"
            await stage.after(300)
        assert [event.attempt for event in stage.told(Connecting)] == [1, 2]
        assert [event.final for event in stage.told(Disconnected)] == [False, True]
        assert [event.error for event in stage.told(Stopped)] == [True]

    play(story)


@pytest.mark.parametrize("name", ["out_of_scope", "open_api_withdraw_locked"])
def test_a_key_that_is_refused_with_403_is_not_tried_again(name: str) -> None:
    async def story(stage: Stage) -> None:
        stage.simulator.refuse(403, body=body(name), times=10)
        async with stage.client(validate=False, **KEY) as client:
            handle = await client.subscribe_my_order(lambda _event: None)
            with pytest.raises(AuthenticationFailed, match=f"403 Forbidden: {name}: in their words"):
                await handle.live()
            await stage.after(300)
        assert len(stage.told(Connecting)) == 1

    play(story)


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (400, body(400, "Invalid parameter. Check the given value!"), "400 Bad Request: 400: Invalid parameter"),
        (404, body(404, "Code not found"), "404 Not Found: 404: Code not found"),
        (403, b"plain text", "403 Forbidden"),
    ],
)
def test_a_public_handshake_that_trying_again_cannot_mend_is_final(status: int, text: bytes, words: str) -> None:
    async def story(stage: Stage) -> None:
        stage.simulator.refuse(status, body=text, times=10)
        async with stage.client(validate=False) as client:
            handle = await client.subscribe_ticker("KRW-BTC", lambda _event: None)
            with pytest.raises(ConnectFailed, match=words) as refused:
                await handle.live()
            assert not isinstance(refused.value, AuthenticationFailed)
        assert len(stage.told(Connecting)) == 1

    play(story)


@pytest.mark.parametrize(
    ("status", "headers", "text", "at_least"),
    [
        (429, (), b"Too many API requests.", 1.0),
        (429, (("Retry-After", "7"),), b"", 7.0),
        (418, (), body("I'm a teapot"), 30.0),
        (418, (("Retry-After", "40"),), b"", 40.0),
    ],
)
def test_who_is_told_to_wait_waits(
    status: int, headers: tuple[tuple[str, str], ...], text: bytes, at_least: float
) -> None:
    async def story(stage: Stage) -> None:
        stage.simulator.refuse(status, headers, text)
        async with stage.client(validate=False, **KEY) as client:
            heard: list[Event] = []
            handle = await client.subscribe_ticker("KRW-BTC", heard.append)
            await handle.live(timeout=100)
        lost, back = stage.told(Disconnected)[0], stage.told(Connected)[0]
        assert lost.retry_in is not None
        assert lost.retry_in >= at_least
        assert (back.at_ns - lost.at_ns) / 1e9 >= at_least
        assert lost.loss.status == status

    play(story)


@pytest.mark.parametrize("subscribe", ["my_order", "my_asset", "announcement"])
def test_without_a_key_nothing_is_connected(subscribe: str) -> None:
    async def story(stage: Stage) -> None:
        async with stage.client() as client:
            with pytest.raises(FeedError, match="both are needed"):
                await getattr(client, f"subscribe_{subscribe}")(lambda _event: None)
            await stage.after(5)
        assert stage.simulator.connects == []

    play(story)


@pytest.mark.parametrize(("given", "missing"), [("access_key", "secret_key"), ("secret_key", "access_key")])
def test_half_a_key_is_refused_when_the_client_is_made(given: str, missing: str) -> None:
    with pytest.raises(FeedError, match=f"{missing}: is missing"):
        WebSocketClient(**{given: "x"})  # type: ignore[arg-type]
