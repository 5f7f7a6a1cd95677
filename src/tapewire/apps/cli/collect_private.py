"""Words of ``tapewire collect`` → the account that it carries: whose key it is, which streams, what it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tapewire.apps.cli.options import Feed, check_key
from tapewire.apps.cli.streams import subscriptions

if TYPE_CHECKING:
    from tapewire.fleet.account import AccountOptions
    from tapewire.fleet.words import FleetOptions, Plan

#: What a fleet can carry of an account: of these it is known what is a double, whoever told it.
_KINDS = ("myOrder", "myAsset")


def account_options(feed: Feed, types: str, name: str | None, plan: Plan, fleet: FleetOptions) -> AccountOptions:
    """The account of the key that was given.

    Args:
        feed: with the key.
        types: as ``--private`` has them.
        name: of the account; None: the mark of its key.
        plan: of the fleet.
        fleet: how the collector belongs to it.

    Raises:
        click.BadParameter: no stream that a fleet can carry.
        CredentialsError: there is no key.
        ConfigError: an impossible name.
    """
    from tapewire.fleet.account import AccountOptions, mark_of  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.venues.registry import get_venue  # noqa: PLC0415

    streams = tuple(subscriptions([], types))
    told = get_venue(feed.venue).account
    known = [kind for kind in _KINDS if told is not None and kind in told.kinds]
    for one in streams:
        if one.kind not in known:
            words = f"a fleet carries {', '.join(known) or 'nothing'} of an account of {feed.venue}"
            raise click.BadParameter(f"{one.kind}: {words}; what else there is sends `tapewire publish`",
                                     param_hint="'--private'")  # fmt: skip
    check_key(feed, streams)
    assert told is not None  # noqa: S101 - it has kinds
    mark = mark_of(feed.credentials)
    return AccountOptions(
        name=name or mark, mark=mark, streams=streams, words=told.words, copies=plan.copies, lease=fleet.lease
    )
