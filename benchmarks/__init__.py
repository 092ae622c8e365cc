"""Measurements, never run by default: `make bench`, or `python -m benchmarks.<name>`."""
