"""The full-screen view of ``tapewire watch``: a pure picture of the feed, and a thin textual program that shows it.

picture: events → what is known · controls: keys → what is asked for · table, ladder, tape, wires: panels as lines ·
layout: the whole screen as lines · palette: colours · program: textual · show: the command's part.
Everything but ``program`` and ``show`` is pure: time is handed in, lines come out, so every size is tested without
a terminal.
"""
