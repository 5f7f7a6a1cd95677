"""A program that records numbered messages as fast as it can, and says how many are safe; it is to be killed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tapewire.config import TapeOptions
from tapewire.tape.files import tape_files
from tapewire.tape.format import Header, Kind
from tapewire.tape.recorder import Recorder


def main(folder: str, begin: int) -> None:
    """Record messages from number ``begin`` on."""
    options = TapeOptions(folder=folder, write_every=0.005, file_size=40_000, compress=begin % 2 == 0)
    recorder = Recorder(options, Header("upbit", 0, 0), time.time_ns, print)
    noted = bool(tape_files(Path(folder)))  # the first record then says that nobody recorded for a while
    recorder.open()
    number, told = begin, 0
    while True:
        if number - begin < recorder.records + 500:  # no faster than it is written
            recorder.put(Kind.RECEIVED_TEXT, 1, time.time_ns(), b"%09d" % number + b"x" * 60)
            number += 1
        if recorder.records - noted > told:
            told = recorder.records - noted
            sys.stdout.write(f"{begin + told}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
