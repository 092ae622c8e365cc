"""All parts, in order of value."""

from benchmarks.gpu import (
    batches,
    end_to_end,
    environment,
    gpu_tests,
    networks,
    operations,
    presets,
    profile,
    training_steps,
)
from benchmarks.gpu.record import Part

PARTS = (
    Part("Machine", 15, environment.measurements),
    Part("Tests", 110, gpu_tests.measurements),
    Part("Presets on two pairs", 75, presets.measurements),
    Part("A list, end to end", 45, end_to_end.measurements),
    Part("Profile", 25, profile.measurements),
    Part("Training steps", 55, training_steps.measurements),
    Part("Operations, forward and backward", 35, operations.measurements),
    Part("Batches", 20, batches.measurements),
    Part("Networks", 100, networks.measurements),
)
"""The networks come last: compiled ones take all the time that they get."""
