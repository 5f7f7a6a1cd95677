"""What there is behind a gateway whose upstream is a message broker: the markets that it has subjects of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import NoReturn

from tapewire.errors import HttpFailed
from tapewire.model.market import Market
from tapewire.sinks.brokers.link import Away, NotLetIn
from tapewire.sinks.brokers.source import Lister, Source, read_wanted
from tapewire.sinks.brokers.subjects import FEED, parse_subject
from tapewire.sinks.registry import source_of

#: What is answered to a question that only the exchange's REST could answer.
NOT_ASKED = "a message broker is behind this gateway, and the exchange is asked nothing: subscribe what you want"
#: Seconds that a broker has to say what it has.
_WITHIN = 10.0


def source_at(address: str) -> Source:
    """What hears a broker, not yet connected."""
    wanted = read_wanted(address)
    return source_of(wanted.address)(wanted.address, wanted.stream)


async def broker_markets(address: str, venue: str) -> list[Market] | None:
    """Markets of a venue that a broker has something of, in their order by name.

    Args:
        address: of the broker, as ``FeedOptions.source`` has it.
        venue: whose.

    Returns:
        None: this kind of broker cannot say.

    Raises:
        HttpFailed: it is away, or does not let us in.
    """
    wanted, source = read_wanted(address), source_at(address)
    if not isinstance(source, Lister):
        return None
    try:
        async with asyncio.timeout(_WITHIN):
            await source.connect()
            names = await source.subjects(wanted.prefix)
    except TimeoutError:
        _failed(source.shown, f"no answer within {_WITHIN:g} s")
    except (Away, NotLetIn) as error:
        _failed(source.shown, str(error))
    finally:
        await source.close()
    places = [place for name in names if (place := parse_subject(name, wanted.prefix)) is not None]
    symbols = {one.symbol for one in places if one.venue == venue and one.type != FEED and one.symbol}
    return [Market(symbol, symbol, "") for symbol in sorted(symbols)]


def _failed(shown: str, why: str) -> NoReturn:
    raise HttpFailed(shown, None, f"its markets: {why}") from None


class AnyMarket(Mapping[str, Market]):
    """Every symbol is taken for a market: a broker that cannot say what it has is silent about what it has not."""

    def __getitem__(self, symbol: str) -> Market:
        return Market(symbol, symbol, "")

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __contains__(self, symbol: object) -> bool:
        return isinstance(symbol, str) and bool(symbol)
