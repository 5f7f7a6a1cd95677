"""Fills the generated parts of README.md and docs/: everything between ``<!-- gen:NAME -->`` and ``<!-- gen:end -->``.

    .venv/bin/python scripts/docs.py            # writes them
    .venv/bin/python scripts/docs.py --check    # names the pages that are stale; ends with 1 if there are any

The words of each table come from the code's docstrings; what stands in no docstring is in ``FIELD_WORDS`` below.
"""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
import msgspec

from tapewire import config, errors, profiles
from tapewire.apps import environment, settings, table
from tapewire.apps.cli.main import COMMANDS, cli
from tapewire.apps.cli.view.controls import KEYS
from tapewire.model import events, status
from tapewire.model.book import BookChange, DepthOrderbookEvent
from tapewire.model.metrics import ConnectionMetrics
from tapewire.sim import faults, scenario
from tapewire.sinks.files.options import RecordOptions
from tapewire.venues.okx.fields import FIELDS as OKX_FIELDS
from tapewire.venues.okx.fields import VOLUMES as OKX_VOLUMES
from tapewire.venues.okx.sim_switches import Switches as OkxSwitches
from tapewire.venues.upbit.fields import FIELDS, attribute_names
from tapewire.venues.upbit.sim import Switches

ROOT = Path(__file__).parents[1]
MARK = re.compile(r"(<!-- gen:([a-z0-9:-]+) -->\n).*?(<!-- gen:end -->)", re.DOTALL)

