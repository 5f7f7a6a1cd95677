"""One REST call that somebody waits for, with or without the key that signs it."""

from __future__ import annotations

from collections import defaultdict
from urllib.parse import parse_qsl

from tapewire.errors import UsageError
from tapewire.runtime.limits import account_of
from tapewire.runtime.rest import Rest
from tapewire.runtime.signing import Signer
from tapewire.venues.questions import Call


async def ask_once(rest: Rest, path: str, seconds: float, signer: Signer | None) -> bytes:
    """Body of the answer to one call.

    Args:
        rest: asks, within its limits.
        path: with its query.
        seconds: of the call, from its turn on.
        signer: shows the key; None: none is shown.

    Raises:
        HttpFailed: see ``Rest.get``.
        UsageError: the venue has no signed calls.
    """
    if signer is None:
        return await rest.get(path, timeout=seconds)
    if signer.account is None:
        raise UsageError(f"{path}: this venue has no REST calls with a key")
    call = call_of(path)
    await signer.ready()
    sign = signer.call(signer.account, call)
    return await rest.get(call.address, timeout=seconds, sign=sign, account=account_of(signer.credentials))


def call_of(path: str) -> Call:
    """A path with its query as what is signed: names in their order, all values of a name together."""
    where, _, query = path.partition("?")
    values: dict[str, list[str]] = defaultdict(list)
    for name, value in parse_qsl(query, keep_blank_values=True):
        values[name].append(value)
    return Call(where, {name: found[0] if len(found) == 1 else tuple(found) for name, found in values.items()})
