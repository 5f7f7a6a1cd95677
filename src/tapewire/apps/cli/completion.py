"""``tapewire completion SHELL``: prints the script that completes commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_SHELLS = ("bash", "zsh", "fish")


@click.command(short_help="Print the completion script for bash, zsh or fish.")
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  eval "$(tapewire completion bash)"   in ~/.bashrc
    zsh:   eval "$(tapewire completion zsh)"    in ~/.zshrc
    fish:  tapewire completion fish > ~/.config/fish/completions/tapewire.fish
    """  # noqa: D301 - click wants the character
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click knows the three shells of the choice
    script = kind(context.find_root().command, {}, "tapewire", "_TAPEWIRE_COMPLETE")
    click.echo(script.source_template % script.source_vars())
