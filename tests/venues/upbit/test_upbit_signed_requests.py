"""Private and info wishes → the very text of the request; LIST_SUBSCRIPTIONS → the streams that are held."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapewire.model.subscription import Subscription, Wish, as_detail
from tapewire.venues.contract import Control, Quarantine
from tapewire.venues.upbit import KOREA
from tapewire.venues.upbit.fields import INDICATOR_FIELDS, OBJECT_FIELDS, RESULT_FIELDS

RSI = as_detail({"type": "rsi", "params": {"period": 14}})
MACD = as_detail({"type": "macd", "params": {"fast": 12, "slow": 26, "signal_period": 9}})
SPIKE = as_detail(
    {"type": "volume", "params": {"period": 20}, "trigger": "volume_spike", "event_params": {"multiplier": 2.0}}
)
BANDS = as_detail(
    {"type": "bollinger_bands", "params": {"period": 20, "multiplier": 1.5}, "trigger": "price_cross_above"}
)
ORDERS, ASSETS, NOTICES = (Subscription(kind, "") for kind in ("myOrder", "myAsset", "announcement"))
CHOSEN = Subscription("announcement", "", detail=as_detail({"categories": ["event", "notice"], "include_body": True}))


def value(symbol: str, detail: str = RSI, unit: str = "5m") -> Subscription:
    return Subscription("indicator", symbol, unit=unit, detail=detail)


def signal(symbol: str, detail: str = SPIKE, unit: str = "15m") -> Subscription:
    return Subscription("indicator_signal", symbol, unit=unit, detail=detail)


@pytest.mark.parametrize(
    ("subscriptions", "types"),
    [
        pytest.param([ASSETS], b'{"type":"myAsset"}', id="balances: never codes"),
        pytest.param([ORDERS], b'{"type":"myOrder"}', id="orders of every market: no codes"),
        pytest.param(
            [Subscription("myOrder", "KRW-ETH"), Subscription("myOrder", "KRW-BTC")],
            b'{"type":"myOrder","codes":["KRW-ETH","KRW-BTC"]}',
            id="orders of two markets",
        ),
        pytest.param(
            [Subscription("myOrder", "KRW-ETH"), ORDERS],
            b'{"type":"myOrder"}',
            id="orders of one market and of every: every",
        ),
        pytest.param([NOTICES], b'{"type":"announcement"}', id="all announcements"),
        pytest.param(
            [CHOSEN],
            b'{"type":"announcement","categories":["event","notice"],"include_body":true}',
            id="chosen announcements with their text",
        ),
        pytest.param(
            [ORDERS, ASSETS, NOTICES],
            b'{"type":"announcement"},{"type":"myAsset"},{"type":"myOrder"}',
            id="the whole private side",
        ),
        pytest.param(
            [value("KRW-BTC"), value("KRW-ETH"), value("KRW-BTC", MACD), value("KRW-BTC", unit="1d"), value("KRW-BTC")],
            b'{"type":"indicator","codes":["KRW-BTC"],"timeframe":"1d",'
            b'"indicators":[{"params":{"period":14},"type":"rsi"}]},'
            b'{"type":"indicator","codes":["KRW-BTC"],"timeframe":"5m",'
            b'"indicators":[{"params":{"fast":12,"signal_period":9,"slow":26},"type":"macd"}]},'
            b'{"type":"indicator","codes":["KRW-BTC","KRW-ETH"],"timeframe":"5m",'
            b'"indicators":[{"params":{"period":14},"type":"rsi"}]}',
            id="indicators: one object each, with its codes",
        ),
        pytest.param(
            [signal("KRW-BTC"), value("KRW-BTC"), signal("KRW-BTC", BANDS)],
            b'{"type":"indicator","codes":["KRW-BTC"],"timeframe":"5m",'
            b'"indicators":[{"params":{"period":14},"type":"rsi"}]},'
            b'{"type":"indicator_signal","codes":["KRW-BTC"],"timeframe":"15m",'
            b'"indicators":[{"event_params":{"multiplier":2},"params":{"period":20},"trigger":"volume_spike",'
            b'"type":"volume"}]},'
            b'{"type":"indicator_signal","codes":["KRW-BTC"],"timeframe":"15m",'
            b'"indicators":[{"params":{"multiplier":1.5,"period":20},"trigger":"price_cross_above",'
            b'"type":"bollinger_bands"}]}',
            id="indicators and signals",
        ),
    ],
)
@pytest.mark.parametrize("flags", [{}, {"snapshot": False}, {"realtime": False}], ids=["both", "realtime", "snapshot"])
def test_the_request_is_written_out_in_full_and_never_has_a_flag(
    subscriptions: list[Subscription], types: bytes, flags: dict[str, bool]
) -> None:
    wishes = [Wish(one, **flags) for one in subscriptions]
    assert KOREA.encode(wishes, "t-1", "SIMPLE") == [b'[{"ticket":"t-1"},%b,{"format":"SIMPLE"}]' % types]
    for one in subscriptions:
        KOREA.check(one, None)


def test_only_announcements_of_different_choice_need_a_line_of_their_own() -> None:
    streams = [
        ORDERS, ASSETS, Subscription("myOrder", "KRW-BTC"), value("KRW-BTC"), value("KRW-BTC", MACD),
        value("KRW-BTC", unit="1d"), signal("KRW-BTC"), signal("KRW-BTC", BANDS), NOTICES, CHOSEN,
    ]  # fmt: skip
    apart = {(one, other) for one in streams for other in streams if not KOREA.same_line(one, other)}
    assert apart == {(NOTICES, CHOSEN), (CHOSEN, NOTICES)}


def test_a_hundred_indicators_and_signals_fit_a_connection_and_no_more() -> None:
    assert KOREA.fits is not None
    many = [value(f"KRW-C{number}") for number in range(60)] + [signal(f"KRW-C{number}") for number in range(40)]
    rest = [ORDERS, ASSETS, NOTICES, *(Subscription("ticker", f"KRW-C{number}") for number in range(200))]
    assert KOREA.fits([])
    assert KOREA.fits([*many, *rest])
    assert KOREA.fits([*many, *rest, many[7]])  # a stream that is there already is no more
    assert not KOREA.fits([*many, value("KRW-C0", MACD)])
    assert not KOREA.fits([*many, signal("KRW-C0", BANDS)])


def held(payload: bytes) -> list[Subscription]:
    """As the client does it: through the codec."""
    reading = KOREA.codec("DEFAULT", "float", False).read(payload)
    [control] = reading.controls
    assert (control.kind, reading.quarantined) == ("subscriptions", ())
    assert KOREA.read_list is not None
    return KOREA.read_list(control.details)


@pytest.mark.parametrize(
    ("payload", "streams"),
    [
        pytest.param(b'{"method":"LIST_SUBSCRIPTIONS","ticket":"t"}', [], id="nothing"),
        pytest.param(
            b'{"method":"LIST_SUBSCRIPTIONS","result":[{"type":"ticker","codes":["KRW-BTC","KRW-ETH"]},'
            b'{"type":"orderbook","codes":["KRW-BTC"],"level":0}],"ticket":"0e66c0ac"}',
            [
                Subscription("ticker", "KRW-BTC"),
                Subscription("ticker", "KRW-ETH"),
                Subscription("orderbook", "KRW-BTC"),
            ],
            id="public",
        ),
        pytest.param(
            b'{"mthd":"LIST_SUBSCRIPTIONS","rslt":[{"ty":"orderbook","cds":["KRW-BTC.15","KRW-ETH"],"lv":"10000"},'
            b'{"ty":"candle.240m","cds":["KRW-BTC"],"lv":null}],"tckt":12}',
            [
                Subscription("orderbook", "KRW-BTC", depth=15, level=10000),
                Subscription("orderbook", "KRW-ETH", level=10000),
                Subscription("candle", "KRW-BTC", unit="240m"),
            ],
            id="SIMPLE",
        ),
        pytest.param(
            b'{"method":"LIST_SUBSCRIPTIONS","result":[{"type":"myAsset"},{"type":"myOrder","codes":["KRW-BTC"]},'
            b'{"type":"announcement"}]}',
            [ASSETS, Subscription("myOrder", "KRW-BTC"), NOTICES],
            id="private",
        ),
        pytest.param(
            b'{"method":"LIST_SUBSCRIPTIONS","result":[{"type":"myOrder","codes":[]},{"type":"myOrder"},'
            b'{"type":"announcement","categories":["notice","event"],"include_body":true},'
            b'{"type":"announcement","categories":[],"include_body":false}]}',
            [ORDERS, ORDERS, CHOSEN, NOTICES],
            id="choices",
        ),
        pytest.param(
            b'{"method":"LIST_SUBSCRIPTIONS","result":[{"type":"indicator","codes":["KRW-BTC","KRW-ETH"],'
            b'"timeframe":"5m","indicators":[{"type":"rsi","params":{"period":14.0}},{"type":"macd",'
            b'"params":{"fast":12,"slow":26,"signal_period":9}}]},{"type":"indicator_signal","codes":["KRW-BTC"],'
            b'"timeframe":"15m","indicators":[{"type":"volume","params":{"period":20},"trigger":"volume_spike",'
            b'"event_params":{"multiplier":2.0}},{"type":"bollinger_bands","params":{"period":20,"multiplier":1.5},'
            b'"trigger":"price_cross_above","event_params":{}}]}]}',
            [
                value("KRW-BTC"),
                value("KRW-BTC", MACD),
                value("KRW-ETH"),
                value("KRW-ETH", MACD),
                signal("KRW-BTC"),
                signal("KRW-BTC", BANDS),
            ],
            id="info",
        ),
        pytest.param(
            b'{"mthd":"LIST_SUBSCRIPTIONS","rslt":[{"ty":"indicator_signal","cds":["KRW-BTC"],"tf":"15m","ind":['
            b'{"ty":"volume","p":{"p":20},"tr":"volume_spike","ep":{"mul":2}}]}]}',
            [signal("KRW-BTC")],
            id="info in SIMPLE",
        ),
        pytest.param(
            b'{"method":"LIST_SUBSCRIPTIONS","result":[{"type":"myPoints","x":1},{"type":"news","codes":["KRW-BTC"]}]}',
            [Subscription("myPoints", ""), Subscription("news", "KRW-BTC")],
            id="types of tomorrow",
        ),
    ],
)
def test_what_upbit_says_that_it_holds_becomes_streams(payload: bytes, streams: list[Subscription]) -> None:
    assert held(payload) == streams


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (b'[{"codes":["KRW-BTC"]}]', "Object missing required field `type` - at `$[0]`"),
        (b'[{"type":"ticker","codes":"KRW-BTC"}]', "Expected `array`, got `str` - at `$[0].codes`"),
        (b'[{"type":"ticker","codes":[7]}]', "Expected `str`, got `int` - at `$[0].codes[0]`"),
        (b'[{"type":"orderbook","codes":["KRW-BTC"],"level":"x"}]',
         "Expected `float | null`, got `str` - at `$[0].level`"),
        (b'[{"type":"orderbook","codes":["KRW-BTC.x"]}]', "unknown depth in 'KRW-BTC.x'"),
        (b'[{"type":"indicator","codes":["KRW-BTC"],"indicators":[7]}]',
         "Expected `object`, got `int` - at `$[0].indicators[0]`"),
        (b'[{"type":"indicator","codes":["KRW-BTC"],"indicators":{"type":"rsi"}}]',
         "Expected `array`, got `object` - at `$[0].indicators`"),
    ],
)  # fmt: skip
def test_an_answer_that_makes_no_sense_goes_to_quarantine(result: bytes, reason: str) -> None:
    payload = b'{"method":"LIST_SUBSCRIPTIONS","result":%b}' % result
    reading = KOREA.codec("DEFAULT", "float", False).read(payload)
    assert (reading.events, reading.controls) == ((), ())
    assert reading.quarantined == (Quarantine(reason, payload),)


_codes = st.sampled_from(["KRW-BTC", "KRW-ETH", "KRW-XRP"])
_streams = st.one_of(
    st.builds(Subscription, st.sampled_from(["ticker", "trade", "myOrder"]), _codes),
    st.builds(Subscription, st.just("orderbook"), _codes, depth=st.sampled_from([None, 15]),
              level=st.sampled_from([0, 10000, 0.5])),
    st.builds(Subscription, st.just("candle"), _codes, unit=st.sampled_from(["1s", "240m"])),
    st.sampled_from([ASSETS, NOTICES]),
    st.builds(value, _codes, st.sampled_from([RSI, MACD]), st.sampled_from(["5m", "1d"])),
    st.builds(signal, _codes, st.sampled_from([SPIKE, BANDS]), st.sampled_from(["5m", "1d"])),
)  # fmt: skip


def shortened(said: dict[str, Any]) -> dict[str, Any]:
    """A type object under the SIMPLE names of a listing."""
    short = {RESULT_FIELDS[name]: item for name, item in said.items()}
    for one in short.get("ind", []):
        for name in ("params", "event_params"):
            if name in one:
                one[name] = {OBJECT_FIELDS[name][key]: item for key, item in one[name].items()}
        for name in list(one):
            one[INDICATOR_FIELDS[name]] = one.pop(name)
    return short


@given(st.lists(_streams, min_size=1, unique=True), st.booleans())
def test_a_request_listed_back_is_what_was_asked_for(streams: list[Subscription], simple: bool) -> None:
    [payload] = KOREA.encode([Wish(one) for one in streams], "t", "DEFAULT")
    _, *types, _ = msgspec.json.decode(payload)
    if simple:
        answer = {"mthd": "LIST_SUBSCRIPTIONS", "rslt": [shortened(one) for one in types], "tckt": "t"}
    else:
        answer = {"method": "LIST_SUBSCRIPTIONS", "result": types, "ticket": "t"}
    assert sorted(map(str, held(msgspec.json.encode(answer)))) == sorted(map(str, streams))


def test_details_are_under_full_names_whatever_the_form() -> None:
    full = {"type": "indicator", "codes": ["KRW-BTC"], "timeframe": "5m",
            "indicators": [{"type": "rsi", "params": {"period": 14}}]}  # fmt: skip
    short = shortened(msgspec.json.decode(msgspec.json.encode(full)))
    payload = msgspec.json.encode({"mthd": "LIST_SUBSCRIPTIONS", "rslt": [short], "tckt": "t"})
    reading = KOREA.codec("SIMPLE", "float", False).read(payload)
    assert reading.controls == (Control("subscriptions", details={"ticket": "t", "result": [full]}),)
