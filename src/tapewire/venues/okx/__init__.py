"""OKX's account stacks as venues: the table of contents of this folder.

profile: facts · channels: subscription ↔ channel, argument, path · symbols: what may be asked · messages: structs of
what is sent · codec: frame → events · sequence: order of its delta books · requests: wishes → payloads · refusals: its
error codes · auth: signatures · rest: markets · limits: calls · history, account: what a stream missed · sim: OKX's own
side of the talk.
"""
