"""`python -m pipeline`, the same as `regatta`."""

from pipeline.cli import main

main("python -m pipeline")
