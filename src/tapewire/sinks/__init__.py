"""Room 6, event → elsewhere: files and message brokers, found by entry point."""
