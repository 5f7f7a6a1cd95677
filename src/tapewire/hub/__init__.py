"""Room 5, event → subscribers: who hears what, and what waits for whom."""
