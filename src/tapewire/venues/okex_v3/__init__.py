"""OKEX v3, retired by the exchange (recordings and old tools still speak it): the table of contents of this folder.

profile: facts · symbols: instrument ids · channels: streams and their names · check: what may be asked · times:
ISO 8601 · inflate: frame → text · messages and codec: text → events · requests: wishes → payloads ·
refusals: error codes · auth: login · rest: markets · history: what a stream missed · sim: OKEX's own side of the talk.
"""
