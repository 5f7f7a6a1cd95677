"""The ten faults of the lab, what green means for each, and the judge of what a client did."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

Kind = Literal["abort", "close", "frames", "refuse", "close_each", "silence"]

#: Upbit takes five connections a second from one address (spec/upbit.md section 7).
MAX_CONNECTS_A_SECOND = 5
#: More of one core than this after the fault, at ten messages a second, is a busy loop.
BUSY_SHARE = 0.3
#: A client that reconnects in a circle makes more connects than this while the fault lasts.
#: (Full jitter on 1, 2, 4, 8, 16, 30 s makes six or seven in 25 s, more than ten once in fifty thousand.)
MAX_CONNECTS_OF_A_FAULT = 10

NOT_JSON = b"<html>502 Bad Gateway</html>"
UNKNOWN_TYPE = b'{"type":"mystery","ty":"mystery","code":"KRW-BTC","cd":"KRW-BTC","timestamp":1,"tms":1}'
STATUS = b'{"status":"UP"}'
WRONG_FORMAT = '{"error":{"name":"WRONG_FORMAT","message":"Format 이 맞지 않습니다."}}'.encode()


@dataclass(frozen=True)
class Row:
    """One fault and what a client must do about it to be green.

    Attributes:
        number, key, title: its place in the table, the word for ``--row``, the text for people.
        kind: what the server does; ``code`` is the close code (None: TCP reset), ``frames`` what it sends.
        lasts: seconds the fault stays (the server is down, closes every line, keeps silent).
        watch: seconds after the fault for which the client is watched at most.
        settle: seconds it must stay well before the watch may end early; None: always the whole time.
        back_within: seconds within which data must flow again, from the end of the fault; None: not asked.
        keeps_line: no reconnect allowed: one bad or control frame must not cost the line.
        bounded: connects while the fault lasts are counted against ``MAX_CONNECTS_OF_A_FAULT``.
        must_tell: a word the user must be told apart from the data.
        must_notice: the silence must be told, or answered by a new line, while it lasts.
    """

    number: int
    key: str
    title: str
    kind: Kind
    watch: float
    code: int | None = None
    frames: tuple[bytes, ...] = ()
    lasts: float = 0.0
    settle: float | None = 3.0
    back_within: float | None = 10.0
    keeps_line: bool = False
    bounded: bool = False
    must_tell: str = ""
    must_notice: bool = False

    @property
    def down(self) -> bool:
        """Whether the server refuses connections while the fault lasts."""
        return self.lasts > 0 and self.kind in ("abort", "close")

    def shortened(self, *, watch: float, settle: float | None, lasts: float) -> Row:
        """The same row watched for less long."""
        return replace(self, watch=watch, settle=settle, lasts=lasts)

    @property
    def outage(self) -> float:
        """Seconds after the strike during which no client can have data."""
        return self.lasts if self.down or self.kind == "close_each" else 0.0


ROWS: tuple[Row, ...] = (
    Row(1, "abort", "TCP abort (1006)", "abort", watch=20),
    Row(2, "close-1000", "Server closes 1000", "close", code=1000, watch=20),
    Row(3, "close-1001", "Server closes 1001", "close", code=1001, watch=20),
    Row(4, "closed-down", "Closed, down 8 s", "close", code=1001, lasts=8, watch=55, back_within=35),
    Row(5, "aborted-down", "Aborted, down 8 s", "abort", lasts=8, watch=55, back_within=35),
    Row(
        6,
        "garbage",
        "One non-JSON frame and one unknown type",
        "frames",
        frames=(NOT_JSON, UNKNOWN_TYPE),
        watch=25,
        settle=None,
        keeps_line=True,
    ),
    Row(7, "status", '`{"status":"UP"}` frame', "frames", frames=(STATUS,), watch=25, settle=None, keeps_line=True),
    Row(
        8,
        "error",
        '`{"error":{"name":"WRONG_FORMAT"…}}` to every request',
        "refuse",
        frames=(WRONG_FORMAT,),
        lasts=25,
        watch=25,
        settle=None,
        back_within=None,
        bounded=True,
        must_tell="WRONG_FORMAT",
    ),
    Row(
        9,
        "close-each",
        "Close 1000 50 ms after every subscribe, 25 s",
        "close_each",
        code=1000,
        lasts=25,
        watch=65,
        back_within=35,
        bounded=True,
    ),
    Row(
        10,
        "silence",
        "Data stops, pings still answered, 170 s",
        "silence",
        lasts=170,
        watch=170,
        back_within=None,
        must_notice=True,
    ),
)

BY_KEY = {row.key: row for row in ROWS}


@dataclass
class Observation:
    """What one client did in one row. All times are seconds of one monotonic clock.

    Attributes:
        fault_at: when the fault struck; None while it has not.
        last_id: id of the last trade sent before the fault.
        connects: WebSocket handshakes the server saw.
        data: (time, trade id) of everything that reached the user's data handler and was a trade.
        foreign: (time, text) of everything that reached it and was not.
        told: (time, text) of what the user was told apart from the data: events, exceptions.
        ended: (time, text) of the client's end; None while it lives.
        cpu_share: CPU seconds a second after the fault, of one core.
        log: the last error line the client left on its error output.
        until: when the watch ended.
    """

    fault_at: float | None = None
    last_id: int = 0
    connects: Sequence[float] = ()
    data: list[tuple[float, int]] = field(default_factory=list)
    foreign: list[tuple[float, str]] = field(default_factory=list)
    told: list[tuple[float, str]] = field(default_factory=list)
    ended: tuple[float, str] | None = None
    cpu_share: float = 0.0
    log: str = ""
    until: float = 0.0
    version: str = ""

    def back_at(self, row: Row) -> float | None:
        """When the first trade came that was made after the fault struck, and after it ended if it kept data away."""
        since = (self.fault_at or 0.0) + row.outage
        return next((at for at, trade in self.data if trade > self.last_id and at >= since), None)

    def flows_at_the_end(self) -> bool:
        """Whether data still came in the last two seconds of the watch."""
        return bool(self.data) and self.data[-1][0] > self.until - 2.0

    def connects_after(self, start: float, end: float) -> int:
        """Handshakes in that span, the start left out."""
        return bisect_right(self.connects, end) - bisect_right(self.connects, start)

    def most_connects_in_a_second(self) -> int:
        """The largest number of handshakes in any window of one second."""
        return max((i - bisect_right(self.connects, at - 1.0) + 1 for i, at in enumerate(self.connects)), default=0)


@dataclass(frozen=True)
class Verdict:
    """Green or red, the short text of the table, and every reason for red."""

    green: bool
    text: str
    reasons: tuple[str, ...] = ()


def judge(row: Row, seen: Observation) -> Verdict:
    """Green when nothing that the row asks for failed."""
    if seen.fault_at is None:
        return Verdict(green=False, text="never subscribed", reasons=(seen.log or "no request came",))
    reasons = [reason for reason in _failures(row, seen, seen.fault_at) if reason]
    return Verdict(green=not reasons, text="; ".join([*reasons, *_news(row, seen, seen.fault_at)]), reasons=(*reasons,))


def settled(row: Row, seen: Observation, now: float) -> bool:
    """Whether the client did what the row asks and stayed well for ``settle`` seconds: no need to watch on."""
    if row.settle is None or seen.fault_at is None:
        return False
    if row.must_notice and _noticed(seen, seen.fault_at) is None:
        return False
    back = seen.back_at(row)
    return back is not None and now >= back + row.settle


def _failures(row: Row, seen: Observation, fault: float) -> list[str]:
    return [
        _death(row, seen),
        _silence(row, seen, fault),
        _storm(row, seen, fault),
        _foreign(seen),
        _lost_line(row, seen, fault),
        _untold(row, seen),
        _busy(seen),
    ]


def _death(row: Row, seen: Observation) -> str:
    if seen.ended is None or (row.must_tell and row.must_tell in seen.ended[1]):
        return ""
    return seen.ended[1]


def _silence(row: Row, seen: Observation, fault: float) -> str:
    if seen.ended is not None:
        return ""
    if row.must_notice:
        return "" if _noticed(seen, fault) is not None else "never noticed"
    if row.back_within is None:
        return ""
    back = seen.back_at(row)
    if back is None:
        return f"no data ever again ({seen.log})" if seen.log else "no data ever again"
    late = back - fault - row.outage
    if late > row.back_within:
        return f"back only after {_seconds(late)}"
    return "" if seen.flows_at_the_end() else "data stopped again"


def _storm(row: Row, seen: Observation, fault: float) -> str:
    most = seen.most_connects_in_a_second()
    during = seen.connects_after(fault, fault + row.lasts)
    if row.bounded and during > MAX_CONNECTS_OF_A_FAULT:
        return f"{during} connects in {row.lasts:.0f} s (up to {most}/s)"
    return f"{most} connects in one second" if most > MAX_CONNECTS_A_SECOND else ""


def _foreign(seen: Observation) -> str:
    if not seen.foreign:
        return ""
    first = seen.foreign[0][1]
    return f"`{first if len(first) <= 40 else first[:37] + '…'}` in the data"


def _lost_line(row: Row, seen: Observation, fault: float) -> str:
    return "drops the line" if row.keeps_line and seen.connects_after(fault, seen.until) else ""


def _untold(row: Row, seen: Observation) -> str:
    if not row.must_tell:
        return ""
    words = [text for _, text in seen.told] + ([seen.ended[1]] if seen.ended else [])
    return "" if any(row.must_tell in text for text in words) else "error never told as one"


def _busy(seen: Observation) -> str:
    return f"busy loop ({seen.cpu_share:.0%} CPU)" if seen.cpu_share > BUSY_SHARE else ""


def _noticed(seen: Observation, fault: float) -> float | None:
    """When the silence was told or answered by a new line."""
    signs = [at for at, _ in seen.told if at > fault] + [at for at in seen.connects if at > fault]
    return min(signs, default=None)


def _news(row: Row, seen: Observation, fault: float) -> list[str]:
    """What is worth saying beside the failures."""
    news = []
    back, noticed = seen.back_at(row), _noticed(seen, fault)
    if row.must_notice and noticed is not None:
        news.append(f"noticed after {noticed - fault:.0f} s")
    elif row.keeps_line and back is not None and not seen.connects_after(fault, seen.until):
        news.append("keeps the line")
    elif row.back_within is not None and back is not None and seen.ended is None:
        news.append(_back(back - fault - row.outage, after=" after the server" if row.outage else ""))
    if row.bounded and (during := seen.connects_after(fault, fault + row.lasts)) <= MAX_CONNECTS_OF_A_FAULT:
        news.append(f"{during or 'no'} reconnect{'' if during == 1 else 's'}")
    if row.must_tell and not _untold(row, seen):
        news.append("told as an error")
    return news


def _back(late: float, after: str) -> str:
    if late < 0.05:
        return "back with the server" if after else "back at once"
    return f"back {_seconds(late)}{after}" if after else f"back in {_seconds(late)}"


def _seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
