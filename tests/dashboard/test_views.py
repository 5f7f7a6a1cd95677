"""Every view before simulated exchanges: what a person sees, also when a line is cut or the gateway vanishes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from tapewire.sim.server import Simulator
from tests.dashboard.browser import resize
from tests.dashboard.stage import Person, Stage, staged

pytestmark = pytest.mark.timeout(120)
ROW = ".markets-list .list-space .row"
PRICE = re.compile(r"[\d,]+(?:\.\d+)?")
CLOCK = re.compile(r"\d\d:\d\d:\d\d")


@pytest.fixture(scope="module")
def stage(driver: webdriver.Chrome) -> Iterator[Stage]:
    with staged() as behind:
        yield behind


@pytest.fixture
def person(driver: webdriver.Chrome, stage: Stage) -> Iterator[Person]:
    """Somebody with an ordinary screen; at the end nothing was asked of others, and nothing went wrong."""
    resize(driver, 1280, 800)
    one = Person(driver, stage.url)
    one.leave()  # what the page of an earlier test still asks for is not this one's
    one.asked()
    one.complaints()
    yield one
    assert one.asked() == []
    assert one.complaints() == []


def number(text: str) -> float:
    return float(text.replace(",", "").replace("−", "-"))


def test_the_table_of_markets_lives(person: Person) -> None:
    person.go("markets")
    person.until(lambda: len(person.texts(f"{ROW} .code")) == 10, "ten markets")
    assert set(person.texts(f"{ROW} .code")) >= {"KRW-BTC", "KRW-USDT", "BTC-USDT"}
    person.until(
        lambda: all(PRICE.fullmatch(text) for text in person.texts(f"{ROW} .price .figure")), "a price for each"
    )
    person.reads("#pill", "Live")
    assert person.text(".tally") == "10 of 10 markets"
    assert all(re.fullmatch(r"[+−]?\d+\.\d\d%", text) for text in person.texts(f"{ROW} .change .figure"))
    person.changes(f"{ROW} .price .figure")
    person.until(lambda: person.all(f"{ROW} polyline[points*=' ']"), "a trend")


def test_the_table_is_searched_sorted_and_filtered(person: Person) -> None:
    person.go("markets")
    person.until(lambda: len(person.texts(f"{ROW} .code")) == 10, "ten markets")
    person.see(".markets-list")
    person.driver.execute_script("document.querySelector('.markets-list').focus()")
    person.press("/", "ㅂㅌ")
    person.until(lambda: person.texts(f"{ROW} .code") == ["KRW-BTC"], "the one market")
    assert person.text(".tally") == "1 of 10 markets"
    person.press("zzz")
    person.reads(".empty", "No market matches.")
    person.press(Keys.CONTROL + "a", Keys.BACKSPACE)
    person.click("[data-filter='okx USDT']")
    person.until(lambda: len(person.texts(f"{ROW} .code")) == 4, "four markets of OKX")
    person.click("[data-filter='all']")
    person.click(".head .symbol button")
    codes = person.until(lambda: by_place(person) if len(by_place(person)) == 10 else None, "all again")
    assert codes == [
        "BTC-USDT",
        "ETH-USDT",
        "KRW-BTC",
        "KRW-DOGE",
        "KRW-ETH",
        "KRW-SOL",
        "KRW-USDT",
        "KRW-XRP",
        "SOL-USDT",
        "XRP-USDT",
    ]
    assert person.see(".head .symbol").get_attribute("aria-sort") == "ascending"
    person.click(".head .symbol button")
    assert person.see(".head .symbol").get_attribute("aria-sort") == "descending"
    person.until(lambda: by_place(person)[0] == "XRP-USDT", "turned round")


def by_place(person: Person) -> list[str]:
    """The codes as they stand from top to bottom."""
    script = (
        "return [...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility())"
        ".sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)"
        ".map((e) => e.querySelector('.code').textContent)"
    )
    found: list[str] = person.driver.execute_script(script, ROW)
    return found


def test_favourites_are_kept(person: Person) -> None:
    person.go("markets")
    person.until(lambda: len(person.texts(f"{ROW} .code")) == 10, "ten markets")
    person.click("[data-filter='favourites']")
    person.reads(".empty", "No favourites yet.")
    person.click("[data-filter='all']")
    person.click("button[aria-label='Add KRW-XRP to favourites']")
    assert person.see("button[aria-label='Take KRW-XRP off favourites']").get_attribute("aria-pressed") == "true"
    person.driver.refresh()
    person.until(lambda: len(person.texts(f"{ROW} .code")) == 10, "ten markets")
    person.click("[data-filter='favourites']")
    person.until(lambda: person.texts(f"{ROW} .code") == ["KRW-XRP"], "the favourite alone")


def test_the_keyboard_is_enough(person: Person) -> None:
    person.go("markets")
    person.until(lambda: len(person.texts(f"{ROW} .code")) == 10, "ten markets")
    person.click(".head .symbol button")
    person.until(lambda: by_place(person)[0] == "BTC-USDT", "sorted by code")
    person.driver.execute_script("document.querySelector('.markets-list').focus()")
    person.press(Keys.END, Keys.HOME, Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    chosen = person.see(f"{ROW}[aria-selected='true']")
    assert chosen.text.startswith("☆")
    assert person.see(".markets-list").get_attribute("aria-activedescendant") == chosen.get_attribute("id")
    person.press("f")
    person.until(lambda: person.all("button[aria-label='Take KRW-BTC off favourites']"), "a favourite by key")
    person.press(Keys.ENTER)
    person.reads("h1", "KRW-BTC")
    assert person.driver.current_url.endswith("#/market/upbit/KRW-BTC")


def test_one_market_lives(person: Person) -> None:
    person.go("market/upbit/KRW-BTC")
    person.reads("h1", "KRW-BTC")
    person.until(lambda: re.fullmatch(r"\d+,\d{3},\d{3}", person.text("#price")), "a price in won")
    assert person.text(".market-name p") == "Bitcoin · upbit"
    for name in ("high", "low"):
        assert PRICE.fullmatch(person.text(f"#{name}"))
    assert person.text("#volume").endswith(" BTC")
    person.until(lambda: len(person.texts(".print:not(.head)")) >= 20, "trades")
    trades = person.texts(".print:not(.head) > :first-child")
    assert all(CLOCK.fullmatch(text) for text in trades)
    assert trades == sorted(trades, reverse=True)
    person.changes(".print:not(.head)")
    person.changes("#price")


def test_the_ladder_is_a_book_and_can_be_grouped(person: Person) -> None:
    person.go("market/upbit/KRW-BTC")
    person.until(lambda: len(person.texts(".bids .rung:not([data-empty])")) == 15, "a book")
    book = rungs(person, "asks", "bids")  # at one moment
    asks, bids = book[:15], book[15:]
    assert asks == sorted(asks, reverse=True)
    assert bids == sorted(bids, reverse=True)
    assert asks[-1] > bids[0]
    assert person.text("#spread").startswith("Spread ")
    person.changes(".bids .rung")
    steps = [option.text for option in person.all("#group option")]
    assert steps[0] == "none"
    person.see("#group").send_keys(steps[-1])
    step = number(steps[-1])
    person.until(lambda: all(price % step == 0 for price in rungs(person, "bids")), "whole groups")
    assert all(price % step == 0 for price in rungs(person, "asks"))


def rungs(person: Person, *sides: str) -> list[float]:
    css = ", ".join(f".{side} .rung:not([data-empty]) > :nth-child(2)" for side in sides)
    return [number(text) for text in person.texts(css)]


def test_candles_are_drawn_live_in_every_unit(person: Person) -> None:
    person.go("market/upbit/KRW-BTC")
    person.until(lambda: person.text(".legend").startswith("O "), "a legend")
    person.changes(".legend")
    assert ink(person) > 500
    for unit in ("1s", "60m", "1m"):
        person.click(f"[data-unit='{unit}']")
        person.until(lambda unit=unit: unit in str(person.see(".chart").get_attribute("aria-label")), unit)  # type: ignore[misc]
        person.until(lambda: ink(person) > 500, "candles")
    assert person.texts(".trouble") == []


def ink(person: Person) -> int:
    """How many pixels of the chart have the colour of a candle."""
    script = """
      let found = 0;
      for (const canvas of document.querySelectorAll('.chart canvas')) {
        if (!canvas.width || !canvas.height) continue;
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        for (let i = 0; i < data.length; i += 4) found += data[i + 3] > 200 && Math.abs(data[i] - data[i + 1]) > 60;
      }
      return found;
    """
    return int(person.driver.execute_script(script))


def test_a_market_of_okx_has_its_own_units_and_book(person: Person) -> None:
    person.go("market/okx/BTC-USDT")
    person.until(lambda: len(person.texts(".asks .rung:not([data-empty])")) == 15, "a book of OKX")
    assert "1H" in person.texts(".units .chip")
    person.changes(".asks .rung")
    person.until(lambda: len(person.texts(".print:not(.head)")) >= 5, "trades")
    person.click(".back")
    person.see(".markets-list")


def test_a_market_that_there_is_not_is_said_to_be_none(person: Person) -> None:
    person.go("market/upbit/KRW-NIX")
    person.reads(".empty", "There is no market KRW-NIX at upbit.")
    assert person.texts(".panel") == []


def test_the_premium_is_that_of_the_rate(person: Person) -> None:
    person.go("premium")
    person.until(lambda: len(person.texts(".premium-list .list-space .code")) == 4, "four coins")
    assert set(person.texts(".premium-list .list-space .code")) == {"BTC", "ETH", "XRP", "SOL"}
    person.reads("#rate-source", "from KRW-USDT at upbit")
    rate = person.see("#rate")
    rate.send_keys("1000")
    person.reads("#rate-source", "your own")
    dear = [number(text.rstrip("%")) for text in person.texts(".premium-list .list-space .change")]
    rate.clear()
    rate.send_keys("2000")
    half = person.until(lambda: percents(person) if max(percents(person)) < max(dear) else None, "half as dear")
    assert max(half) == pytest.approx((max(dear) + 100) / 2 - 100, abs=2)


def percents(person: Person) -> list[float]:
    return [number(text.rstrip("%")) for text in person.texts(".premium-list .list-space .change")]


def test_health_says_how_the_feed_is(person: Person, stage: Stage) -> None:
    person.go("health")
    person.reads("#health-status", "Healthy")
    person.until(lambda: {"upbit-1", "okx-1"} <= set(person.texts(".card h3")), "a card for each connection")
    person.until(lambda: person.texts(".card .pill").count("active") >= 2, "both active")
    person.until(lambda: re.fullmatch(r"[\d,]+/s", person.text("#rate-now")), "messages a second")
    person.until(lambda: "half within" in person.text("#latency-text"), "latencies")
    assert [one for one in person.texts(".limit-name") if one.startswith("upbit")]
    assert any(re.fullmatch(r"\d+ of \d+ left in .+", text) for text in person.texts(".limits .figure"))
    assert person.all(".timeline rect[data-tone='good']")
    stage.do(lambda: stage.upbit.announce("Notice <b>of</b> the day"))
    person.reads(".notices", "Notice <b>of</b> the day")


def test_a_cut_line_is_told_and_comes_back(person: Person, stage: Stage) -> None:
    person.go("health")
    person.until(lambda: person.texts(".card .pill").count("active") >= 2, "both active")
    stage.do(stage.upbit.abort)
    person.reads(".news [data-tone='bad']", "connection lost")
    person.reads(".news [data-tone='good']", "recovered after")
    person.until(
        lambda: any("ticker" in text for text in person.texts(".gaps-list .list-space .stream")),
        "the tickers' row in the ledger, which may come after that of the private line",
    )
    person.reads(".gaps-list .list-space .state", "state is whole")
    person.until(lambda: person.texts(".card .pill").count("active") >= 2, "both active again")


def test_a_feed_that_is_down_is_said_to_be_and_comes_back(person: Person, stage: Stage) -> None:
    person.go("markets")
    person.reads("#pill", "Live")
    stage.do(lambda: stage.upbit.maintenance(8.0))
    person.reads(".banner", "The feed of upbit is interrupted.")
    assert person.text("#pill") == "Feed down"
    person.until(lambda: person.texts(".banner") == [], "no banner any more")
    person.until(lambda: person.text("#pill") != "Feed down", "the feed is back")
    person.reads("#voice", "The connection is back.")
    person.changes(f"{ROW} .price .figure")


def _has_more_lines(exchange: Simulator, before: int) -> bool:
    return len(exchange.connects) > before


@pytest.mark.parametrize(
    ("view", "alive"),
    [
        ("markets", f"{ROW} .price .figure"), ("market/upbit/KRW-BTC", ".print:not(.head)"), ("premium", ".change"),
        ("health", ".card"),
    ],
)  # fmt: skip
def test_every_view_goes_on_after_its_lines_were_cut(person: Person, stage: Stage, view: str, alive: str) -> None:
    person.asked()
    person.go(view)
    person.reads("#pill", "Live")
    person.changes(alive)
    for exchange in (stage.upbit, stage.okx):
        before = len(exchange.connects)
        stage.do(exchange.abort)
        person.until(partial(_has_more_lines, exchange, before), "a new line")
    person.until(lambda: person.text("#pill") != "Feed down", "the feed is back")
    person.changes(alive)
    assert person.asked() == []
    assert person.complaints() == []


def test_a_gateway_that_vanishes_is_said_to_have_and_comes_back_by_itself(person: Person, stage: Stage) -> None:
    person.go("market/upbit/KRW-ETH")
    person.until(lambda: len(person.texts(".bids .rung:not([data-empty])")) == 15, "a book")
    stage.vanish()
    person.reads(".banner", "The gateway cannot be reached. What you see is from ")
    person.reads(".banner button", "Try now")
    assert person.text("#pill") == "Gateway down"
    assert float(person.see("#price").value_of_css_property("opacity")) < 1
    stage.serve()
    person.driver.execute_script("document.querySelector('.banner button').click()")  # it may be back by itself already
    person.until(lambda: person.texts(".banner") == [], "no banner any more")
    person.reads("#pill", "Live")
    person.changes(".bids .rung")
    person.changes(".print:not(.head)")


def test_language_zone_and_theme_are_the_readers_choice(person: Person) -> None:
    person.go("markets")
    person.until(lambda: len(person.texts(f"{ROW} .code")) == 10, "ten markets")
    ground = person.see("html").value_of_css_property("background-color")
    person.click(".drawer summary")
    choose(person, "theme", "Light")
    assert person.see("html").value_of_css_property("background-color") != ground
    choose(person, "language", "한국어")
    person.reads("nav a", "마켓")
    person.reads(f"{ROW} .name", "비트코인")
    assert person.see("html").get_attribute("lang") == "ko"
    choose(person, "zone", "KST")
    person.driver.refresh()
    person.reads("nav a", "마켓")
    person.until(lambda: len(person.texts(f"{ROW} .code")) == 10, "ten markets")
    person.driver.execute_script("location.hash = '#/market/upbit/KRW-BTC'")
    person.until(lambda: len(person.texts(".print:not(.head)")) >= 5, "trades")
    now = person.driver.execute_script("return new Date(Date.now() + 9 * 3600e3).toISOString().slice(11, 13)")
    assert abs(int(person.text(".print:not(.head) > :first-child")[:2]) - int(now)) in {0, 1, 23}


def choose(person: Person, name: str, text: str) -> None:
    options = person.all(f"select[name='{name}'] option")
    next(option for option in options if option.text == text).click()


def test_little_motion_is_none(person: Person) -> None:
    calm = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    person.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", calm)
    try:
        person.go("markets")
        person.until(lambda: len(person.texts(f"{ROW} .code")) == 10, "ten markets")
        person.changes(f"{ROW} .price .figure")
        assert person.driver.execute_script("return document.getAnimations().length") == 0
    finally:
        person.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


NAMELESS = """
  const text = (e) => e.getAttribute('aria-label') || e.textContent || e.title || e.labels?.[0]?.textContent || '';
  return [...document.querySelectorAll('a, button, input, select, meter, [role=img], section, nav')]
    .filter((e) => e.checkVisibility() && !text(e).trim() && !e.getAttribute('aria-labelledby'))
    .map((e) => e.outerHTML.slice(0, 120));
