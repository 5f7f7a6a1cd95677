"""The exchange's announcements: made by hand, and by seed (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from math import log

from tapewire.model.events import KST, AnnouncementEvent
from tapewire.sim.market import Chance, SeededMarket
from tapewire.venues.exchange import Due

_URL = "https://www.upbit.com/service_center/notice?id={}&view=share"
_FIRST = 562_593_104  # ids count on from the one in spec/upbit.md 4.7
_SEEDED = (
    ("trade", "{base} 거래 지원 안내", "{base} 마켓에 대한 거래 지원을 안내드립니다."),
    ("wallet", "{base} 입출금 일시 중단 안내", "**{base}** 네트워크 점검으로 입출금이 중단됩니다."),
    ("maintenance", "서버 점검 안내", "더 나은 서비스를 위해 점검을 진행합니다."),
    ("notice", "{base} 유의 사항 안내", "{base} 거래 시 유의하여 주시기 바랍니다."),
    ("event", "{base} 이벤트 안내", "{base} 이벤트에 참여해 보세요."),
)


class Crier:
    """Makes announcements and has them told.

    Args:
        venue: name that events carry.
        market: whose clock and codes.
    """

    def __init__(self, venue: str, market: SeededMarket) -> None:
        self._venue, self._market = venue, market
        self._listed: dict[str, str] = {}
        self._count = _FIRST

    def announce(self, title: str, category: str, body: str | None = None, uuid: str | None = None) -> str:
        """Tell a new announcement, or the change of the one called ``uuid``.

        Returns:
            its ``uuid``.

        Raises:
            LookupError: nothing of that ``uuid`` was announced.
        """
        now_ms = self._market.now_ms
        listed = datetime.fromtimestamp(now_ms // 1000, KST).isoformat()
        if uuid is None:
            kind, uuid = "CREATED", str(self._count)
            self._count += 1
            self._listed[uuid] = listed
        elif uuid in self._listed:
            kind = "UPDATED"
        else:
            raise LookupError(f"nothing was announced as {uuid}")
        event = AnnouncementEvent(
            venue=self._venue, timestamp=now_ms, event_type=kind, uuid=uuid, title=title, category=category,
            url=_URL.format(uuid), first_listed_at=self._listed[uuid], listed_at=listed, body=body,
        )  # fmt: skip
        self._market.tell([Due("announcement", "", event=event)])
        return uuid

    def cry_by_seed(self, pause: float, chance: Chance) -> None:
        """Announce something now and then.

        Args:
            pause: mean seconds between two announcements.
            chance: what and when.
        """
        symbols = sorted(self._market.symbols)

        def cry(at: float) -> Iterable[Due]:
            wait(at)
            category, title, body = _SEEDED[int(chance.random() * len(_SEEDED))]
            base = self._market.listing(symbols[int(chance.random() * len(symbols))]).base
            self.announce(title.format(base=base), category, body.format(base=base))
            return ()

        def wait(at: float) -> None:
            self._market.at(at - log(1.0 - chance.random()) * pause, cry)

        wait(0.0)
