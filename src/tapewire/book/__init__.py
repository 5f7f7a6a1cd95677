"""Room 4, changes → order book: keeps books whose exchange sends only what changed (pure)."""