"""
ROLES = """
  const row = '[role=row]';
  const parents = { row: '[role=table],[role=grid],[role=rowgroup]', cell: row, gridcell: row, columnheader: row };
  return Object.entries(parents).flatMap(([role, parent]) => [...document.querySelectorAll(`[role=${role}]`)]
    .filter((e) => !e.parentElement.closest(parent)).map((e) => e.outerHTML.slice(0, 120)));
"""
WIDTHS = """
  const main = document.querySelector('main');
  return [document.documentElement.scrollWidth, main.scrollWidth - main.clientWidth];
"""


@pytest.mark.parametrize("view", ["markets", "market/upbit/KRW-BTC", "health", "premium"])
def test_every_view_fits_every_screen_and_screen_readers(person: Person, view: str) -> None:
    person.go(view)
    person.reads("#pill", "Live")
    assert person.driver.execute_script(NAMELESS) == []
    assert person.driver.execute_script(ROLES) == []
    assert len(person.all("h1")) == 1
    assert len(person.all("main")) == 1
    assert [one.get_attribute("id") for one in person.all("[aria-live=polite]")] == ["voice"]
    for width, height in ((390, 844), (1920, 1080)):
        resize(person.driver, width, height)
        assert person.driver.execute_script(WIDTHS) == [width, 0]


CONTRAST = """
  const channel = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = (name) => {
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.color = `var(${name})`;
    const parts = getComputedStyle(probe).color.match(/[\\d.]+/g);
    probe.remove();
    const [r, g, b] = parts.map((one) => channel(Number(one) / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  Object.assign(document.documentElement.dataset, { theme: arguments[0], colours: arguments[1] });
  return ['--text', '--dim', '--up', '--down', '--good', '--busy', '--bad', '--accent']
    .flatMap((ink) => ['--surface', '--ground', '--raised'].map((paper) => [`${ink} on ${paper}`, ratio(ink, paper)]))
"""


def test_every_ink_can_be_read_on_every_paper(person: Person) -> None:
    person.go("markets")
    person.see("#pill")
    for theme in ("light", "dark"):
        for colours in ("green", "red"):
            ratios = person.driver.execute_script(CONTRAST, theme, colours)
            assert [(theme, name) for name, ratio in ratios if ratio < 4.5] == []
