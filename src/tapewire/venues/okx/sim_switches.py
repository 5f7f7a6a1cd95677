"""Where OKX's own behaviour is uncertain: what a simulated OKX does there (spec/okx.md, Uncertain)."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the exchange's own behaviour is uncertain, or changed; each default is the likelier, or today's.

    Attributes:
        fields: whose fields are sent: today's, or those of the recordings of ``"2022"`` (no ``seqId``, no ``connId``,
            no ``count``, candles of seven elements, true checksums).
        checksums: books carry their true checksum, as until June 2026; else 0 (A6.4). Always with the fields of 2022.
        snapshots: books that are sent as changes begin with a snapshot (Uncertain 1); else only REST has one.
        all_or_nothing: one bad argument spoils its whole request (Uncertain 5); else the good ones are granted.
        errors_echo_id: errors repeat the request's id, as acknowledgements do (Uncertain 7).
        lists_instruments: a subscription to instruments begins with the full list (Uncertain 11).
        moved_code: the error for a channel of another path: most often in practice 60018, else 64001 and 64002 (A1).
        login_closes: a login that fails is followed by the close 4001, "possibly" (A4).
        vip: the key's fee tier permits the tbt books and ``fills``; else 64003 (Uncertain 8).
        arguments_close: the close when all arguments of a connection come to more than 64 KB (Uncertain 6).
        connections_most: connections of one account that may have the same limited channel: 30, or 20 by an older text.
        unfilled_kept: seconds for which an order is known that was cancelled with no fill (A8).
        account_pause: seconds between full pushes of balances and positions, which ``updateInterval`` 0 forbids.
    """

    fields: Literal["2026", "2022"] = "2026"
    checksums: bool = False
    snapshots: bool = True
    all_or_nothing: bool = False
    errors_echo_id: bool = True
    lists_instruments: bool = False
    moved_code: Literal["60018", "64001"] = "60018"
    login_closes: bool = True
    vip: bool = True
    arguments_close: int = 4009
    connections_most: int = 30
    unfilled_kept: float = 2 * 3600.0
    account_pause: float = 5.0