#: What a field of an event holds. A field without words here stops the generator.
FIELD_WORDS = {
    "venue": "venue the event is from: `upbit`, `upbit-sg`, `okx` …",
    "symbol": "the venue's own code, `KRW-BTC`, `BTC-USDT`",
    "stream_type": "`SNAPSHOT` or `REALTIME`; other words are kept as they come",
    "timestamp": "when the exchange sent it, ms UTC; `event.utc` and `event.kst` give datetimes",
    "received_ns": "socket read that brought it, ns UTC; 0 from `decode` unless given",
    "final": "the window is over and this is all of it: of Upbit, as REST told afterwards; of OKX, as the stream says",
    "recovered": "the stream missed it, and REST told it afterwards: it may be older than the event before",
    "polled": "there was no stream, and REST was asked in its place (`poll_after`)",
    "raw": "bytes of the frame, with the option `keep_raw=True`; else None",
    "opening_price": "first price of the day (UTC) or of the candle",
    "high_price": "highest price of the day or of the candle",
    "low_price": "lowest price of the day or of the candle",
    "trade_price": "last price; of a trade: its price; of a candle: the closing price so far",
    "trade_volume": "size of the (last) trade, in the base currency; of OKX's derivatives, in contracts",
    "prev_closing_price": "closing price of the day before (UTC)",
    "acc_trade_price": "turnover since 00:00 UTC, in the quote currency",
    "acc_trade_volume": "volume since 00:00 UTC, in the base currency",
    "acc_trade_price_24h": "turnover of the last 24 hours",
    "acc_trade_volume_24h": "volume of the last 24 hours",
    "acc_ask_volume": "volume sold by takers since 00:00 UTC",
    "acc_bid_volume": "volume bought by takers since 00:00 UTC",
    "change": "`RISE`, `EVEN` or `FALL` against the day before",
    "change_price": "difference to the day before, without sign",
    "change_rate": "the same as a share (0.01 is 1 %), without sign",
    "signed_change_price": "difference to the day before",
    "signed_change_rate": "the same as a share",
    "ask_bid": "the taker's side: `ASK` sold, `BID` bought",
    "trade_date": "UTC date of the (last) trade: `20260826` in tickers, `2026-07-30` in trades",
    "trade_time": (
        "UTC time of the (last) trade: `072400` in tickers, `07:04:03` in trades (`18:17` in frames of 2021 when the "
        "seconds are 0)"
    ),
    "trade_timestamp": "when the (last) trade was made, ms UTC",
    "highest_52_week_price": "highest price of 52 weeks",
    "highest_52_week_date": "its date",
    "lowest_52_week_price": "lowest price of 52 weeks",
    "lowest_52_week_date": "its date",
    "market_state": "`PREVIEW`, `ACTIVE` or `DELISTED`",
    "is_trading_suspended": "whether trading is halted",
    "delisting_date": "date of the delisting in the exchange's own form, mostly None",
    "market_warning": "`NONE` or `CAUTION`",
    "best_bid_price": "best bid (Upbit sends none in tickers)",
    "best_bid_size": "its size",
    "best_ask_price": "best ask (Upbit sends none in tickers)",
    "best_ask_size": "its size",
    "sequential_id": "unique within one market; does not arrive in order",
    "total_ask_size": "sum of the asks' sizes",
    "total_bid_size": "sum of the bids' sizes",
    "orderbook_units": "list of `OrderbookUnit`, the best first: `ask_price bid_price ask_size bid_size`",
    "level": "price unit by which the book is grouped, 0 for none",
    "unit": "`1s`, `1m` … `240m`: from the frame's `type`",
    "candle_date_time_utc": "beginning of the window, UTC, `2026-08-13T09:00:00`",
    "candle_date_time_kst": "the same in Korean time",
    "candle_acc_trade_volume": "volume of the window so far",
    "candle_acc_trade_price": "turnover of the window so far",
    "uuid": "id of the order",
    "order_type": "`limit`, `price` (market buy), `market` (market sell), `best`",
    "state": "`wait` (open), `watch` (stop order), `trade` (an execution), `done`, `cancel` or `prevented`",
    "trade_uuid": "id of the execution, in state `trade`",
    "price": "price of the order; of the execution in state `trade`",
    "avg_price": "mean price of the executions so far",
    "volume": "size of the order; of the execution in state `trade`",
    "remaining_volume": "size that is still open",
    "executed_volume": "size executed so far",
    "trades_count": "number of executions so far",
    "reserved_fee": "fee set aside when the order was placed",
    "remaining_fee": "what is left of it",
    "paid_fee": "fee paid so far",
    "locked": "amount that the order locks",
    "executed_funds": "value of the executions so far, in the quote currency",
    "time_in_force": "`ioc`, `fok` or `post_only`",
    "trade_fee": "fee of the execution, in state `trade`",
    "is_maker": "whether the order was the maker, in state `trade`",
    "identifier": "the client's own id of the order",
    "smp_type": "what prevents trades with oneself: `reduce`, `cancel_maker` or `cancel_taker`",
    "prevented_volume": "size that this prevention took off",
    "prevented_locked": "amount (buy) or size (sell) that it released",
    "order_timestamp": "when the order was placed, ms UTC",
    "asset_uuid": "id of the message",
    "assets": "list of `Asset`: `currency`; `balance` (free) and `locked`, exact and absolute",
    "asset_timestamp": "when the balances changed, ms UTC",
    "event_type": "`CREATED` or `UPDATED`",
    "title": "headline",
    "category": "`notice`, `trade`, `wallet`, `maintenance` …",
    "url": "page of the notice",
    "first_listed_at": "first published, ISO 8601 with offset",
    "listed_at": "published last, ISO 8601 with offset",
    "body": "text in Markdown, if it was asked for; None when it is too large",
    "timeframe": "`5m`, `15m`, `60m`, `240m` or `1d`",
    "indicator": "which one: `volume`, `rsi`, `moving_average`, `ma_crossover`, `bollinger_bands` or `macd`",
    "params": 'its parameters, as asked: `{"period": 14}`',
    "value": 'its figures: `{"rsi": 71.3}`; which, is in [Upbit](upbit.md#indicators-and-signals)',
    "trigger": "the condition that became true",
    "event_params": 'the condition\'s own parameters, as asked: `{"threshold": 70}`; empty where it has none',
    "opening_price_24h": "price 24 hours ago",
    "high_price_24h": "highest price of the last 24 hours",
    "low_price_24h": "lowest price of the last 24 hours",
    "opening_price_utc8": "price at 00:00 UTC+8",
    "contracts_24h": "volume of the last 24 hours in contracts (OKX's derivatives)",
    "contracts": "volume of the window so far in contracts (OKX's derivatives)",
    "market_type": "`SPOT`, `MARGIN`, `SWAP`, `FUTURES`, `OPTION` or `EVENTS`",
    "source": "OKX: `0` ordinary, `1` an RPI order",
    "count": "number of trades that this one stands for (OKX `trades`); the last of them has the id",
    "sequence": "the venue's number of this message in its order of books and trades",
    "previous_sequence": "number of the state that it changes, -1 of a snapshot",
    "checksum": "signed CRC-32 of the state after it; 0 or None: none",
    "action": "`snapshot` replaces the book, `update` changes it",
    "channel": "the venue's word for the kind of book: `books5`, `bbo-tbt`, `books` …",
    "asks": (
        "list of `BookLevel`, the best first: `price`, `size`, `orders` (how many); in JSON `[price, size, 0, orders]`"
    ),
    "bids": "the same of the bids",
    "fields": "what else the venue said, under its own names and as it sent it (texts)",
    "funding_rate": "rate that is paid at `funding_time`; longs pay a positive one",
    "funding_time": "when it is paid, ms UTC",
    "next_funding_rate": "forecast of the rate after it",
    "next_funding_time": "when that is paid, ms UTC",
    "previous_funding_time": "when it was paid last, ms UTC",
    "min_funding_rate": "lowest rate there can be",
    "max_funding_rate": "highest rate there can be",
    "settlement_state": "`processing` or `settled`",
    "settlement_funding_rate": "rate of the settlement under way, or of the last one",
    "premium": "how far the swap's price is from the index, as a share",
    "interest_rate": "interest part of the rate",
    "impact_value": "depth in USDT by which the premium is measured",
    "method": "`current_period` or `next_period`",
    "formula_type": "`noRate` or `withRate`",
    "mark_price": "price by which positions are valued",
    "index_price": "the index's last price",
    "open_interest": "in contracts",
    "open_interest_currency": "the same in the base currency",
    "open_interest_usd": "the same in US dollars",
    "highest_bid": "nobody may bid more; None: no limit at present",
    "lowest_ask": "nobody may ask less; None: no limit at present",
    "enabled": "whether the limits hold",
    "family": "family of instruments, `BTC-USD`",
    "underlying": "underlying index, `BTC-USD`",
    "liquidations": (
        "list of `Liquidation`: `ask_bid position_side bankruptcy_price volume bankruptcy_loss currency timestamp`"
    ),
    "base": "base currency (spot)",
    "quote": "quote currency (spot)",
    "settlement_currency": "currency of the settlement (derivatives)",
    "tick_size": "smallest step of the price",
    "lot_size": "smallest step of the size: base currency, or contracts",
    "min_size": "smallest size of an order",
    "contract_value": "value of one contract, in `contract_currency`",
    "contract_multiplier": "multiplier of the contract's value",
    "contract_currency": "currency of the contract's value",
    "contract_type": "`linear` or `inverse`",
    "option_type": "`C` call, `P` put",
    "strike": "strike price of an option",
    "leverage": "of an instrument: the highest that can be had; of a position: its own",
    "expires_at": "when it ends, ms UTC",
    "begin": "begin, ms UTC",
    "end": "end, ms UTC; an estimate until it is completed",
    "pre_open_begin": "from then on cancelling, post-only orders and transfers work, ms UTC",
    "service_type": (
        "`0` WebSocket, `5` trading, `6` block trading, `7` bots, `8` and `9` trading in batches, `"
        "10` spreads, `11` copy trading, `99` others"
    ),
    "system": "`unified`: the trading account",
    "rescheduled": "words about a changed plan",
    "maintenance_type": "`1` planned, `2` unplanned, `3` disruption",
    "environment": "`1` production, `2` demo",
    "position_id": "id of the position",
    "margin_mode": "`cross` or `isolated`",
    "position_side": "`long`, `short` or `net`",
    "position": "size; of `net` the sign is the direction",
    "position_currency": "currency of the position (margin)",
    "available": "what of it can be closed",
    "liquidation_price": "estimated price of its liquidation",
    "margin": "margin of an isolated position",
    "unrealized_profit": "profit at the mark price",
    "realized_profit": "profit taken, fees and funding included",
    "currency": "currency of the margin",
    "trade_id": "newest trade of it",
    "created_at": "when it was made, ms UTC",
    "updated_at": "when it changed last, ms UTC",
    "balances": "list of `CashBalance`: `currency balance updated_at`, absolute",
    "positions": "list of `PositionChange`: the names of `PositionEvent`, absolute",
    "trades": "list of `TradeReference`: `symbol trade_id`",
}
#: What a field holds in one kind of event, where that differs.
_KIND_WORDS = {
    ("myOrder", "ask_bid"): "the order's side: `ASK` sells, `BID` buys",
    ("myOrder", "trade_timestamp"): "when the execution was made, ms UTC",
    ("myAsset", "symbol"): 'always `""`: balances belong to no market',
    ("announcement", "symbol"): 'always `""`: notices belong to no market',
    ("announcement", "uuid"): "id of the notice",
    ("bookChange", "asks"): "list of levels as they came: texts of price and size, …, number of orders; size 0: gone",
    ("bookChange", "bids"): "the same of the bids",
    ("status", "symbol"): 'always `""`: maintenance belongs to no market',
    ("status", "state"): "`scheduled`, `ongoing`, `pre_open`, `completed` or `canceled`",
    ("status", "title"): "what is done",
    ("status", "url"): "page about it",
    ("instrument", "state"): "`live`, `suspend`, `expired`, `preopen`, `test`, `rebase`, `post_only` or `settling`",
    ("instrument", "listed_at"): "when trading began, ms UTC",
    ("indexTicker", "symbol"): "the index, `BTC-USDT`",
    ("balanceAndPosition", "symbol"): 'always `""`: `positions` and `trades` name their markets',
    ("balanceAndPosition", "event_type"): "`snapshot`, `filled`, `transferred`, `funding_fee`, `delivery`, `adl` …",
    ("myPosition", "avg_price"): "mean price at which it was opened",
    ("myFill", "price"): "price of the execution",
    ("myFill", "volume"): "size of the execution",
    ("myFill", "sequential_id"): "id of the trade",
    ("myFill", "is_maker"): "whether the order was the maker",
    ("myFill", "count"): "number of trades that this one stands for",
    ("myFill", "ask_bid"): "the order's side: `ASK` sells, `BID` buys",
    **{
        (kind, "candle_date_time_utc"): "start of the candle that closed, ISO 8601 without zone: UTC"
        for kind in ("indicator", "indicator_signal")
    },
}
_VENUES = ("Upbit", "OKX")
#: What OKX sends in another form than one name, one value.
_OKX_WORDS = {
    "orderbook": {"asks": "`asks`", "bids": "`bids`", "channel": "`channel`"},
    "bookChange": {"asks": "`asks`", "bids": "`bids`", "channel": "`channel`", "action": "`action`"},
    "trade": {"trade_timestamp": "`ts`"},
    "candle": {
        "timestamp": "`ts`",
        "candle_date_time_utc": "`ts`",
        "candle_date_time_kst": "`ts`",
        "opening_price": "`o`",
        "high_price": "`h`",
        "low_price": "`l`",
        "trade_price": "`c`",
        "candle_acc_trade_volume": "`vol` (spot), `volCcy` (derivatives)",
        "candle_acc_trade_price": "`volCcy` (spot), `volCcyQuote` (derivatives)",
        "contracts": "`vol` (derivatives)",
        "final": "`confirm`",
    },
    "myOrder": {
        "price": "`fillPx` of an execution, else `px`",
        "volume": "`fillSz` of an execution, else `sz`",
        "is_maker": "`execType`",
    },
    "myAsset": {"timestamp": "`uTime`", "asset_timestamp": "`uTime`", "assets": "`details`"},
    "myFill": {"is_maker": "`execType`"},
    "liquidation": {"timestamp": "`ts` of the newest", "liquidations": "`details`"},
    "balanceAndPosition": {"balances": "`balData`", "positions": "`posData`", "trades": "`trades`"},
}
_MADE_HERE = ("venue", "received_ns", "raw", "unit")
#: Fields of a gap that its class docstring leaves out.
_GAP_WORDS = {
    "subscription": "the interrupted stream",
    "cause": "why the line was lost, as `Disconnected.loss.cause`; `stale` for trades that a live line did not bring",
}
#: Options that their class docstring leaves out.
_OPTION_WORDS = {
    "format": "wire format to ask for: `DEFAULT`, `SIMPLE`, `JSON_LIST` or `SIMPLE_LIST`",
    "compression": "offer permessage-deflate",
    "transport": "`picows`, or `websockets` (needs the extra of that name): two independent implementations",
    "line": "a `LineOptions`, see below",
    "session": "a `SessionOptions`, see below",
    "mailbox": "a `MailboxOptions`, see below: the default of all async callbacks and iterators",
}


