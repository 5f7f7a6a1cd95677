"""Whose certificates are trusted, and what is said of a file that cannot be used."""

from __future__ import annotations

import ssl

from tapewire.sinks.brokers.link import NotLetIn


def trusting(ca: str | None) -> ssl.SSLContext:
    """A client's TLS context that trusts the certificates of a file, in place of the system's.

    Raises:
        NotLetIn: the file cannot be read, or holds none.
    """
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:  # an SSLError is one
        raise NotLetIn(f"ca: {ca} holds no certificates to trust: {error.strerror or error}") from None
