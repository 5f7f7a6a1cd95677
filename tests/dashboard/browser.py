"""Debian's chromium without a screen, told to contact nothing but this machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
#: Generous: a machine with other load must pass, too.
PATIENCE = 30.0
ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--mute-audio",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync",
    "--disable-extensions", "--disable-domain-reliability", "--no-proxy-server", "--metrics-recording-only",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--lang=en-US",
)  # fmt: skip


def start() -> webdriver.Chrome:
    """A browser; whoever starts it ends it by ``quit()``."""
    assert CHROMIUM, "there is no chromium"
    assert DRIVER, "there is no chromedriver"
    options = Options()
    options.binary_location = CHROMIUM
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    driver.set_script_timeout(PATIENCE)
    driver.set_page_load_timeout(PATIENCE)
    return driver


def resize(driver: webdriver.Chrome, width: int, height: int) -> None:
    """Give the page a screen of this size; below 500 pixels a phone's."""
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


def wait(driver: webdriver.Chrome, condition: Callable[[], Any], what: str) -> Any:
    """Until something is true of the page; its value."""
    return WebDriverWait(driver, PATIENCE, poll_frequency=0.05).until(
        lambda _: condition(), f"not within {PATIENCE} s: {what}"
    )


def calculate(driver: webdriver.Chrome, module: str, expression: str) -> Any:
    """What a module of the page says: ``expression`` speaks of it as ``m``."""
    said = driver.execute_async_script(
        f"const done = arguments[arguments.length - 1];"
        f"import('/static/js/{module}').then((m) => ({expression}))"
        f".then((value) => done(JSON.stringify([value ?? null])), (error) => done(String(error.stack)));"
    )
    assert said.startswith("["), said
    return json.loads(said)[0]


def requests(driver: webdriver.Chrome) -> Iterable[str]:
    """Every address that the browser asked for since it was asked this last, WebSockets included."""
    for entry in _log(driver, "performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            yield message["params"]["request"]["url"]
        elif message["method"] == "Network.webSocketCreated":
            yield message["params"]["url"]


def complaints(driver: webdriver.Chrome) -> list[str]:
    """Errors that the console shows since it was asked this last."""
    return [entry["message"] for entry in _log(driver, "browser") if entry["level"] == "SEVERE"]


def _log(driver: webdriver.Chrome, kind: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = driver.get_log(kind)  # type: ignore[no-untyped-call]
    return entries
