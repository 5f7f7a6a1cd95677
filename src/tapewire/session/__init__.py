"""Keeps one connection true: facts and time in, actions out (pure)."""
