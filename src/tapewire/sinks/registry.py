"""Finds sinks by entry point and hands out what makes them by name."""

from __future__ import annotations

from importlib.metadata import entry_points

from tapewire.errors import ConfigError, UnknownName
from tapewire.sinks.brokers.source import SourceFactory
from tapewire.sinks.contract import SinkFactory

_GROUP = "tapewire.sinks"
_SOURCES = "tapewire.sources"


def sink_names() -> list[str]:
    """Names of all installed sinks, sorted."""
    return sorted(point.name for point in entry_points(group=_GROUP))


def get_sink(name: str) -> SinkFactory:
    """What makes sinks of that name: called with the target first (a folder, an address), then its options.

    Raises:
        UnknownName: no installed package declares it (entry points need an installed package).
    """
    for point in entry_points(group=_GROUP, name=name):
        factory: SinkFactory = point.load()
        return factory
    raise UnknownName("sink", name, sink_names())


def sink_of(address: str) -> SinkFactory:
    """What makes sinks for an address: their name is its scheme (``nats://…``).

    Raises:
        ConfigError: it has no scheme. UnknownName: no installed package declares one of that name.
    """
    scheme, found, _ = address.partition("://")
    if not found or not scheme.replace("-", "").isalnum():
        raise ConfigError(
            "address",
            "…",
            "one that begins with nats://, redis://, amqp://, kafka:// or the name of another installed sink",
        )
    return get_sink(scheme)


def source_names() -> list[str]:
    """Schemes of addresses that can be heard in an exchange's place, sorted."""
    return sorted(point.name for point in entry_points(group=_SOURCES))


def source_of(address: str) -> SourceFactory:
    """What makes sources for an address, by its scheme.

    Raises:
        UnknownName: no installed package declares one of that name.
    """
    scheme = str.partition(address, "://")[0]
    for point in entry_points(group=_SOURCES, name=scheme):
        factory: SourceFactory = point.load()
        return factory
    raise UnknownName("source", scheme, source_names())
