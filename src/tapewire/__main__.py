"""``python -m tapewire`` is the command line."""

from tapewire.apps.cli.main import main

main()
