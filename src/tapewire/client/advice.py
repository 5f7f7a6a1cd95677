"""What to do about what went wrong: the words that ``tapewire doctor`` adds to an error."""

from __future__ import annotations

from tapewire.errors import AuthenticationFailed, ConnectFailed, HttpFailed, Rejected

#: The exchange's name of a refused key (spec/upbit.md 5.2, compared by its letters) → what to do.
_KEY_NAMES = {
    "invalidaccesskey": "no key of this region has that access key; compare it with the exchange's page of API keys",
    "jwtverification": "the secret key does not belong to the access key; copy both again, without spaces",
    "expiredaccesskey": "a key is valid for one year; make a new one",
    "noauthorizationip": "add this machine's public address to the key's list of allowed addresses",
    "outofscope": "give the key this permission (view accounts for myAsset, view orders for myOrder)",
    "nonceused": "another program sent the same token; each connection needs one of its own",
    "invalidauth": "the exchange does not take this key for this; look at its permissions and its list of addresses",
}
_STATUSES = {
    400: "the address is no WebSocket endpoint of the exchange; look at --url",
    401: "look at both parts of the key, and at the key's list of allowed addresses",
    403: "the key lacks a permission, or this address or country is blocked",
    404: "the path is wrong: an address ends with {path}",
    407: "the proxy wants a user and a password: http://user:password@host:port",
    418: "this address is blocked for a while: stop every program here, wait, and start fewer connections",
    429: "too many requests from this address: wait a second, and look for another program on it",
}
_REASONS = (
    ("name cannot be resolved", "look at the name and at this machine's DNS; a proxy may be needed (--proxy)"),
    ("connection refused", "nothing listens there: look at the port; is the simulator or the proxy running?"),
    ("certificate has expired", "look at this machine's clock; else the far end must renew its certificate"),
    ("self-signed certificate", "something in between opens the traffic (a company proxy?); add its CA to the system"),
    ("certificate", "the far end is not who it should be; is something in between?"),
    ("TLS failed", "the far end speaks no TLS there; ws:// in place of wss://?"),
    ("proxy", "look at the proxy's address, user and password"),
    ("no answer", "a firewall may drop the packets in silence, or the far end is overloaded; is a proxy needed?"),
    ("ended before", "something in between or the far end hung up: a firewall, a proxy, or no WebSocket there"),
    ("unreachable", "look at the network and the firewall"),
)


def advice(error: BaseException, path: str = "the exchange's own path") -> str:
    """One sentence on what to do about it; ``""`` where the error says it. ``path``: of the exchange's own address."""
    name = error.loss.reason if isinstance(error, AuthenticationFailed) else ""
    name = error.name if isinstance(error, Rejected) else name
    status = error.loss.status if isinstance(error, ConnectFailed) else None
    status = error.status if isinstance(error, HttpFailed) else status
    return _of_key(name) or (_of_text(str(error)) if status is None else _of_status(status).format(path=path))


def _of_status(status: int) -> str:
    if status >= 500:
        return "the exchange is down or in maintenance: wait, and look at its notices"
    if 300 <= status < 400:
        return "redirects are not followed: give the address that it leads to"
    return _STATUSES.get(status, "look at the address")


def _of_key(name: str) -> str:
    letters = "".join(letter for letter in name.lower() if letter.isalpha())
    return next((words for known, words in _KEY_NAMES.items() if known in letters), "")


def _of_text(text: str) -> str:
    return next((words for part, words in _REASONS if part in text), "")
