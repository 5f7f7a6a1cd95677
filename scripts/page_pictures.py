"""Makes the pictures of the live page that README and docs show: simulated exchanges, gateway, headless chromium.

.venv/bin/python scripts/page_pictures.py                 # docs/pictures/live-page-*.png
.venv/bin/python scripts/page_pictures.py --all FOLDER    # every view at three sizes, both themes and languages
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.dashboard.browser import resize, start  # noqa: E402
from tests.dashboard.stage import Person  # noqa: E402
from tests.dashboard.threads import in_background  # noqa: E402

from tapewire import WebSocketClient  # noqa: E402
from tapewire.apps.cli.serve_demo import simulated  # noqa: E402
from tapewire.apps.gateway.gateway import Gateway  # noqa: E402
from tapewire.apps.gateway.settings import GatewayOptions  # noqa: E402

VIEWS = ("markets", "market/upbit/KRW-BTC", "premium", "health")
SIZES = ((390, 844), (1280, 800), (1920, 1080))
#: What a view must have before its picture is taken, and how long it is then left to grow trends and lines.
READY = {"markets": ".price .figure", "market": ".print:not(.head)", "premium": ".change", "health": ".card"}
WARM_UP = 20.0


class Picture(NamedTuple):
    name: str
    view: str
    size: tuple[int, int]
    settings: dict[str, str]


def usual() -> Iterator[Picture]:
    yield Picture("live-page-markets", "markets", (1280, 800), {"theme": "light"})
    yield Picture("live-page-market", "market/upbit/KRW-BTC", (1280, 800), {"theme": "dark"})
    yield Picture("live-page-health", "health", (1280, 1240), {"theme": "light"})
    korean = {"theme": "dark", "language": "ko", "zone": "KST", "colours": "red"}
    yield Picture("live-page-phone", "market/upbit/KRW-BTC", (390, 844), korean)


def every() -> Iterator[Picture]:
    for view in VIEWS:
        for width, height in SIZES:
            for theme, language in (("light", "en"), ("dark", "ko")):
                korean = language == "ko"
                settings = {"theme": theme, "language": language, "colours": "red" if korean else "green"}
                yield Picture(f"{view.partition('/')[0]}-{width}-{theme}", view, (width, height), settings)


@asynccontextmanager
async def page() -> AsyncIterator[str]:
    async with simulated() as addresses:
        clients = [WebSocketClient("pictures", venue, url=url) for venue, url in addresses.items()]
        async with Gateway(clients, GatewayOptions(port=0)) as gateway:
            yield gateway.url


def take(person: Person, picture: Picture, folder: Path, pause: float) -> None:
    resize(person.driver, *picture.size)
    person.go(picture.view, **picture.settings)
    person.until(lambda: person.texts(READY[picture.view.partition("/")[0]]), "something to see")
    time.sleep(pause)
    path = folder / f"{picture.name}.png"
    if not person.driver.save_screenshot(str(path)):
        raise OSError(f"{path} cannot be written")
    print(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", type=Path, metavar="FOLDER")
    asked = parser.parse_args()
    folder: Path = asked.all or ROOT / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    with in_background(page) as url:
        driver = start()
        try:
            for picture in every() if asked.all else usual():
                take(Person(driver, url), picture, folder, 4.0 if asked.all else WARM_UP)
        finally:
            driver.quit()


if __name__ == "__main__":
    main()
