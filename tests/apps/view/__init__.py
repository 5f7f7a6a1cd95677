"""The full-screen view: each panel as lines, the program under textual's pilot, the command on a terminal."""
