"""What follows from OKX's error codes and notices, and which stream each is about (spec/okx.md A5)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from tapewire.venues.contract import Control, Judgement

#: Codes by what follows from them. Those of section A5; old ones are kept, for servers that still send them.
_CODES: Mapping[Judgement, tuple[str, ...]] = {
    # The key or a part of it is wrong, as every further login with it would be. 60009 says no more than "login failed".
    "fatal": ("60001", "60002", "60003", "60005", "60007", "60009", "60024", "60032", "60021", "60022", "60026"),
    # The login came at the wrong time or was not there: a new line begins with a new one.
    "login": ("60004", "60006", "60011", "60023", "63999"),
    # It passes: too fast, or a fault of the exchange.
    "retry": ("60014", "64007", "50001", "50004", "50011", "50013", "50026"),
    # This argument will never be served here: wrong path, unknown channel or market, fee tier, conflict, bad form.
    "drop": (
        "60008", "60012", "60013", "60018", "60019", "60027", "60028", "60029", "60030", "60033", "60034",
        "60020", "60025", "64000", "64001", "64002", "64003", "64004", "channel-conn-count-error",
    ),
    # The connection will be closed in a minute.
    "move": ("64008",),
    # Nothing follows: we are logged in already; so many connections have this channel.
    "tell": ("60010", "60031", "channel-conn-count"),
}  # fmt: skip
_JUDGEMENTS: Mapping[str, Judgement] = MappingProxyType({
    code: judgement for judgement, codes in _CODES.items() for code in codes
})  # fmt: skip
#: ``Wrong URL or channel:candle1m,instId:BTC-USD-SWAP doesn't exist.``
_NAMED = re.compile(r"channel:(?P<channel>[\w-]+)(?:,\s*(?:instId|instType|instFamily|ccy):(?P<value>[\w.-]+))?")


def judge(control: Control) -> Judgement:
    """What follows. Of an unknown error its request is to blame; from an unknown notice nothing follows."""
    return _JUDGEMENTS.get(control.name, "tell" if control.kind == "notice" else "blame")


def concerns(control: Control, names: Sequence[str]) -> list[str]:
    """Those of ``names`` that an error is about, as far as it says so: by its channel, or by its text."""
    said = control.details if isinstance(control.details, Mapping) else {}
    if "channel" in said:
        return [name for name in names if _fields(name).get("channel") == said["channel"]]
    found = _NAMED.search(control.message)
    if found is None:
        return []
    channel, value = found["channel"], (found["value"] or "").rstrip(".")
    about = [(name, _fields(name)) for name in names]
    return [name for name, fields in about if fields["channel"] == channel and (not value or value in fields.values())]


def _fields(name: str) -> dict[str, str]:
    return msgspec.json.decode(name, type=dict[str, str])
