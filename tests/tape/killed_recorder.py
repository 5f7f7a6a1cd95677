"""A program that records numbered messages as fast as it can, and says how many are safe; it is to be killed."""

from __future__ import annotations

import sys
import time

from tapewire.config import TapeOptions
from tapewire.tape.format import Header, Kind
from tapewire.tape.recorder import Recorder


def main(folder: str, begin: int) -> None:
    """Record messages from number ``begin`` on."""
    options = TapeOptions(folder=folder, write_every=0.005, file_size=40_000, compress=begin % 2 == 0)
    recorder = Recorder(options, Header("upbit", 0, 0), time.time_ns, print)
    recorder.open()
    number, told = begin, 0
    while True:
        if number - begin < recorder.records + 500:  # no faster than it is written
            recorder.put(Kind.RECEIVED_TEXT, 1, time.time_ns(), b"%09d" % number + b"x" * 60)
            number += 1
        if recorder.records != told:
            told = recorder.records
            sys.stdout.write(f"{begin + told}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
