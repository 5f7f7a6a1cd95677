"""Message brokers: sinks that publish with confirmation, and sources that are heard in the exchange's place."""
