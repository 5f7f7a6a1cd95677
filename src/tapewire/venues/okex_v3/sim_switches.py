"""Where OKEX v3's own behaviour is uncertain, or changed over the years: what a simulated OKEX does there."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Switches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Each default is what spec/okx.md part B takes as the rule, or what was recorded last.

    Attributes:
        levels: how a level of a book ends: ``four`` texts (2021), on spot ``three`` texts (mid 2019) or ``count``: the
            number of orders as a number (until mid 2019), on the other markets two numbers then.
        depth: levels a side of a ``partial`` (B3: 200 in early 2019, 400 later).
        text_success: a login's ``success`` is the text ``"true"``, as the documents print it (B2).
        deflates: frames are deflated; False sends text, as nobody ever saw it (B1: robust clients accept it).
        request_max: bytes of one request (B1: 4,096 or 65,536).
        connects: connections a second from one address (B1: 1, later perhaps 3).
    """

    levels: Literal["four", "three", "count"] = "four"
    depth: int = 400
    text_success: bool = False
    deflates: bool = True
    request_max: int = 65_536
    connects: int = 1
