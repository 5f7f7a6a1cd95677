"""Tells programs that send on what they hear when the messages of one socket read have all come."""

from tapewire.transport.turns import Turns, leave, listen

__all__ = ["Turns", "leave", "listen"]
