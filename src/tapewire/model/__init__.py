"""Room 0, the words: what every other room speaks in (events, status, subscriptions, markets, losses)."""
