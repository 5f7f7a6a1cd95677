"""Prices, sizes, spans and times as the page writes them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dashboard.conftest import Calculate

MOMENT = 1_795_279_665_927  # 2026-11-21 16:47:45.927 UTC


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("m.price(89885000, 0, 'en')", "89,885,000"),
        ("m.price(0.1, 4, 'en')", "0.1000"),
        ("m.price(null, 2, 'en')", "–"),
        ("m.price(NaN, 2, 'en')", "–"),
        ("m.price(1234.5, 1, 'ko')", "1,234.5"),
        ("m.decimalsOf(89885000)", 0),
        ("m.decimalsOf(0.25)", 2),
        ("m.decimalsOf(1.9e-7)", 8),
        ("m.decimalsOf(1e21)", 0),
        ("m.decimalsOf(0.1 + 0.2)", 1),
        ("m.size(0.00000019, 'en')", "0.00000019"),
        ("m.size(12.345678, 'en')", "12.3457"),
        ("m.size(1234567.891, 'en')", "1,234,567.89"),
        ("m.compact(50310444292, 'en')", "50.31B"),
        ("m.compact(50310444292, 'ko')", "503.1억"),
        ("m.compact(0, 'en')", "0"),
        ("m.compact(undefined, 'en')", "–"),
        ("m.percent(0.012345, 'en')", "+1.23%"),
        ("m.percent(-0.5, 'en')", "−50.00%"),
        ("m.percent(0, 'en')", "0.00%"),
        ("m.percent(null, 'en')", "–"),
        ("m.milliseconds(0.42, 'en')", "0.4 ms"),
        ("m.milliseconds(12.4, 'en')", "12 ms"),
        ("m.milliseconds(1234, 'en')", "1.2 s"),
        ("m.milliseconds(321739600, 'en')", "3 d 17 h"),
        ("m.span(2.34, 'en')", "2.3 s"),
        ("m.span(60, 'en')", "1 min"),
        ("m.span(3725, 'en')", "1 h 2 min"),
        ("m.span(266400, 'ko')", "3일 2시간"),
        ("m.span(null, 'ko')", "–"),
        (f"m.clock({MOMENT}, 'UTC')", "16:47:45"),
        (f"m.clock({MOMENT}, 'KST')", "01:47:45"),
        (f"m.clock({MOMENT}, 'UTC', true)", "16:47:45.927"),
        (f"m.stamp({MOMENT}, 'KST')", "2026-11-22 01:47:45"),
        ("m.clock(NaN, 'UTC')", "–"),
        ("m.offsetOf('KST')", 32_400_000),
    ],
)
def test_formats(calculated: Calculate, expression: str, text: Any) -> None:
    assert calculated("logic/format.js", expression) == text


def test_every_word_is_there_in_both_languages_with_the_same_places(calculated: Calculate) -> None:
    words = calculated("logic/words.js", "m.allWords()")
    assert len(words) > 100
    for name, texts in words:
        english, korean = texts
        assert english.strip(), name
        assert korean.strip(), name
        assert set(places(english)) == set(places(korean)), name


def places(text: str) -> list[str]:
    return [part.partition("}")[0] for part in text.split("{")[1:]]


def test_what_is_put_into_a_sentence_is_not_read_as_one(calculated: Calculate) -> None:
    assert (
        calculated("logic/words.js", "m.say('en', 'gapsCount', { count: '{count} $& $1' })")
        == "{count} $& $1 interruptions"
    )
    assert calculated("logic/words.js", "m.say('xx', 'markets')") == "Markets"


def test_korean_readers_begin_with_korean_habits(calculated: Calculate) -> None:
    korean: dict[str, Any] = {
        "language": "ko",
        "zone": "KST",
        "theme": "auto",
        "colours": "red",
        "favourites": [],
        "rate": None,
    }
    assert calculated("logic/settings.js", "m.read(null, ['ko-KR', 'en'])") == korean
    english: dict[str, Any] = {
        "language": "en",
        "zone": "UTC",
        "theme": "auto",
        "colours": "green",
        "favourites": [],
        "rate": None,
    }
    assert calculated("logic/settings.js", "m.read(null, ['de'])") == english
    assert calculated("logic/settings.js", "m.read(null, [])") == english


@pytest.mark.parametrize("stored", ["{", "null", "[]", "7", '{"language":"xx","zone":7,"favourites":"all","rate":-1}'])
def test_settings_that_cannot_be_read_are_the_usual_ones(calculated: Calculate, stored: str) -> None:
    assert calculated("logic/settings.js", f"m.read({stored!r}, ['en'])") == calculated(
        "logic/settings.js", "m.defaults(['en'])"
    )


def test_what_was_chosen_is_kept(calculated: Calculate) -> None:
    stored = '{"language":"ko","zone":"UTC","theme":"dark","colours":"green","favourites":["a",1,"b"],"rate":1400.5}'
    chosen = {
        "language": "ko",
        "zone": "UTC",
        "theme": "dark",
        "colours": "green",
        "favourites": ["a", "b"],
        "rate": 1400.5,
    }
    assert calculated("logic/settings.js", f"m.read({stored!r}, ['en'])") == chosen
    assert calculated("logic/settings.js", "['auto', 'light', 'dark'].map((one) => m.next('theme', one))") == [
        "light",
        "dark",
        "auto",
    ]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("https://upbit.com/a?b=c", "https://upbit.com/a?b=c"),
        ("http://127.0.0.1/", "http://127.0.0.1/"),
        ("javascript:alert(1)", None),
        (" JaVaScRiPt:alert(1)", None),
        ("data:text/html,x", None),
        ("vbscript:x", None),
        ("//evil", None),
        ("", None),
    ],
)
def test_only_addresses_of_the_web_become_links(calculated: Calculate, text: str, address: str | None) -> None:
    assert calculated("logic/links.js", f"m.webAddress({text!r})") == address


def test_names_of_any_kind_go_into_an_address_and_come_back(calculated: Calculate) -> None:
    names = ["market", "upbit", "KRW-<b>/#?%&='\"한"]
    assert calculated("logic/links.js", f"m.partsOf(m.address(...{names!r}))") == names
    assert calculated("logic/links.js", "m.partsOf('#/a/%E0%A4%A/')") == ["a", "%E0%A4%A"]
    assert calculated("logic/links.js", "m.partsOf('')") == []
