"""Signs for one key with the exchange's own time, which is asked by REST: a wrong clock here spoils no signature."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from tapewire.config import Credentials, HiddenText
from tapewire.errors import DecodeError, HttpFailed
from tapewire.runtime.clock import Clock
from tapewire.runtime.observe import log_fields, logger
from tapewire.runtime.rest import Rest, Sign
from tapewire.venues.contract import Account, Call, Stamp, Venue

#: Seconds that a reading is good for: clocks drift by less than a second in it.
GOOD_FOR = 3600.0
#: Seconds to wait for the exchange's time; without it this computer's own is used.
TIMEOUT = 3.0


class ServerClock:
    """The exchange's wall clock, as this computer's own and the difference that REST told; one for each pool."""

    def __init__(self, venue: Venue, rest: Rest, clock: Clock) -> None:
        self._venue, self._rest, self._clock = venue, rest, clock
        self._offset = 0
        self._asked_at: float | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def ms(self) -> int:
        """Unix ms (UTC)."""
        return self._clock.wall_ns() // 1_000_000 + self._offset

    async def ready(self) -> None:
        """Ask for the difference, if the venue tells its time and what is known of it is old."""
        async with self._one_at_a_time:
            known = self._asked_at is not None and self._clock.now().t - self._asked_at < GOOD_FOR
            if self._venue.time_request is not None and self._venue.read_time is not None and not known:
                await self._ask(self._venue.time_request, self._venue.read_time)

    def doubt(self) -> None:
        """A signature was refused for its time: ask anew before the next."""
        self._asked_at = None

    async def _ask(self, path: str, read: Callable[[bytes], int]) -> None:
        before = self._clock.wall_ns()
        try:
            told = read(await self._rest.get(path, timeout=TIMEOUT))
        except (HttpFailed, DecodeError) as failure:
            fields = log_fields("server_time_failed", self._venue.name)
            logger.warning("%s: its time is not known: %s", self._venue.name, failure, extra=fields)
            return
        self._offset = told - (before + self._clock.wall_ns()) // 2_000_000
        self._asked_at = self._clock.now().t


class Signer:
    """Makes what shows a key, each time anew; nothing of it is kept.

    Args:
        venue: says how.
        credentials: the key.
        clock: the exchange's.
        nonce: gives a text that was never used at each call.
    """

    def __init__(self, venue: Venue, credentials: Credentials, clock: ServerClock, nonce: Callable[[], str]) -> None:
        self.credentials = credentials
        self._venue, self._clock, self._nonce = venue, clock, nonce

    @property
    def account(self) -> Account | None:
        """What the venue's REST knows of an account."""
        return self._venue.account

    @property
    def server_ms(self) -> int:
        """The exchange's clock (Unix ms, UTC), as far as it is known."""
        return self._clock.ms

    async def ready(self) -> None:
        """To be awaited before a dial."""
        await self._clock.ready()

    def doubt(self) -> None:
        """See ``ServerClock.doubt``."""
        self._clock.doubt()

    def headers(self) -> dict[str, str]:
        """Those of a handshake. Raises CredentialsError for a key that cannot be one."""
        authorize = self._venue.authorize
        return {} if authorize is None else _hidden(authorize(self.credentials, self._stamp()))

    def login(self) -> bytes:
        """The message that shows the key on an open line. Raises CredentialsError likewise."""
        assert self._venue.login is not None  # noqa: S101 - the machine asked
        return self._venue.login(self.credentials, self._stamp())

    def call(self, account: Account, call: Call) -> Sign:
        """Makes the headers of a REST call when its turn has come."""
        return partial(self._sign, account, call)

    def _sign(self, account: Account, call: Call) -> dict[str, str]:
        return _hidden(account.sign(self.credentials, self._stamp(), call))

    def _stamp(self) -> Stamp:
        return Stamp(self._nonce(), self._clock.ms)


def _hidden(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {name: HiddenText(value) for name, value in headers}
