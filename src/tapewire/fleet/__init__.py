"""Collectors on any number of hosts that share out markets: who carries what, and how one of them lives."""