def field_tables() -> str:
    """A table for each market event: attribute, type, name on the wire, meaning."""
    made: dict[str, list[type[events.Event]]] = {kind: [one] for kind, one in events.EVENT_CLASSES.items()}
    made["orderbook"].append(DepthOrderbookEvent)
    made["bookChange"] = [BookChange]
    return "\n".join(_event_table(kind, one) for kind, those in made.items() for one in those).rstrip() + "\n"


def _event_table(kind: str, made: type[events.Event]) -> str:
    full, short = (attribute_names(kind, simple=simple) if kind in FIELDS else {} for simple in (False, True))
    okx = {} if made is events.OrderbookEvent else _okx_names(kind)
    rows = []
    for field in msgspec.structs.fields(made):
        upbit = (
            ""
            if field.name in _MADE_HERE
            else f"`{full[field.name]}` / `{short[field.name]}`"
            if (field.name in full) and not issubclass(made, DepthOrderbookEvent)
            else ""
        )
        words = _KIND_WORDS.get((kind, field.name)) or FIELD_WORDS[field.name]
        rows.append((f"`{field.name}`", _type(field.type), upbit, okx.get(field.name, ""), words))
    lead, heads = _paragraph((made.__doc__ or "").split("Attributes:")[0]), ("Field", "Type", "Upbit", "OKX", "Meaning")
    used = [place for place, head in enumerate(heads) if head not in _VENUES or any(row[place] for row in rows)]
    table = _table([heads[place] for place in used], [[row[place] for place in used] for row in rows])
    return f"### {made.__name__}\n\n{lead}\n\n{table}"


