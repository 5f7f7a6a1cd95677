"""The command table, each command loaded when it is used; errors → one clear line and an exit code."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import click

from tapewire import __version__
from tapewire.apps.cli.running import DONE, FAILED, INTERRUPTED, WRONG_USAGE
from tapewire.apps.cli.terminal import plain
from tapewire.errors import ConfigError, FeedError, SubscriptionError, UnknownName

#: name → (module, one line of help); the command object has the name of its module.
COMMANDS = {
    "demo": ("demo", "The main job in 20 seconds on the built-in simulator: no network, no key."),
    "watch": ("watch", "Look at markets live: a table on a terminal, lines in a pipe."),
    "record": ("record", "Record markets to JSON lines files until stopped."),
    "publish": ("publish", "Feed a message broker: NATS, Redis, RabbitMQ, Kafka."),
    "collect": ("collect", "One collector of a fleet: carries its share of the markets to NATS."),
    "fleet": ("fleet", "Who carries what in a fleet of collectors."),
    "gaps": ("gaps", "What a recording lacks: since when, why, filled or not."),
    "replay": ("replay", "Play raw tapes as if live: to the terminal, a pipe, files."),
    "tape": ("tape", "Raw tapes: what is in them, are they whole, mend them."),
    "convert": ("convert", "Turn recordings and tapes into Parquet, Parquet into JSON lines."),
    "import": ("importing", "Make a tape of connections that somebody else captured."),
    "query": ("query", "Ask a folder of Parquet files in SQL."),
    "serve": ("serve", "Serve one upstream to many local programs, and the live page."),
    "markets": ("markets", "List what can be subscribed."),
    "ping": ("ping", "Ask an exchange for signs of life: does it answer, and how fast?"),
    "doctor": ("doctor", "Try every step towards an exchange and say what to do."),
    "settings": ("settings", "Show every setting: its value, where that is from, what it means."),
    "prove": ("prove", "Days of seeded faults in minutes: is any trade lost, doubled, any limit overrun?"),
    "simulate": ("simulate", "Run a simulated exchange and print its addresses."),
    "bench": ("bench", "Measure the speed here beside plain websockets + json."),
    "completion": ("completion", "Print the completion script for bash, zsh or fish."),
}

_WRONG_USAGE = (ConfigError, SubscriptionError, UnknownName)


class Commands(click.Group):
    """Loads a command's module only when that command is asked for, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            if ctx.resilient_parsing:  # half a line is being completed
                return None
            near = difflib.get_close_matches(cmd_name, COMMANDS, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}."
            ctx.fail(f"No such command {cmd_name!r}; {hint}")
        module = COMMANDS[cmd_name][0]
        command: click.Command = getattr(importlib.import_module(f"tapewire.apps.cli.{module}"), module)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FeedError as error:
            click.echo(f"tapewire: {plain(error, 2000)}", err=True)
            ctx.exit(WRONG_USAGE if isinstance(error, _WRONG_USAGE) else FAILED)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:  # the reader of our output went away (| head): not an error of ours
            _forget_output()
            ctx.exit(DONE)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="tapewire")
def cli() -> None:
    """Keeps crypto-exchange WebSocket feeds true: connect, stay alive, come back, miss nothing in silence.

    Start with `tapewire demo`: it needs no network. Exit codes: 0 done, 1 the feed failed for good,
    2 wrong usage, 130 interrupted after a clean stop.
    """


def main() -> None:
    """What the installed `tapewire` runs."""
    _have_standard_streams()
    try:
        cli(prog_name="tapewire")
    except OSError as error:  # output that cannot be written: a full disk behind ``>``, a terminal that is gone
        _forget_output()
        reason = (error.strerror or str(error)).lower()
        click.echo(f"tapewire: {error.filename or 'standard output'}: {plain(reason)}", err=True)
        sys.exit(FAILED)


def _have_standard_streams() -> None:
    """Started without one of them (``>&-``), the first socket would take its number and get its output."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open as long as we run


def _forget_output() -> None:
    """Let the interpreter's last flush go nowhere instead of raising once more."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    os.close(sink)
