"""The simulated exchange as pytest fixtures, loaded by pytest itself once tapewire is installed."""
