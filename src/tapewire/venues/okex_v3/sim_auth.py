"""OKEX v3's look at a login: who signs, and whether in time (spec/okx.md B2).

Written without the code that the client signs with: the two check each other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Any

from tapewire.venues.exchange import SimKey

_WINDOW_MS = 30_000
#: Of a key that names none.


class LoginRefused(Exception):
    """A login that is not accepted: the exchange's code and words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


class Keys:
    """The keys of one exchange."""

    def __init__(self, keys: Iterable[SimKey]) -> None:
        self._keys = {key.access_key: key for key in keys}

    def admit(self, arguments: Sequence[Any], now_ms: int) -> SimKey:
        """The key that a login is signed with.

        Raises:
            LoginRefused: with the exchange's code of what is wrong.
        """
        if len(arguments) != 4 or not all(isinstance(one, str) for one in arguments):
            raise LoginRefused(30039, "unrecognized request")
        name, passphrase, moment, signature = arguments
        for text, code, word in (
            (name, 30001, "OK-ACCESS-KEY"), (signature, 30002, "OK-ACCESS-SIGN"),
            (moment, 30003, "OK-ACCESS-TIMESTAMP"), (passphrase, 30004, "OK-ACCESS-PASSPHRASE"),
        ):  # fmt: skip
            if not text:
                raise LoginRefused(code, f"{word} cannot be blank")
        self._in_time(moment, now_ms)
        key = self._keys.get(name)
        if key is None:
            raise LoginRefused(30006, "Invalid OK_ACCESS_KEY")
        if not hmac.compare_digest(passphrase.encode(), key.phrase.encode()):
            raise LoginRefused(30015, "Invalid OK_ACCESS_PASSPHRASE")
        made = hmac.digest(key.secret_key.reveal().encode(), f"{moment}GET/users/self/verify".encode(), hashlib.sha256)
        if not hmac.compare_digest(base64.b64encode(made), signature.encode()):
            raise LoginRefused(30013, "Invalid Sign")
        return key

    def _in_time(self, moment: str, now_ms: int) -> None:
        try:
            at = float(moment) * 1000
        except ValueError:
            raise LoginRefused(30005, "Invalid OK_ACCESS_TIMESTAMP") from None
        if not abs(now_ms - at) <= _WINDOW_MS:
            raise LoginRefused(30008, "Request timestamp expired")
