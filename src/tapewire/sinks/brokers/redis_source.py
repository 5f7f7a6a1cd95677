"""Redis Streams in the exchange's place: the newest of each subject, history, and what comes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from os import getpid
from socket import gethostname
from typing import Any

from tapewire.sinks.brokers.address import Address, without_options
from tapewire.sinks.brokers.link import Away, NotLetIn
from tapewire.sinks.brokers.redis_holes import NOTHING, START, Hole, Id, Ledger, Stock
from tapewire.sinks.brokers.redis_line import SCHEMES, Command, RedisLine, words_of
from tapewire.sinks.brokers.redis_share import ALIVE, Share
from tapewire.sinks.brokers.source import Begin, Missed, Received

#: Milliseconds that one question waits for something new: so late may a new subject be heard.
_BLOCK = 200
#: Messages of one answer.
_AT_ONCE = 1_000
#: Messages of one stream that a member of a group is given at once.
_SHARED_AT_ONCE = 100
_ANSWER_WITHIN = 10.0
#: Seconds between two questions whether something was thrown away.
_CHECK = 1.0


class RedisSource:
    """One connection that asks for what is new in all streams at once, and once a second what was thrown away."""

    keeps_history = True

    def __init__(self, address: str, _stream: str) -> None:
        bare, trust = without_options(address, ("ca",))
        self._address = Address(bare, SCHEMES)
        self.shown = self._address.shown
        self._line = RedisLine(self._address, trust.get("ca"), _ANSWER_WITHIN)
        self._run = ""
        self._checked = 0.0
        self._followed: dict[str, Ledger] = {}
        self._before: dict[str, Ledger] = {}  # of the line that was lost
        self._newest: dict[str, Ledger] = {}
        self._reading: asyncio.Task[list[Received | Missed]] | None = None
        self._left: set[str] = set()
        self._share: Share | None = None
        self._member = ""
        self._alive = 0.0

    async def connect(self) -> None:
        """Connect, and see that we are let in."""
        self._before |= self._followed
        self._followed, self._newest, self._share = {}, {}, None
        await self._line.connect()
        run = await self._run_of_server()
        if not run or run != self._run:
            for ledger in self._before.values():
                ledger.doubt()
        self._run = run

    async def latest(self, subjects: Sequence[str]) -> Sequence[Received]:
        """The newest of each."""
        found = []
        for subject, answer in zip(subjects, await self._stocks(subjects), strict=True):
            entry = None if answer is None else _words(answer).get(b"last-entry")
            if answer is not None and entry:
                found.append(_received(subject, entry))
                self._newest[subject] = Ledger(_id(entry[0]), _stock(answer).added)
        return found

    async def subjects(self, prefix: str) -> Sequence[str]:
        """Streams of that name."""
        names, cursor = list[str](), b"0"
        while True:
            command = ("SCAN", cursor, "MATCH", f"{prefix}.*", "COUNT", _AT_ONCE, "TYPE", "stream")
            [(cursor, page)] = await self._line.ask([command])
            names += [name.decode() for name in page]
            if int(cursor) == 0:
                return list(dict.fromkeys(names))

    async def follow(self, begins: Mapping[str, Begin]) -> frozenset[str]:
        """Ask for these, too."""
        missing = set()
        for (subject, begin), answer in zip(begins.items(), await self._stocks(list(begins)), strict=True):
            stock = NOTHING if answer is None else _stock(answer)
            ledger = self._ledger(subject, begin, stock)
            if ledger.check(stock) is not None:
                missing.add(subject)
            self._followed[subject] = ledger
        return frozenset(missing)

    async def share(self, begins: Mapping[str, Begin], group: str) -> frozenset[str]:
        """Take part in what the streams' groups of this name are given."""
        if not self._member:
            [number] = await self._questions([("CLIENT", "ID")])
            self._member = f"{gethostname()}-{getpid()}-{_whole(number)}"
        share = self._share = self._share or Share(group, self._member)
        commands = [share.join(subject, _start(begin)) for subject, begin in begins.items()]
        for answer in await self._questions(commands):
            if isinstance(answer, Exception) and "BUSYGROUP" not in str(answer):
                raise NotLetIn(words_of(answer))
        return frozenset([missed.subject for missed in await self._cut_off(share, list(begins))])

    async def done(self, messages: Sequence[Received]) -> None:
        """Confirm them."""
        share, places = self._share, _by_subject(messages)
        if share is not None:
            for answer in await self._questions([share.done(name, positions) for name, positions in places.items()]):
                _whole(answer)

    def release(self, messages: Sequence[Received]) -> None:
        """Confirm them never."""
        if self._share is not None:
            for name, positions in _by_subject(messages).items():
                self._share.release(name, positions)

    async def leave(self, subjects: Iterable[str]) -> None:
        """Ask for these no more."""
        for subject in subjects:
            if self._share is not None:
                self._share.leave(subject)
            self._followed.pop(subject, None)
            self._before.pop(subject, None)
            self._left.add(subject)

    async def receive(self) -> Sequence[Received | Missed]:
        """What is new; nothing when a while brought nothing."""
        if self._reading is None:
            self._left.clear()
            self._reading = asyncio.create_task(self._read(), name=f"{self.shown} read")
        await asyncio.wait({self._reading})  # whoever waits may be cancelled: the answer is kept for the next
        reading, self._reading = self._reading, None
        return [one for one in reading.result() if one.subject not in self._left]

    async def close(self) -> None:
        """Cut the line."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait({reading})
            with contextlib.suppress(Away, asyncio.CancelledError):  # the line is lost: that is why it is closed
                reading.result()
        await self._line.close()

    async def _read(self) -> list[Received | Missed]:
        names, now = list(self._followed), asyncio.get_running_loop().time()
        asked = names if now - self._checked >= _CHECK else []
        shared = None if self._share is None else self._share.read(_SHARED_AT_ONCE, _BLOCK)
        answers = await self._line.ask(
            [*(_info(name) for name in asked), self._reading_of(names, waits=shared is None)]
        )
        found: list[Received | Missed] = [*self._holes(asked, answers)]
        answer = _streams(answers[-1])
        for name in names:
            found += self._heard(name, answer.get(name.encode(), ()))
        if self._share is not None:
            found += await self._look_after(self._share, now, checks=bool(asked))
        if self._share is not None and shared is not None:
            found += await self._given(self._share, shared)
        if asked:
            self._checked = now
        return found

    def _reading_of(self, names: Sequence[str], *, waits: bool) -> Command:
        positions = [_text(self._followed[name].position) for name in names]
        return ("XREAD", "COUNT", _AT_ONCE, *(("BLOCK", _BLOCK) if waits else ()), "STREAMS", *names, *positions)

    async def _given(self, share: Share, command: Command) -> list[Received | Missed]:
        found: list[Received | Missed] = []
        [answer] = await self._line.ask([command])
        for name, entries in _streams(answer).items():
            received = [_received(name.decode(), entry) for entry in entries]
            share.take(name.decode(), [one.position for one in received])
            found += received
        return found

    async def _look_after(self, share: Share, now: float, *, checks: bool) -> list[Received | Missed]:
        """What was thrown away; and from time to time what members left that are gone."""
        found: list[Received | Missed] = [*(await self._cut_off(share, share.subjects) if checks else ())]
        if now - self._alive < ALIVE:
            return found
        self._alive, names = now, share.subjects
        claimed = [*share.alive()]
        answers = await self._line.ask([*claimed, *(share.inherit(name, _SHARED_AT_ONCE) for name in names)])
        for name, answer in zip(names, answers[len(claimed) :], strict=True):
            _, entries, *gone = _whole(answer)
            received = [_received(name, entry) for entry in entries if entry is not None and entry[1] is not None]
            share.take(name, [one.position for one in received])
            found += [*received, *([Missed(name)] if gone and gone[0] else [])]
        return found

    async def _cut_off(self, share: Share, names: Sequence[str]) -> list[Missed]:
        """Of which streams something was thrown away that nobody had been given."""
        questions = [part for name in names for part in (_info(name), ("XINFO", "GROUPS", name))]
        answers, found = [_whole(one) for one in await self._line.ask(questions)], []
        for name, stream, groups in zip(names, answers[::2], answers[1::2], strict=True):
            words = next(one for one in map(_words, groups) if one[b"name"].decode() == share.group)
            last, stock = _id(words[b"last-delivered-id"]), _stock(stream)
            if share.misses(name, stock, last, words.get(b"entries-read")):
                found.append(_missed(name, Hole(last, stock.first or stock.last)))
        return found

    def _holes(self, asked: Sequence[str], answers: Sequence[Any]) -> Iterable[Missed]:
        for name, answer in zip(asked, answers, strict=False):
            ledger = self._followed.get(name)
            stock = _known(answer)
            hole = None if ledger is None else ledger.check(NOTHING if stock is None else _stock(stock))
            if hole is not None:
                yield _missed(name, hole)

    def _heard(self, name: str, entries: Sequence[Any]) -> Iterable[Received | Missed]:
        ledger = self._followed.get(name)
        if ledger is None:  # left while it was asked for
            return
        hole = ledger.hear([_id(entry[0]) for entry in entries], whole=len(entries) < _AT_ONCE)
        if hole is not None:
            yield _missed(name, hole)
        for entry in entries:
            yield _received(name, entry)

    def _ledger(self, subject: str, begin: Begin, stock: Stock) -> Ledger:
        """What is known of a stream from before, or begins now."""
        if begin.after is not None:
            position = _id(begin.after.encode())
            known = (self._before.pop(subject, None), self._newest.pop(subject, None))
            return next((one for one in known if one is not None and one.position == position), Ledger(position, None))
        start = START if begin.since_ns is None else (begin.since_ns // 1_000_000 - 1, 2**64 - 1)
        before = self._before.pop(subject, None)
        if before is not None and before.position == start:  # followed before, and nothing came
            return before
        whole = stock.added is not None and (stock.first is None or stock.first > start)
        return Ledger(start, stock.added - stock.length if whole and stock.added is not None else None)

    async def _stocks(self, subjects: Sequence[str]) -> list[Any]:
        """What the server says of each stream; None: there is none."""
        return [_known(answer) for answer in await self._questions([_info(subject) for subject in subjects])]

    async def _questions(self, commands: Sequence[Command]) -> list[Any]:
        """Answers of the line, when what is asked already has been answered."""
        if self._reading is not None:
            await asyncio.wait({self._reading})
        return await self._line.ask(commands)

    async def _run_of_server(self) -> str:
        """What a server is called from its start to its end; nothing where we may not know it."""
        [answer] = await self._line.ask([("INFO", "server")])
        lines = (answer.decode() if isinstance(answer, bytes) else "").splitlines()
        return next((line.partition(":")[2] for line in lines if line.startswith("run_id:")), "")


def _start(begin: Begin) -> str:
    """Where a group begins that is not there yet."""
    return "$" if begin.since_ns is None else f"{max(0, begin.since_ns // 1_000_000 - 1)}-{2**64 - 1}"


def _by_subject(messages: Iterable[Received]) -> dict[str, list[str]]:
    places: dict[str, list[str]] = {}
    for one in messages:
        places.setdefault(one.subject, []).append(one.position)
    return places


def _streams(answer: Any) -> dict[bytes, Any]:
    """Entries by stream: what ``XREAD`` and ``XREADGROUP`` answer."""
    found = _whole(answer)
    return dict(found.items() if isinstance(found, dict) else found or ())


def _info(subject: str) -> Command:
    return ("XINFO", "STREAM", subject)


def _known(answer: Any) -> Any:
    """An answer to ``XINFO STREAM``; None: there is no such stream. Raises Away: we may not know."""
    if isinstance(answer, Exception) and "no such key" in str(answer):
        return None
    return _whole(answer)


def _whole(answer: Any) -> Any:
    if isinstance(answer, Exception):
        raise Away(words_of(answer))
    return answer


def _words(answer: Any) -> dict[bytes, Any]:
    return dict(_pairs(answer))


def _stock(answer: Any) -> Stock:
    words = _words(answer)
    first = words.get(b"first-entry")
    return Stock(
        words.get(b"entries-added"), _id(words[b"last-generated-id"]), _id(first[0]) if first else None,
        words[b"length"],
    )  # fmt: skip


def _missed(subject: str, hole: Hole) -> Missed:
    after, until = hole.after[0] * 1_000_000, hole.until[0] * 1_000_000
    return Missed(subject, after or None, until or None)


def _received(subject: str, entry: tuple[bytes, Any]) -> Received:
    position, fields = entry
    words = dict(_pairs(fields))
    payload = words.pop(b"payload", b"")
    return Received(
        subject, {name.decode(): value.decode() for name, value in words.items()}, payload, position.decode()
    )  # fmt: skip


def _pairs(fields: Any) -> list[tuple[bytes, Any]]:
    return list(fields.items()) if isinstance(fields, dict) else list(zip(fields[::2], fields[1::2], strict=True))


def _id(position: bytes) -> Id:
    milliseconds, _, number = position.partition(b"-")
    return int(milliseconds), int(number or 0)


def _text(position: Id) -> str:
    return f"{position[0]}-{position[1]}"
