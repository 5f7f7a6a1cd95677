"""Many markets, many events: what is not seen does not exist, and what is seen is painted once a frame."""

from __future__ import annotations

import re
from functools import partial

import pytest
from benchmarks.loud import loud
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from tests.dashboard.browser import resize
from tests.dashboard.stage import Person
from tests.dashboard.threads import in_background

pytestmark = pytest.mark.timeout(120)
MARKETS = 300
ROW = ".markets-list .list-space .row"
#: Counts the callbacks that ran, and how many at most waited for the same frame: the painter's are the only ones here.
#: (Two frames of a busy Chromium may bear the same time.)
COUNT_FRAMES = """
  window.painted = window.waiting = window.mostWaiting = 0;
  const plain = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (paint) => {
    window.mostWaiting = Math.max(window.mostWaiting, window.waiting += 1);
    return plain((at) => { window.waiting -= 1; window.painted += 1; paint(at); });
  };
"""


def test_three_hundred_markets_are_a_screenful_painted_once_a_frame(driver: webdriver.Chrome) -> None:
    with in_background(partial(loud, MARKETS, 1_000.0)) as url:
        resize(driver, 1280, 800)
        person = Person(driver, url)
        counter = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": COUNT_FRAMES})
        person.go("markets")
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", counter)
        person.reads(".tally", f"{MARKETS} of {MARKETS} markets")
        person.see(f".markets-list[aria-rowcount='{MARKETS + 1}']")
        for _ in range(5):
            person.changes(f"{ROW} .price .figure")
        painted, most = driver.execute_script("return [window.painted, window.mostWaiting]")
        assert painted > 5
        assert most == 1
        assert len(person.all(ROW)) < 30
        person.click(".head .symbol button")
        person.until(lambda: "KRW-BTC" in person.texts(f"{ROW} .code"), "the first code")
        driver.execute_script("document.querySelector('.markets-list').focus()")
        person.press(Keys.END)
        last = f"KRW-C{MARKETS - 1:03}"
        person.until(lambda: last in person.texts(f"{ROW}[aria-selected='true'] .code"), "the last row")
        assert len(person.all(ROW)) < 30
        person.until(lambda: all(re.search(r"\d", text) for text in person.texts(f"{ROW} .price")), "prices there, too")
        assert person.complaints() == []
