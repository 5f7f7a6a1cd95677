"""Where Upbit's own behaviour is uncertain: what a simulated Upbit does there (spec/upbit.md section 11)."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the exchange's own behaviour is uncertain; each default is what spec/upbit.md takes as the rule.

    Attributes:
        closes_after_error: an error frame is followed by a close (11, 2); documented for the info types only.
        close_code: the code of that close (11, 2).
        replaces: a request replaces the earlier ones (11, 4); False adds to them.
        format_required: a request without a format object is refused (11, 5).
        sums_all: totals are over all thirty levels, however few are asked (11, 8).
        lists_depth: LIST_SUBSCRIPTIONS repeats the depth suffix (11, 9).
        list_size: objects in one JSON_LIST or SIMPLE_LIST frame of snapshots at the most (11, 10).
        list_controls: error, status and subscription frames are arrays too under list formats (11, 10).
        messages_per_address: the message limits hold for all connections of an address together (11, 13).
        ping_counts: the text ``PING`` counts against the message limits (section 6).
        short_time: trade_time without its seconds when they are 0, as in 2021 (11, 16).
        text_frames: frames with the text opcode; recordings show binary ones (4.0).
        refused_status: of a handshake whose token is not accepted: 401 or 403 (11, 1).
        scope_status: of a REST call, or handshake, that the key has no permission for: 401 or 403 (5.2).
        scope_at_handshake: a key that may see neither orders nor balances is refused at the private side's door; else
            it hears so when it asks for them (announcements need no permission).
        asset_warmup: seconds after an account's very first request for ``myAsset`` in which such requests are granted
            and stay silent; one made after them is served. The documents say about 300 (4.6).
        fill_states: what a fill that completes an order tells: ``trade`` and then ``done`` (``both``), or one (11, 12).
        prevented_text: ``prevented_volume`` and ``prevented_locked`` as text (11, 12).
    """

    closes_after_error: bool = True
    close_code: int = 1000
    replaces: bool = True
    format_required: bool = False
    sums_all: bool = False
    lists_depth: bool = False
    list_size: int = 1
    list_controls: bool = False
    messages_per_address: bool = False
    ping_counts: bool = False
    short_time: bool = False
    text_frames: bool = False
    refused_status: Literal[401, 403] = 401
    scope_status: Literal[401, 403] = 401
    scope_at_handshake: bool = False
    asset_warmup: float = 0.0
    fill_states: Literal["both", "trade", "done"] = "both"
    prevented_text: bool = False
