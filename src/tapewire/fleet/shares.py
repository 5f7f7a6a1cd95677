"""Who carries what: each symbol by the members that rendezvous hashing names for it (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from hashlib import blake2b
from heapq import nlargest
from typing import NamedTuple

from msgspec import Struct


class Member(Struct, frozen=True):
    """One collector as the others know it.

    Attributes:
        name: unique in the fleet.
        carries: symbols of which every stream is live there.
        leaving: it will end, and is given nothing any more.
    """

    name: str
    carries: frozenset[str] = frozenset()
    leaving: bool = False


class Steps(NamedTuple):
    """What one member does next.

    Attributes:
        take: symbols to be carried from now on. orphans: those of them that nobody else carries now.
        release: symbols to be given up: all who are to carry them do so.
    """

    take: tuple[str, ...] = ()
    orphans: frozenset[str] = frozenset()
    release: tuple[str, ...] = ()


def carriers(symbol: str, names: Iterable[str], copies: int) -> tuple[str, ...]:
    """The members that are to carry a symbol, ``copies`` of them (or all, if there are fewer), first choice first.

    Whoever comes or goes moves only the symbols that are his: everybody ranks the same names alike (highest random
    weight, Thaler and Ravishankar 1998).
    """
    return tuple(nlargest(copies, names, key=lambda name: (_weight(symbol, name), name)))


def steps(me: str, held: Collection[str], members: Sequence[Member], symbols: Sequence[str], copies: int) -> Steps:
    """What ``me`` does next. Nothing is given up before all who are to carry it do; what is nobody's task ends.

    Args:
        me: a name; it is among the members.
        held: symbols that it has asked for, live or not.
        members: all that live.
        symbols: all that the fleet carries.
        copies: members that carry each.
    """
    staying = [member.name for member in members if not member.leaving]
    carried = {member.name: member.carries for member in members}
    take: list[str] = []
    release = [symbol for symbol in held if symbol not in set(symbols)]
    for symbol in symbols:
        targets = carriers(symbol, staying, copies)
        if me in targets:
            if symbol not in held:
                take.append(symbol)
        elif symbol in held and all(symbol in carried[name] for name in targets):
            release.append(symbol)
    elsewhere = frozenset[str]().union(*(member.carries for member in members if member.name != me))
    return Steps(tuple(take), frozenset(take) - elsewhere, tuple(release))


def _weight(symbol: str, name: str) -> bytes:
    return blake2b(f"{symbol}\0{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
