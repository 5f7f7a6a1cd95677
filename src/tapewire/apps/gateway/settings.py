"""How a gateway is run: where it listens, for whom, within which limits (pure)."""

from __future__ import annotations

from msgspec import Struct

from tapewire.errors import ConfigError


class GatewayOptions(Struct, frozen=True, kw_only=True):
    """All options of a gateway.

    Attributes:
        host: address to listen on; any other than this machine's own needs ``tokens`` and a certificate.
        port: 0 takes a free one.
        most_clients: connections at a time. per_address: of them from one address, this machine's own aside.
        connects: WebSockets that are opened within any second; others wait for their turn.
        most_subscriptions: of one client; a code with a star counts as one.
        commands: messages of one client within a second.
        most_message: bytes of one message of a client.
        header_seconds: for the first request of a connection to be complete.
        backlog_bytes, backlog_seconds: what may wait for a client, and for how long; beyond it is cut.
        window_bytes, window_seconds: what is kept for clients that come back.
        linger: seconds that a stream goes on upstream after its last client has gone.
        patience: seconds to wait for the first state of a stream that was just subscribed.
        private: also serve what belongs to the key's owner (orders, balances), to clients that may hear it.
        origins: of pages of other servers that may use this one, such as ``https://example.org``.
        names: under which this server is known, beside ``host``, ``localhost`` and addresses of this machine.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    most_clients: int = 500
    per_address: int = 20
    connects: int = 50
    most_subscriptions: int = 200
    commands: int = 10
    most_message: int = 64 * 1024
    header_seconds: float = 5.0
    backlog_bytes: int = 1024 * 1024
    backlog_seconds: float = 5.0
    window_bytes: int = 32 * 1024 * 1024
    window_seconds: float = 60.0
    linger: float = 30.0
    patience: float = 5.0
    private: bool = False
    origins: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if type(self.port) is not int or not 0 <= self.port <= 65535:
            raise ConfigError("port", self.port, "a whole number from 0 (any free one) to 65535")
        for option in (
            "most_clients", "per_address", "connects", "most_subscriptions", "commands", "most_message",
            "header_seconds", "backlog_bytes", "backlog_seconds", "window_bytes", "window_seconds", "patience",
        ):  # fmt: skip
            if not getattr(self, option) > 0:
                raise ConfigError(option, getattr(self, option), "more than 0")
        if not self.linger >= 0:
            raise ConfigError("linger", self.linger, "0 or more")
