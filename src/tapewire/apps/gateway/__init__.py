"""The gateway: one set of upstream lines, served to many local programs."""
