"""Answers of OKX's REST by hand, and the talk in which they are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from tapewire.errors import HttpFailed
from tapewire.venues.contract import Asking

EXAMPLES = Path(__file__).parents[2] / "data" / "okx5" / "examples_specification.jsonl"
NOW = 1_786_611_600_000
#: A row of ``trade/fills``: the execution that the specification's own push of ``orders`` tells.
FILL_ROW = {
    "instType": "SPOT", "instId": "BTC-USDT", "tradeId": "242589207", "ordId": "452197707845865472", "clOrdId": "",
    "billId": "9", "tag": "", "fillPx": "31527.1", "fillSz": "0.001", "side": "sell", "posSide": "net", "execType": "M",
    "feeCcy": "USDT", "fee": "-0.02522168", "ts": "1654084353264", "fillTime": "1654084353263", "fillPnl": "0.01",
    "fillIdxPx": "",
}  # fmt: skip


def example(channel: str) -> dict[str, Any]:
    """The specification's own push."""
    found: dict[str, Any] = next(
        said
        for line in EXAMPLES.read_text().splitlines()
        if (said := json.loads(line)).get("arg", {}).get("channel") == channel and "data" in said
    )
    return found


def body(rows: list[Any]) -> bytes:
    """An answer."""
    return msgspec.json.encode({"code": "0", "msg": "", "data": rows})


def converse(asking: Asking[Any], answer: Callable[[str], list[Any] | HttpFailed]) -> tuple[list[str], Any]:
    """Every address that was asked, and what is known in the end."""
    asked: list[str] = []
    question = next(asking)
    while True:
        asked.append(question.call.address)
        told = answer(question.call.address)
        try:
            question = asking.throw(told) if isinstance(told, HttpFailed) else asking.send(question.read(body(told)))
        except StopIteration as known:
            return asked, known.value
