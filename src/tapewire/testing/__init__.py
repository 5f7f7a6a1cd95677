"""The public test kit: a clock moved by hand, the simulated exchange as a pytest fixture."""
