"""Carries letters to one broker: what waits, what is on its way, what is spilled to disk while the broker is away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tapewire.errors import SinkError
from tapewire.sinks.brokers.letters import Message
from tapewire.sinks.brokers.link import Away, Link, NotLetIn, Refused, Unconfirmed, Verdict
from tapewire.sinks.brokers.losses import PAUSE_MOST, Losses
from tapewire.sinks.brokers.options import BrokerOptions, Figures
from tapewire.sinks.brokers.outbox import Outbox
from tapewire.sinks.brokers.runs import Part, letters_of
from tapewire.sinks.brokers.spool import Spool
from tapewire.sinks.contract import Written

logger = logging.getLogger("tapewire.sinks")

#: Seconds before what was not taken is sent once more.
_PAUSE = 0.1
#: Seconds that the first attempt to connect again may take; when it fails, what waits is put on disk.
_AT_ONCE = 1.0
#: Seconds to let go of a line.
_LET_GO = 0.4


class Courier:
    """The engine of a broker sink; every method is for the one event loop it lives in.

    Args:
        link: the broker's client.
        where: the broker's address for people, without secrets.
        options: see ``BrokerOptions``.
        hear: called with each group of messages that the broker has confirmed.
    """

    def __init__(
        self, link: Link, where: str, options: BrokerOptions, hear: Callable[[Sequence[Message]], None] | None = None
    ) -> None:
        self._link, self._where, self._options, self._hear = link, where, options, hear
        self._groups: int = getattr(link, "groups", 1)
        self._outbox = Outbox(
            batch=options.batch, batch_bytes=options.batch_bytes, window=options.window, in_order=link.in_order,
            groups=self._groups,
        )  # fmt: skip
        folder = None if options.spool is None else Path(options.spool)
        self._spool = None if folder is None else Spool(folder, options.spool_size)
        self._set_aside = None if folder is None else Spool(folder / "refused", options.spool_size)
        self._changed = asyncio.Condition()
        self._news = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._disk = ""  # why nothing can be put there
        self._pausing = 0  # groups whose next attempt has to wait
        self._losses = Losses()
        self.figures = Figures()
        self.targets: Counter[str] = Counter()
        self.sizes: Counter[str] = Counter()

    async def open(self) -> None:
        """Connect for the first time, and take the spool. Raises SinkError."""
        if self._spool is not None:
            self._spool.open()
        try:
            await self._connect(self._options.connect_timeout)
        except (Away, NotLetIn) as error:
            self._let_spool_go()
            raise SinkError(self._where, str(error), "nothing was sent") from None
        self._losses.back(asyncio.get_running_loop().time())
        self._task = asyncio.create_task(self._work(), name="courier")

    async def take(self, parts: Sequence[Part]) -> None:
        """Letters and runs to be sent. Returns when they are in memory or on disk: at once, unless both are full."""
        while self._is_full():
            self._check()
            await self._change()
        if self._spool is not None and not self._spool.empty and await self._spilled(parts):
            return
        self._outbox.put(parts)
        if self._spool is not None and self._outbox.size > self._options.memory and not self._outbox.held:
            await self._spill()
        self._count()
        self._news.set()

    async def settled(self) -> None:
        """Wait until all that was taken is confirmed or on disk (without a spool: until the broker is away)."""
        while self._outbox.letters and not self._is_safe():
            self._check()
            await self._change()
        if self._spool is not None:
            self._spool.sync()

    async def close(self) -> None:
        """Wait a little for confirmations, put the rest on disk, let go of the line. Raises SinkError: some is lost."""
        try:
            if self._task is not None:
                with contextlib.suppress(TimeoutError, SinkError):
                    async with asyncio.timeout(self._options.close_timeout):
                        await self.settled()
        finally:
            await self._end()
        self._keep_the_rest()

    def written(self) -> tuple[Written, ...]:
        """Events and bytes that the broker has, by subject."""
        return tuple(Written(name, self.targets[name], self.sizes[name]) for name in sorted(self.targets.copy()))

    async def _work(self) -> None:
        try:
            await self._deliver()
        finally:
            await self._tell()

    async def _deliver(self) -> None:
        while not self._stop.is_set():
            lost = await self._carry_all()
            if lost:
                await self._mend(lost)

    async def _carry_all(self) -> str:
        """Carry as many groups at once as the link takes, until the line is lost. Returns why; ``""``: we are done."""
        self._pausing = 0
        try:
            async with asyncio.TaskGroup() as carriers:
                for _ in range(self._groups):
                    carriers.create_task(self._carry(), name="carrier")
        except BaseExceptionGroup as several:
            worst = next((one for one in several.exceptions if not isinstance(one, Away)), None)
            if worst is not None:
                raise worst from None
            return str(several.exceptions[0]) or "the line is lost"
        return ""

    async def _carry(self) -> None:
        while not self._stop.is_set():  # a client may swallow that it is cancelled
            group = self._outbox.take()
            if group:
                await self._send(group)
            elif not self._refilled():
                self._news.clear()
                await self._news.wait()

    async def _send(self, group: Sequence[Message]) -> None:
        try:
            async with asyncio.timeout(self._options.confirm_timeout):
                verdicts = await self._link.send(group)
        except TimeoutError:
            raise Away(f"nothing was confirmed within {self._options.confirm_timeout:g} s") from None
        await self._settle(group, verdicts)

    async def _settle(self, group: Sequence[Message], verdicts: Sequence[Verdict]) -> None:
        good: list[Message] = []
        bad: list[tuple[Message, Refused | Unconfirmed]] = []
        for message, verdict in zip(group, verdicts, strict=True):
            if isinstance(verdict, Refused | Unconfirmed):
                bad.append((message, verdict))
                continue
            if verdict is not None:
                self.figures.known += message.count
            good.append(message)
        self._confirm(good)
        if self._losses.mended(asyncio.get_running_loop().time(), self.figures.confirmed):
            logger.warning("%s is mended: it stores again", self._where)
        unsure = ""
        for message, no in reversed(bad):  # what is told last is sent first
            if isinstance(no, Refused):
                self._refuse(message, no.reason)
            else:
                self._outbox.again([message])
                self.figures.again += 1
                unsure = no.reason
        self._news.set()  # there are subjects again of which another group may take some
        if unsure:
            self.figures.away = unsure
            await self._pause()
        elif not self._pausing:
            self.figures.away = ""
        await self._tell()

    async def _pause(self) -> None:
        """Before what was not taken is sent once more."""
        self._pausing += 1
        await self._tell()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PAUSE):
                await self._stop.wait()
        self._pausing -= 1

    def _confirm(self, good: Sequence[Message]) -> None:
        figures = self.figures
        for message in good:
            self._outbox.confirmed(message)
            count, size = message.count, len(message.payload)
            figures.confirmed += count
            figures.size += size
            self.targets[message.subject] += count
            self.sizes[message.subject] += size
        figures.messages += len(good)
        if self._spool is not None and self._spool.reading and not self._outbox.letters:
            self._spool.sent()
        if self._hear is not None and good:
            self._hear(good)

    def _refuse(self, message: Message, reason: str) -> None:
        """A message that the broker will never take costs itself and nothing else."""
        if message.count > 1:
            self._outbox.apart(message)
            return
        self._outbox.confirmed(message)
        self.figures.refused += 1
        kept = ""
        if self._set_aside is not None:
            try:
                self._set_aside.open()
                self._set_aside.put(message.letters)
                kept = f"; set aside in {self._options.spool}/refused"
            except SinkError as error:
                kept = f"; it could not be set aside: {error}"
            finally:
                self._set_aside.close()
        logger.error("%s refuses %s: %s%s", self._where, message.id, reason, kept)

    async def _mend(self, reason: str) -> None:
        """The line is lost: keep what was on its way, and connect until it is back."""
        now, losses, away = asyncio.get_running_loop().time, self._losses, self._outbox.on_the_way
        losses.lost(now(), self.figures.confirmed, idle=not away)
        self.figures.again += away
        self._outbox.recall()
        self.figures.losses += 1
        self.figures.away = reason
        if losses.telling == "each":
            logger.warning("%s is away: %s", self._where, reason)
        elif losses.telling == "last":
            logger.warning("%s is lost again and again: %s; tried every %g s", self._where, reason, PAUSE_MOST)
        if losses.again:
            await self._spill()
        since = now()
        was_away = await self._come_back()
        losses.back(now())
        if was_away or losses.telling == "each":
            logger.warning("%s is back after %.1f s", self._where, now() - since)
        waits = self._outbox.letters or not (self._spool is None or self._spool.empty)
        self.figures.away = reason if waits and losses.telling != "each" else ""

    async def _come_back(self) -> bool:
        """Returns whether an attempt failed first."""
        patience, was_away = min(_AT_ONCE, self._options.connect_timeout), False
        while True:
            await self._tell()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._losses.next_pause()):
                    await self._stop.wait()
            try:
                await self._connect(patience)
            except (Away, NotLetIn) as error:
                self.figures.away = str(error)
                if not was_away and self._losses.telling != "each":
                    logger.warning("%s is away: %s", self._where, error)
                was_away = True
            else:
                return was_away
            await self._spill()
            patience = self._options.connect_timeout

    async def _connect(self, patience: float) -> None:
        await self._let_go()
        try:
            async with asyncio.timeout(patience):
                await self._link.connect()
        except TimeoutError:
            raise Away(f"no connection within {patience:g} s") from None

    async def _let_go(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LET_GO):
                await self._link.close()

    def _refilled(self) -> bool:
        """Take the next block from disk, when memory is empty. Returns whether there was one."""
        if self._spool is None or self._outbox.letters:
            return False
        damages = len(self._spool.damages)
        try:
            self._outbox.put(self._spool.next())
        except SinkError as error:
            self._complain(str(error))
        for damage in self._spool.damages[damages:]:
            logger.error("spool: %s", damage)
        self._count()
        return bool(self._outbox.letters)

    async def _spill(self) -> None:
        """Put what waits in memory on disk, unless that is where it came from."""
        if self._spool is None or self._spool.reading:
            return
        letters = self._outbox.drain()
        if not letters:
            return
        try:
            self._spool.put_first(letters)
            self._spool.sync()
        except SinkError as error:
            self._outbox.put(letters)
            self._complain(str(error))
        else:
            self._disk = ""
        await self._tell()

    async def _spilled(self, parts: Sequence[Part]) -> bool:
        """Whether they are on disk, behind what waits there."""
        assert self._spool is not None  # noqa: S101 - asked by the caller
        letters = letters_of(parts)
        while not self._spool.empty:
            try:
                self._spool.put(letters)
            except SinkError as error:
                self._complain(str(error))
                await self._change(1.0)
            else:
                self._disk = ""
                self._count()
                self._news.set()
                return True
        return False

    def _complain(self, reason: str) -> None:
        if reason != self._disk:
            self._disk = reason
            logger.error("%s; what is published waits in memory", reason)

    def _is_full(self) -> bool:
        if self._spool is not None and not self._spool.empty:
            return self._spool.full
        return self._outbox.size > self._options.memory

    def _is_safe(self) -> bool:
        """What is not confirmed is on disk, or there is no disk and nobody to confirm it."""
        return bool(self.figures.away) if self._spool is None else self._spool.reading

    def _count(self) -> None:
        self.figures.waiting = self._outbox.letters
        self.figures.spooled = 0 if self._spool is None else self._spool.size

    async def _tell(self) -> None:
        self._count()
        async with self._changed:
            self._changed.notify_all()

    async def _change(self, seconds: float | None = None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait()

    def _check(self) -> None:
        """Raises SinkError: nothing will ever be sent any more."""
        if self._stop.is_set():
            raise SinkError(self._where, "the sink is closed", self._safe())
        if self._task is not None and self._task.done():
            self._task.result()

    async def _end(self) -> None:
        self._stop.set()
        await self._tell()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._let_go()

    def _keep_the_rest(self) -> None:
        """What is not confirmed stays on disk. Raises SinkError: it cannot."""
        self._outbox.recall()
        left = 0 if self._spool is not None and self._spool.reading else self._outbox.letters
        try:
            if left and self._spool is not None:
                self._spool.put_first(self._outbox.drain())
                left = 0
        finally:
            self._let_spool_go()
        if left:
            raise SinkError(self._where, f"{left:,} events were not confirmed", self._safe())
        if self._task is not None and not self._task.cancelled():
            self._task.result()

    def _let_spool_go(self) -> None:
        if self._spool is not None:
            self._spool.close()

    def _safe(self) -> str:
        return f"safe there: {self.figures.confirmed:,} events"
