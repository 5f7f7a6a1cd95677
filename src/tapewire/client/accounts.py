"""What a fleet needs of the engine to carry an account: its mark, and what was told of it."""

from tapewire.runtime.cursor_file import AccountState
from tapewire.runtime.limits import account_of
from tapewire.runtime.retelling import Story, copied, lacking, read_story, retold, write_story

__all__ = ["AccountState", "Story", "account_of", "copied", "lacking", "read_story", "retold", "write_story"]