def _okx_names(kind: str) -> dict[str, str]:
    """Attribute → OKX's own name, or names."""
    names = {attribute: f"`{name}`" for attribute, name in OKX_FIELDS.get(kind, {}).items()} | _OKX_WORDS.get(kind, {})
    if kind == "ticker":
        for counted, volumes in OKX_VOLUMES.items():
            for attribute, name in volumes.items():
                one = f"`{name}` ({'derivatives' if counted else 'spot'})"
                names[attribute] = f"{names[attribute]}, {one}" if attribute in names else one
    return names


def feed_tables() -> str:
    """Each feed event: what it tells, its own fields."""
    common = {field.name for field in msgspec.structs.fields(status.FeedEvent)}
    parts = []
    for made in status.FeedEvent.__subclasses__():
        own = [field for field in msgspec.structs.fields(made) if field.name not in common]
        words = _attributes(made) | (_GAP_WORDS if made is status.Gap else {})
        rows = [(f"`{field.name}`", _type(field.type), words.get(field.name, "")) for field in own]
        table = (
            _table(("Field", "Type", "Meaning"), rows)
            if any(row[2] for row in rows)
            else (
                "Fields: " + ", ".join(f"`{field.name}` ({_type(field.type)})" for field in own) + ".\n" if own else ""
            )
        )
        parts.append(f"### {made.__name__}\n\n{_lead(made)}\n\n{table}")
    return "\n".join(parts)


