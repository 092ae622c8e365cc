"""Optimisers, and the combination of several gradients into one."""
