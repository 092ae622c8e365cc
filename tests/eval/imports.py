"""The imports of a command."""

import subprocess
import sys
from pathlib import Path

RUN = """
import runpy, sys
sys.argv = ["eval", *sys.argv[1:]]
try:
    runpy.run_module("eval", run_name="__main__")
except SystemExit as stopped:
    assert not stopped.code, stopped.code
print(*sorted(sys.modules), sep="\\n", file=sys.stderr)
"""


def modules(*words: str) -> set[str]:
    """Modules that `python -m eval` with these arguments imports, in a process of its own."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN, *words],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.splitlines())