def option_tables() -> str:
    """Each option object: name, default, type, sentence."""
    made = (
        config.FeedOptions, config.SessionOptions, config.LineOptions, config.MailboxOptions, config.TapeOptions,
        RecordOptions,
    )  # fmt: skip
    return "\n".join(f"### {one.__name__}\n\n{_lead(one)}\n\n{_defaults(one, units=True)}" for one in made)


def settings_table() -> str:
    """Keys of the settings file."""
    return _defaults(settings.Settings)


def profile_table() -> str:
    """What each profile and strategy sets, beside the defaults."""
    names = list(dict.fromkeys(name for changed in profiles.PROFILES.values() for name in changed))
    defaults = {row.name: row.default for row in table.all_settings()}
    head = ("Option", "default", *(f"`{name}`" for name in profiles.PROFILES))
    rows = [
        (f"`{name}`", f"{defaults[name]}", *(f"{changed.get(name, '')}" for changed in profiles.PROFILES.values()))
        for name in names
    ]
    back_off = next(iter(profiles.STRATEGIES.values()))
    strategies = [(f"`{name}`", *(f"{value:g}" for value in how.values())) for name, how in profiles.STRATEGIES.items()]
    return f"{_table(head, rows)}\n{_table(('Strategy', *(f'`{name}`' for name in back_off)), strategies)}"


