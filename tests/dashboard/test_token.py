"""A gateway that asks for tokens: the page asks its reader, and goes on with what it was given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from tapewire.apps.gateway.access import Token
from tapewire.config import Secret
from tests.apps.gateway.stage import served
from tests.dashboard.browser import resize
from tests.dashboard.stage import Person
from tests.dashboard.threads import in_background

GOOD = "correct-horse+battery/staple=="
pytestmark = pytest.mark.timeout(120)


@asynccontextmanager
async def guarded() -> AsyncIterator[str]:
    tokens = (Token(name="reader", token=Secret(GOOD), scopes=("market",)),)
    async with served(tokens=tokens) as stage:
        yield stage.gateway.url


def test_the_page_asks_for_a_token_and_keeps_it(driver: webdriver.Chrome) -> None:
    with in_background(guarded) as url:
        resize(driver, 1280, 800)
        person = Person(driver, url)
        person.go("markets")
        person.reads(".banner", "This gateway asks for a token.")
        person.see(".banner input").send_keys("not-the-right-one-at-all", Keys.ENTER)
        person.until(
            lambda: person.all(".banner input") and not person.see(".banner input").get_attribute("value"), "asked"
        )
        person.reads(".banner", "This gateway asks for a token.")
        person.see(".banner input").send_keys(GOOD, Keys.ENTER)
        person.reads("#pill", "Live")
        person.until(lambda: len(person.texts(".markets-list .list-space .code")) == 3, "markets")
        assert GOOD not in driver.execute_script("return JSON.stringify(localStorage) + location.href")
        person.driver.refresh()
        person.reads("#pill", "Live")
        driver.delete_all_cookies()
        person.complaints()
