"""``tapewire import``: a tape of connections that somebody else has captured."""

from __future__ import annotations

from pathlib import Path

import click

from tapewire.apps.cli.options import venue_names_like
from tapewire.apps.cli.terminal import count_of


@click.command("import", short_help="Make a tape of connections that somebody else captured.")
@click.argument("captures", metavar="CAPTURE...", nargs=-1, required=True,
                type=click.Path(path_type=Path, exists=True, dir_okay=False))  # fmt: skip
@click.option("--tape", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="The folder of the tape; one for each capture, by its name, when there are several.")  # fmt: skip
@click.option("--venue", default="upbit", show_default=True, shell_complete=venue_names_like, metavar="VENUE",
              help="Whose connections they were.")  # fmt: skip
def importing(captures: tuple[Path, ...], tape: Path, venue: str) -> None:
    """Make raw tapes of captured connections: NAME.jsonl has one frame a line (NAME.rawdeflate.b64.txt: base64 of its
    bytes), NAME.recv_ts.txt the time of receipt of each in Unix seconds, NAME.sent.jsonl what the client sent.

    A tape made so is played, converted, served and queried as any other. Files of the exchange's own samples
    ({code}_{type}.jsonl) need no import: `tapewire convert` reads them.

    \b
    tapewire import all_cryptofeed-2022-05-13.jsonl --venue okx --tape captured
    tapewire convert captured columns
    """  # noqa: D301 - click wants the character
    from tapewire.client.importing import import_capture  # noqa: PLC0415 - heavy, loaded when used

    for capture in captures:
        folder = tape if len(captures) == 1 else tape / capture.name.partition(".")[0]
        done = import_capture(capture, folder, venue)
        left = f"; {count_of(len(done.keyed), 'stream')} heard with a key only" if done.keyed else ""
        words = f"{count_of(done.frames, 'frame')} of {count_of(len(done.streams), 'stream')}{left}"
        click.echo(f"{capture.name}: {words} to {folder}")
