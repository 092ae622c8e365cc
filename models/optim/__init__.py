"""The one inner loop and its parts: instance optimisation and guidance are its callers."""
