"""The gateway's tokens as programs written for an exchange show them: a name, and a signature made with the token."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from tapewire.apps.gateway.access import Access
from tapewire.venues.exchange import Permission, SimKey

_SEES: frozenset[Permission] = frozenset({"view_orders", "view_accounts"})


class ShownKeys:
    """See ``venues.serving.Keys``.

    Args:
        access: who may use the gateway.
        address: of the program.
    """

    def __init__(self, access: Access, address: str) -> None:
        self._access, self.address = access, address
        self._loop = asyncio.get_running_loop()

    @property
    def is_open(self) -> bool:
        """See ``Keys``."""
        return self._access.is_open

    @property
    def now_ms(self) -> int:
        """See ``Keys``."""
        return time.time_ns() // 1_000_000

    def find(self, access_key: str) -> SimKey | None:
        """See ``Keys``."""
        if self._access.wait(self.address, self._loop.time()):
            return None
        token = self._access.keyed(access_key, datetime.now(UTC))
        if token is None:
            return None
        sees = _SEES if "private" in token.scopes else frozenset[Permission]()
        return SimKey(
            access_key=access_key, secret_key=token.token, permissions=sees, passphrase=token.passphrase
        )  # fmt: skip

    def failed(self) -> None:
        """See ``Keys``."""
        self._access.failed(self.address, self._loop.time())
