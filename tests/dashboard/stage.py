"""Simulated exchanges, the gateway before them, and a person at the page, who can read, click and press."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tapewire import WebSocketClient
from tapewire.apps.gateway.gateway import Gateway
from tapewire.apps.gateway.settings import GatewayOptions
from tapewire.sim.scenario import Scenario
from tapewire.sim.server import Simulator
from tests.dashboard.browser import complaints, requests, wait
from tests.dashboard.threads import loop_of_its_own

COINS = ("BTC", "ETH", "XRP", "SOL", "DOGE", "USDT")


class Stage:
    """What stands behind the page. Its methods are called from the test's thread."""

    def __init__(self, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._run = run
        won = tuple(f"KRW-{coin}" for coin in COINS)
        self.upbit = Simulator(Scenario(markets=won, rate=150.0, announcements=5.0))
        self.okx = Simulator(Scenario(venue="okx", markets=("BTC-USDT", "ETH-USDT", "XRP-USDT", "SOL-USDT"), rate=80.0))
        self.port = 0
        self.gateway: Gateway | None = None

    def open(self) -> None:
        self._run(self.upbit.start())
        self._run(self.okx.start())
        self.serve()

    def serve(self) -> None:
        """Start the gateway; a second time at the same address, as after a crash."""

        async def begin() -> Gateway:
            key = self.upbit.keys[0]
            upbit = WebSocketClient(
                "page", "upbit", url=self.upbit.url, access_key=key.access_key, secret_key=key.secret_key.reveal()
            )
            okx = WebSocketClient("page", "okx", url=self.okx.url)
            gateway = Gateway([upbit, okx], GatewayOptions(port=self.port, private=True))
            await gateway.start()
            return gateway

        self.gateway = self._run(begin())
        self.port = int(self.gateway.url.rpartition(":")[2])

    def vanish(self) -> None:
        """End the gateway."""
        if self.gateway is not None:
            self._run(self.gateway.stop())
        self.gateway = None

    def do(self, deed: Callable[[], Any]) -> Any:
        """Call something on the thread of the exchanges."""

        async def called() -> Any:
            return deed()

        return self._run(called())

    def close(self) -> None:
        self.vanish()
        self._run(self.upbit.stop())
        self._run(self.okx.stop())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def staged() -> Iterator[Stage]:
    """Two exchanges and a gateway."""
    with loop_of_its_own() as run:
        stage = Stage(run)
        stage.open()
        try:
            yield stage
        finally:
            stage.close()


class Person:
    """Looks at the page."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver, self.url = driver, url

    def go(self, view: str = "", **settings: Any) -> None:
        """Open the page anew at a view, as somebody with these settings."""
        chosen = json.dumps({"language": "en", "zone": "UTC", "theme": "dark", "colours": "green"} | settings)
        before = f"if (location.host) localStorage.setItem('tapewire.settings', {json.dumps(chosen)})"
        script = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": before})
        self.leave()  # another fragment alone would be no new document
        self.driver.get(f"{self.url}/#/{view}")
        self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)

    def leave(self) -> None:
        """Close the page: nothing of it asks or complains from here on."""
        self.driver.get("about:blank")

    def all(self, css: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def see(self, css: str) -> WebElement:
        """The first element of this kind that is shown, as soon as there is one."""
        found: WebElement = self.until(lambda: next((one for one in self.all(css) if one.is_displayed()), None), css)
        return found

    def text(self, css: str) -> str:
        """What the first that is shown says, "" when none is."""
        return next(iter(self.texts(css)), "")

    def texts(self, css: str) -> list[str]:
        """What all that are shown say, read at one moment."""
        script = (
            "return [...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility())"
            ".map((e) => e.textContent)"
        )
        found: list[str] = self.driver.execute_script(script, css)
        return found

    def until(self, condition: Callable[[], Any], what: str) -> Any:
        return wait(self.driver, condition, what)

    def click(self, css: str) -> None:
        self.see(css).click()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def reads(self, css: str, word: str) -> None:
        """Wait until something says this."""
        self.until(lambda: any(word in text for text in self.texts(css)), f"{css} says {word!r}")

    def changes(self, css: str) -> None:
        """Wait until something says other than now."""
        before = self.texts(css)
        self.until(lambda: self.texts(css) != before, f"{css} changes")

    def asked(self) -> list[str]:
        """Addresses that were asked for since the last time, those of this server aside."""
        ours = (self.url + "/", self.url.replace("http", "ws", 1) + "/", "about:", "data:,")
        return [address for address in requests(self.driver) if not address.startswith(ours)]

    def complaints(self) -> list[str]:
        """Errors of programs in the console: doors that did not answer are what the page tells its reader."""
        told = ("Failed to load resource", "WebSocket connection to")
        return [said for said in complaints(self.driver) if not any(known in said for known in told)]
