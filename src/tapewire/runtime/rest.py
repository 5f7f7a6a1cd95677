"""REST of one venue at one address: each call within the exchange's limits, whoever makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tapewire.config import FeedOptions
from tapewire.errors import HttpFailed
from tapewire.model.status import FeedEvent, Limited
from tapewire.runtime.clock import Clock
from tapewire.runtime.turns import Rank, Turns
from tapewire.session.blocks import BLOCKED, LIMITED, Blocks
from tapewire.session.gate import Gate
from tapewire.session.limits import Limits
from tapewire.transport.contract import Answered, Http, HttpFetch
from tapewire.venues.contract import Venue

#: Makes the headers of one call when its turn has come: a signature lives for moments.
Sign = Callable[[], Mapping[str, str]]


class Rest:
    """Calls wait for their turn in the group that the exchange counts them in.

    What each answer says is left slows the calls that follow; 429 and 418 hold them back, told as ``Limited``.

    Args:
        limits: of this address; shared with all that call it.
        publish: where ``Limited`` goes.
    """

    def __init__(  # noqa: PLR0917 - each handed in once, by the pool
        self,
        venue: Venue,
        options: FeedOptions,
        http: Http,
        clock: Clock,
        limits: Limits,
        publish: Callable[[FeedEvent], None],
    ) -> None:
        self._venue, self._options, self._http, self._clock = venue, options, http, clock
        self._limits, self._publish = limits, publish
        self._turns: dict[tuple[str, str], Turns] = {}
        #: Group by its path → as the exchange calls it.
        self._names: dict[str, str] = {}
        self._blocks: dict[str, Blocks] = {}

    @property
    def url(self) -> str:
        """The REST address: as set, or beside the WebSocket address that was set, or the venue's own."""
        if self._options.rest_url is not None:
            return self._options.rest_url.rstrip("/")
        if self._options.url is None:
            return self._venue.facts.rest_url
        scheme, rest = self._options.url.split("://", 1)
        return f"{'https' if scheme == 'wss' else 'http'}://{rest.split('/', 1)[0]}"

    async def get(
        self,
        path: str,
        *,
        timeout: float,  # noqa: ASYNC109 - the limit of one call
        rank: Rank = Rank.ASKED,
        sign: Sign | None = None,
        account: str = "",
    ) -> bytes:
        """Body of a 200 answer.

        Args:
            path: with its query.
            timeout: seconds of the call, from its turn on.
            rank: which calls it lets go first.
            sign: makes the headers that show the key.
            account: whose key (``runtime.limits.account_of``), for groups that are counted by account.

        Raises:
            HttpFailed: another status, no answer, or the time limit.
        """
        guessed = self.group(path)
        turns = self._turns_of(self._names.get(guessed, guessed), account)
        sent = await turns.take(rank)
        headers: Mapping[str, str] = {}
        try:
            answered = await self._ask(self.url + path, timeout, sign)
            headers = answered.headers
        except HttpFailed as error:
            headers = error.headers
            if error.status in LIMITED:
                self._refused(turns, self._names.get(guessed, guessed), account, error)
            raise
        finally:
            self._hear(guessed, account, turns, sent, headers)
        return answered.body

    def group(self, path: str) -> str:
        """The group of calls that this path counts against."""
        return self._venue.rest_group(path) if self._venue.rest_group is not None else ""

    def gate(self, group: str, account: str = "") -> Gate:
        """What a group's limit allows."""
        return self._turns_of(self._names.get(group, group), account).gate

    async def close(self) -> None:
        """Give the connections back; the next call opens them anew."""
        await self._http.close()

    async def _ask(self, url: str, timeout: float, sign: Sign | None) -> Answered:  # noqa: ASYNC109
        headers = None if sign is None else sign()
        if isinstance(self._http, HttpFetch):
            answered = await self._http.fetch(url, timeout=timeout, headers=headers)
        else:
            answered = Answered(await self._http.get(url, timeout=timeout, headers=headers), {})
        read = self._venue.read_trouble
        trouble = None if read is None else read(answered.body)
        if trouble is not None:
            raise HttpFailed(url, trouble.status, trouble.reason, body=answered.body, headers=answered.headers)
        return answered

    def _turns_of(self, group: str, account: str) -> Turns:
        whose = account if group in self._venue.facts.signed_groups else ""
        if (group, whose) not in self._turns:
            self._turns[group, whose] = Turns(self._limits.rest(group, whose), self._clock)
        return self._turns[group, whose]

    def _hear(self, guessed: str, account: str, turns: Turns, sent: float, headers: Mapping[str, str]) -> None:
        t, read = self._clock.now().t, self._venue.read_remaining
        remaining = None if read is None else read(headers)
        if remaining is not None:
            self._names[guessed] = remaining.group
            gate = self._turns_of(remaining.group, account).gate
            gate.told(sent, t, remaining.left, remaining.seconds)
        turns.gate.arrived(sent, t)

    def _refused(self, turns: Turns, group: str, account: str, error: HttpFailed) -> None:
        t, status, stated = self._clock.now().t, error.status or 0, error.retry_after
        if stated is None and status == BLOCKED and self._venue.read_block is not None:
            stated = self._venue.read_block(error.body)
        seconds = self._blocks.setdefault(account, Blocks()).wait(t, status, stated, turns.gate.longest)
        if status == BLOCKED:
            self._limits.block_rest(t + seconds, account)
        else:
            turns.gate.close(t + seconds)
        self._publish(
            Limited(
                venue=self._venue.name,
                connection="",
                at_ns=self._clock.wall_ns(),
                group=group,
                status=status,
                seconds=seconds,
            )
        )
