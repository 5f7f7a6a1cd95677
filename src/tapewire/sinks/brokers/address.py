"""Addresses of brokers: ``nats://user:password@host:4222,…``; what of them may be shown (pure)."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlsplit

from tapewire.credentials import HiddenText
from tapewire.errors import ConfigError


class Address:
    """One broker, or several of a cluster.

    Attributes:
        urls: each of them whole, with its credentials: to be given to the client and to nobody else.
        shown: for people, without user and password.
    """

    def __init__(self, text: str, schemes: tuple[str, ...]) -> None:
        """Read an address; servers of a cluster are joined by commas, and the scheme stands before the first.

        Raises:
            ConfigError: it is none of these schemes, or has no host. Holds no password.
        """
        scheme = str.partition(text, "://")[0]
        allowed = f"an address such as {schemes[0]}://host, or several joined by commas ({', '.join(schemes)})"
        if scheme not in schemes:
            raise ConfigError("address", _bare(text), allowed)
        rest = str.partition(text, "://")[2]
        urls = [f"{scheme}://{one}" if "://" not in one else one for one in rest.split(",") if one]
        try:
            good = bool(urls) and all(_is_place(url, schemes) for url in urls) and not _is_cut(urls)
        except ValueError:  # a port that is none
            good = False
        if not good:
            raise ConfigError("address", _bare(text), allowed)
        self.urls = tuple(HiddenText(url) for url in urls)
        self.shown = ",".join(_bare(url) for url in urls)

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"


def without_options(text: str, names: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """An address without those of its options (``?ca=…&…``) that are none of the broker's client, and these."""
    address, _, query = str.partition(text, "?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    found = {name: given.pop(name) for name in names if name in given}
    more = "&".join(f"{quote(name)}={quote(value)}" for name, value in given.items())
    return f"{address}?{more}" if more else address, found


def _is_place(url: str, schemes: tuple[str, ...]) -> bool:
    parts = urlsplit(url)
    return parts.scheme in schemes and parts.port != 0 and bool(parts.hostname or parts.scheme == "unix")


def _is_cut(urls: list[str]) -> bool:
    """A comma in a password cut it in two; it must be written as ``%2C``."""
    return "@" not in urls[0] and any("@" in url for url in urls)


def _bare(url: str) -> str:
    """Without what stands before the last ``@``, and without a query: tokens and passwords may be in both."""
    scheme, found, rest = str.partition(url, "://")
    if not found or not scheme.replace("-", "").isalpha():
        return "…"
    return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
