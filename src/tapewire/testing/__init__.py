"""The public test kit: a clock moved by hand, the simulated exchange as a fixture, the list that venues must pass."""
