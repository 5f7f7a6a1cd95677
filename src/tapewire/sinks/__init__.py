"""Room 6, event → elsewhere: files now, brokers later; found by entry point."""