def environment_table() -> str:
    """Names of the older Upbit guide: what each settles, or why it means nothing."""
    mapped = [(f"`{name}`", f"`{'.'.join(place)}`") for name, (place, _) in environment.UPBIT_NAMES.items()]
    others = [(f"`{name}`", f"nothing: {why}") for name, why in environment.UPBIT_NAMES_WITHOUT_MEANING.items()]
    return _table(("Variable", "Settles"), mapped + others)


def scenario_table() -> str:
    """Fields of a scenario."""
    return _defaults(scenario.Scenario)


def switch_table() -> str:
    """Switches of the simulated Upbit."""
    return _defaults(Switches)


def okx_switch_table() -> str:
    """Switches of the simulated OKX."""
    return _defaults(OkxSwitches)


def fault_table() -> str:
    """Faults by name, from the table at the top of ``sim.faults``."""
    rows = []
    for line in inspect.cleandoc(faults.__doc__ or "").splitlines():
        found = re.fullmatch(r"(``.+``)\s{2,}(.*)", line)
        if found:
            rows.append((_code(found[1]), _code(found[2])))
    return _table(("Fault", "What happens"), rows)


def error_tree() -> str:
    """The picture at the top of ``errors``."""
    tree = (errors.__doc__ or "").partition("\n\n")[2].rstrip()
    return f"```text\n{tree}\n```\n"


def help_of(name: str) -> str:
    """``--help`` of a command as it is printed."""
    root = click.Context(cli, info_name="tapewire", **{**cli.context_settings, "terminal_width": 100})
    if name == "all":
        return f"```text\n{cli.get_help(root)}\n```\n"
    command = cli.get_command(root, name)
    assert command is not None
    context = click.Context(command, info_name=name, parent=root, terminal_width=100)
    return f"```text\n{command.get_help(context)}\n```\n"


def metrics_table() -> str:
    """Each Prometheus metric: name, labels, meaning."""
    from tapewire.runtime.prometheus import METRICS, PER_SYMBOL  # noqa: PLC0415 - only this table needs it

    rows = [
        (f"`{one.name}`", " ".join(f"`{label}`" for label in one.labels), one.help) for one in (*METRICS, PER_SYMBOL)
    ]
    return _table(("Metric", "Labels", "Meaning"), rows)


def connection_metrics_table() -> str:
    """Each field of a connection's figures, as its class docstring words it."""
    text = inspect.cleandoc(ConnectionMetrics.__doc__ or "").partition("Attributes:\n")[2]
    entries = re.findall(r"^ {4}(\S.*(?:\n {8}.*)*)", text, flags=re.MULTILINE)
    parts = [re.sub(r"\s+", " ", entry) for entry in entries]
    rows = [pair for part in parts for pair in re.findall(r"([a-z_, ]+): ((?:(?!; [a-z_]+: ).)+)", part)]
    return _table(("Field", "Meaning"), [(_names(names), _code(words.rstrip(".;"))) for names, words in rows])


