"""What a client of the lab says on standard output: one JSON object a line (plain Python, runs in any environment)."""

import json
import sys
import time


def say(**facts):
    """One line; ``t`` is the machine's monotonic clock, which the server reads too."""
    sys.stdout.write(json.dumps({"t": time.monotonic(), **facts}) + "\n")
    sys.stdout.flush()


def hello(version):
    say(what="hello", version=version)


def data(trade_id):
    """A trade reached the user's handler."""
    say(what="data", id=int(trade_id))


def foreign(thing):
    """Something else reached the user's data handler."""
    say(what="foreign", text=(json.dumps(thing, ensure_ascii=False) if isinstance(thing, dict) else str(thing))[:200])


def told(text):
    """The user was told something apart from the data (an event, an exception)."""
    say(what="told", text=str(text)[:300])


def ended(text):
    """The client's loop came to its end."""
    say(what="ended", text=str(text)[:300])


def port():
    return int(sys.argv[1])
