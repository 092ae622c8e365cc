"""`python -m pipeline`."""

import sys

from pipeline.cli import app, with_command

app(with_command(sys.argv[1:]), prog_name="python -m pipeline")
