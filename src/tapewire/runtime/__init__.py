"""Where tasks are started: the clock, the drivers, the pool, the manager."""
