"""``tapewire prove``: the real client against days of seeded faults in minutes, and an account of every trade."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isfinite
from typing import TYPE_CHECKING, Any

import click

from tapewire.apps.cli.options import venue_names_like
from tapewire.apps.cli.running import FAILED
from tapewire.apps.cli.terminal import count_of, json_line

if TYPE_CHECKING:
    from tapewire.testing.proof import Proof

    _Seeds = click.ParamType[range]
else:
    _Seeds = click.ParamType  # older clicks have no generic one

_SEEDS = re.compile(r"(\d{1,9})(?:\.\.(\d{1,9}))?")
_MOST_SEEDS = 100_000
_LONGEST = 24.0 * 31
#: Head and width of each column, and how a trial fills it.
_COLUMNS: tuple[tuple[str, int, Callable[[Proof], str]], ...] = (
    ("seed", 6, lambda proof: f"{proof.seed}"),
    ("made", 10, lambda proof: f"{proof.made:,}"),
    ("live", 10, lambda proof: f"{proof.live:,}"),
    ("recovered", 10, lambda proof: f"{proof.recovered:,}"),
    ("polled", 8, lambda proof: f"{proof.polled:,}"),
    ("twice", 6, lambda proof: f"{proof.duplicates:,}"),
    ("lost", 6, lambda proof: f"{proof.lost:,}"),
    ("untold", 7, lambda proof: f"{proof.undetected:,}"),
    ("overrun", 8, lambda proof: f"{proof.overruns:,}"),
    ("lines", 6, lambda proof: f"{proof.reconnects:,}"),
    ("gaps", 7, lambda proof: f"{proof.gaps:,}"),
    ("back", 8, lambda proof: f"{proof.slowest_return:.1f} s"),
    ("whole", 8, lambda proof: f"{proof.slowest_fill:.1f} s"),
)


class Seeds(_Seeds):
    """One seed, or a range: ``7`` or ``1..20``."""

    name = "seeds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, range):
            return value
        match = _SEEDS.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is neither a number from 0 nor a range such as 1..20.", param, ctx)
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < first + _MOST_SEEDS:
            self.fail(f"{value!r} is no range: from the lower to the higher, {_MOST_SEEDS:,} at most.", param, ctx)
        return range(first, last + 1)


class Hours(click.FloatRange):
    """More than 0 and at most a month."""

    def __init__(self) -> None:
        super().__init__(min=0, max=_LONGEST, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        hours = super().convert(value, param, ctx)
        if not isfinite(hours):
            self.fail(f"{value!r} is no number of hours.", param, ctx)
        return hours


@click.command(short_help="Days of seeded faults in minutes: is any trade lost, doubled, any limit overrun?")
@click.option("--hours", type=Hours(), default=24.0, show_default=True, metavar="H",
              help="How long the faults last, on the exchange's clock.")  # fmt: skip
@click.option("--seed", "seeds", type=Seeds(), default="1", show_default=True, metavar="N|A..B",
              help="One trial for each seed.")  # fmt: skip
@click.option("--venue", default="upbit", show_default=True, metavar="VENUE", shell_complete=venue_names_like,
              help="Whose simulated exchange.")  # fmt: skip
@click.option("--redundancy", type=click.IntRange(1, 4), default=1, show_default=True, metavar="N",
              help="Lines that carry the same; with 2 or more the faults hit one line at a time.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 256), default=None, metavar="N",
              help="Trials at the same time.  [default: one for each processor]")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for programs.")
@click.pass_context
def prove(  # noqa: PLR0917 - click names them all
    context: click.Context, hours: float, seeds: range, venue: str, redundancy: int, jobs: int | None, as_json: bool
) -> None:
    """Prove on this machine that nothing is lost: no network, no key, no waiting.

    The real client runs on virtual time against the built-in exchange, which drops, breaks, freezes and silences
    lines, sends garbage, refuses handshakes and REST calls, goes away for maintenance, is slow, and sends trades
    late or twice, all by chance from the seed. Then each trade that was made is looked for among those delivered, the
    last message of each candle is held against the exchange's own, and the end of each order must have been told once,
    each fill too where fills have a stream. In the end balances and positions must be those of the account. Where books
    come as changes, each one that was delivered is held against the exchange's own at that number.

    \b
    made        trades made while subscribed     twice     delivered more than once
    live        delivered as they happened       lost      never delivered
    recovered   delivered after a loss, by REST  untold    lost, and no gap was told
    polled      told by REST in a stream's place overrun   limits, as the exchange counted
    lines       lost and had again               back      slowest return of live data after a loss
    gaps        interrupted streams              whole     slowest delivery of all that a loss cost

    Ends with 1 when anything was doubled, lost, wrong or overrun; with --redundancy also when any trade had to be
    recovered: as long as one line stands, nothing may be missed. The same seed gives the same output to the byte.

    \b
    tapewire prove
    tapewire prove --hours 24 --seed 1..20
    tapewire prove --venue okx --hours 24
    tapewire prove --redundancy 2
    """  # noqa: D301 - click wants the character
    from tapewire.apps.cli.trials import run_trials  # noqa: PLC0415 - heavy, loaded when used
    from tapewire.testing.cast import cast  # noqa: PLC0415

    cast(venue)  # a name that is none is refused here, not by each process
    options: dict[str, Any] = {"venue": venue} | ({"redundancy": redundancy} if redundancy > 1 else {})

    proofs: list[Proof] = []
    for proof in run_trials(seeds, hours, jobs, lambda: None if as_json else click.echo(head()), options):
        proofs.append(proof)
        click.echo(json_line(proof), nl=False) if as_json else click.echo(row_of(proof))
    if as_json:
        click.echo(json_line(totals(proofs)), nl=False)
    else:
        click.echo("\n" + "\n".join(verdict(proofs)))
    context.exit(FAILED if any(proof.broken for proof in proofs) else 0)


def head() -> str:
    """The names of the columns."""
    return "".join(f"{name:>{width}}" for name, width, _ in _COLUMNS)


def row_of(proof: Proof) -> str:
    """One line of the table."""
    return "".join(f"{cell(proof):>{width}}" for _, width, cell in _COLUMNS)


def totals(proofs: list[Proof]) -> dict[str, Any]:
    """The sums over all trials, the worst of the times, and the seeds whose trials broke a promise."""
    summed = (
        "hours",
        "made",
        "live",
        "recovered",
        "polled",
        "duplicates",
        "lost",
        "undetected",
        "candles",
        "candles_wrong",
        "books",
        "books_wrong",
        "books_behind",
        "fills",
        "fills_missed",
        "fills_twice",
        "holdings",
        "holdings_wrong",
        "orders",
        "orders_missed",
        "orders_twice",
        "overruns",
        "reconnects",
        "gaps",
    )
    return {
        "type": "summary", "trials": len(proofs),
        **{name: sum(getattr(proof, name) for proof in proofs) for name in summed},
        **{name: max(getattr(proof, name) for proof in proofs) for name in ("slowest_return", "slowest_fill")},
        "broken": [proof.seed for proof in proofs if proof.broken],
    }  # fmt: skip


def verdict(proofs: list[Proof]) -> list[str]:
    """What it all comes to, for people."""
    total = totals(proofs)
    done = f"{count_of(total['trials'], 'trial')}, {total['hours']:,g} h on the exchange's clock, "
    judged = [
        ("trades", "made"),
        ("candles", "candles"),
        ("books", "books"),
        ("fills", "fills"),
        ("orders", "orders"),
    ]
    done += ", ".join(f"{total[name]:,} {words}" for words, name in judged if total[name])
    broken = [proof for proof in proofs if proof.broken]
    if not broken:
        truth = ", no book wrong" if total["books"] else ""
        return [f"{done}: none lost, none delivered twice{truth}, no limit overrun."]
    return [f"{done}: {count_of(len(broken), 'trial')} broke a promise.", *map(_again, broken)]


def _again(proof: Proof) -> str:
    again = f"tapewire prove --hours {proof.hours:g} --seed {proof.seed}"
    again += f" --venue {proof.venue}" if proof.venue != "upbit" else ""
    again += f" --redundancy {proof.redundancy}" if proof.redundancy > 1 else ""
    return f"  {', '.join(proof.broken)}; once more: {again}"
