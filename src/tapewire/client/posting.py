"""Posts notices to one web service: a try, a wait, a try again; what its errors say holds nothing secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from urllib.parse import urlsplit

from msgspec import Struct

from tapewire.client.outbox import Outbox
from tapewire.config import Secret
from tapewire.errors import HttpFailed
from tapewire.hub.notice_forms import Form, wait_before_next
from tapewire.hub.notices import Notice
from tapewire.runtime.clock import Clock
from tapewire.transport.contract import HttpPost

#: Characters of an answer's body that an error repeats.
_SAID = 200


class Tools(Struct, frozen=True):
    """What channels need from outside: the client's name, the clock, and what makes an HTTP client for each."""

    source: str
    clock: Clock
    make_http: Callable[[], HttpPost]


class Posting:
    """One web service.

    Args:
        tools: see ``Tools``.
        url: where to.
        form: what its body looks like.
        seconds: time limit of one try.
        headers: additional request headers.
        hidden: a part of the address that is a secret by itself (a token).
    """

    def __init__(
        self,
        tools: Tools,
        url: Secret,
        form: Form,
        seconds: float,
        *,
        headers: Mapping[str, Secret] | None = None,
        hidden: Secret | None = None,
    ) -> None:
        self._tools, self._url, self._form, self._seconds = tools, url, form, seconds
        self._headers = {"Content-Type": Secret("application/json"), **(headers or {})}
        self._secrets = [secret for secret in (hidden, url, *(headers or {}).values()) if secret is not None]
        self._http = tools.make_http()

    def outbox(self) -> Outbox:
        """The queue before it; its connections are given back whenever nothing waits."""
        return Outbox(urlsplit(self._url.reveal()).hostname or "webhook", self.send, self._http.close)

    async def send(self, notice: Notice) -> None:
        """Post a notice, again where that can help (``wait_before_next``).

        Raises:
            HttpFailed: it was given up; shows no secret.
        """
        body, clock = self._form(notice, self._tools.source), self._tools.clock
        for attempt in count(1):
            try:
                await self._http.post(self._url, body, self._headers, timeout=self._seconds)
            except HttpFailed as failed:
                wait = wait_before_next(attempt, failed)
                if wait is None:
                    raise HttpFailed(failed.url, failed.status, self._reason(failed)) from None
            else:
                return
            await clock.until(clock.now().t + wait)

    def _reason(self, failed: HttpFailed) -> str:
        said = failed.body.decode("utf-8", "replace")
        for secret in self._secrets:
            said = said.replace(secret.reveal(), "***")
        printable = "".join(letter if letter.isprintable() else " " for letter in said[:_SAID]).strip()
        return f"{failed.reason}: {printable}" if printable else failed.reason
