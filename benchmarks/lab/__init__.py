"""The fault lab: tapewire and other Upbit clients against one misbehaving server (``python -m benchmarks.lab``)."""