def _names(names: str) -> str:
    return " ".join(f"`{name.strip()}`" for name in names.split(",") if name.strip())


def lab_table() -> str:
    """The table of docs/fault-lab.md."""
    page = (ROOT / "docs/fault-lab.md").read_text("utf-8")
    return page.partition("<!-- lab:begin -->\n\n")[2].partition("\n\n## ")[0] + "\n"


def keys_table() -> str:
    """The keys of ``tapewire watch``, as its own help shows them."""
    return _table(["Key", "Does"], ([f"`{keys}`".replace("  ", "` `"), words] for keys, words in KEYS))


def screen_picture() -> str:
    """One of the screens that the tests compare with."""
    shown = (ROOT / "tests/apps/view/screens/busy-96x26.txt").read_text("utf-8")
    return f"```text\n{shown}```\n"


PARTS: dict[str, Callable[[], str]] = {
    "events": field_tables,
    "feed-events": feed_tables,
    "options": option_tables,
    "settings": settings_table,
    "profiles": profile_table,
    "environment": environment_table,
    "scenario": scenario_table,
    "switches": switch_table,
    "switches-okx": okx_switch_table,
    "faults": fault_table,
    "error-tree": error_tree,
    "lab": lab_table,
    "metrics": metrics_table,
    "connection-metrics": connection_metrics_table,
    "keys": keys_table,
    "screen": screen_picture,
    "help": lambda: help_of("all"),
    **{f"help:{name}": lambda name=name: help_of(name) for name in COMMANDS},  # type: ignore[misc]
}


def fresh(page: str) -> str:
    """The page with every generated part as it is to be now."""
    return MARK.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n{found[3]}", page)


def pages() -> list[Path]:
    """README and every page of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _defaults(made: type[msgspec.Struct], *, units: bool = False) -> str:
    words = {**_OPTION_WORDS, **_attributes(made)}
    rows = []
    for row in table.rows_of(made):
        shown = f"{type(row.default).__name__}()" if isinstance(row.default, msgspec.Struct) else repr(row.default)
        if row.default == 1024 * 1024:
            shown = "1_048_576"
        rows.append((f"`{row.name}`", f"`{shown}`", row.unit, words.get(row.name, "")))
    if not units:
        return _table(("Name", "Default", "Meaning"), [(name, default, text) for name, default, _, text in rows])
    return _table(("Name", "Default", "Unit", "Meaning"), rows)


def _attributes(made: type) -> dict[str, str]:
    """The ``Attributes:`` of a class docstring."""
    return {name: _code(words) for name, words in table.attributes(made).items()}


def _lead(made: type) -> str:
    text = (made.__doc__ or "").split("Attributes:")[0]
    return "\n\n".join(_code(" ".join(part.split())) for part in text.split("\n\n") if part.strip())


def _paragraph(text: str) -> str:
    return _code(" ".join(text.split()))


def _code(text: str) -> str:
    plain = re.sub(
        r" \((?:spec(?:/(?:upbit|okx)\.md)? [^)]*|section \d+|\d+, \d+|A?\d\.\d|A\d|Uncertain \d+"
        r"|see `+tapewire\.sim\.faults`+)\)", "", text,
    )  # fmt: skip
    return plain.replace("``", "`")


def _type(made: Any) -> str:
    if typing.get_origin(made) is typing.Literal:
        return "str"
    text = made.__name__ if isinstance(made, type) and not hasattr(made, "__args__") else str(made)
    return re.sub(r"\b[a-z_.]+\.(?=[A-Z])", "", text)


def main() -> int:
    stale = []
    for path in pages():
        page = path.read_text("utf-8")
        new = fresh(page)
        if new != page:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(new, "utf-8")
    if stale:
        print(("stale: " if "--check" in sys.argv else "written: ") + ", ".join(stale))
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
