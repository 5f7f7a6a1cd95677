"""Thin shells around the client: the command line and its settings."""
