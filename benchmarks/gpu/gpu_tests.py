"""The tests that need a GPU, in a process of their own."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.gpu.record import Measurement, Row, Setting

ROOT = Path(__file__).parents[2]
_OUTCOME = re.compile(r"^(\S+) (PASSED|FAILED|ERROR|SKIPPED)\b.*\[ *\d+%\]$")
# Warnings of other versions of packages are no failures of these tests, and a file that cannot be
# imported there must not cost the others.
_WORDS = ["-m", "gpu", "-v", "-p", "no:cacheprovider", "-o", "filterwarnings=default"]
_WORDS += ["--continue-on-collection-errors"]


def measurements(setting: Setting) -> Iterator[Measurement]:
    """One run of all, on a GPU only."""
    if setting.on_gpu:
        yield Measurement("marked `gpu`", partial(run, setting, files()))


def files() -> list[Path]:
    """Files with such tests; others may need packages that are not there."""
    found = sorted(ROOT.glob("tests/**/test_*.py"))
    return [path for path in found if re.search(r"mark\.gpu\b", path.read_text())]


def run(setting: Setting, paths: list[Path]) -> Row:
    """Count outcomes, as far as the tests got in time; their output is in tests.log."""
    log = setting.output / "tests.log"
    words = [sys.executable, "-m", "pytest", *map(str, paths), *_WORDS]
    start = time.time()
    with log.open("w") as out:
        process = subprocess.Popen(
            words, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        try:
            process.wait(timeout=max(setting.until - start, 10))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return {
        **outcomes(log.read_text()),
        "exit code": process.returncode,
        "seconds": time.time() - start,
    }


def outcomes(text: str) -> Row:
    """Numbers of tests by outcome, and the names of those that failed."""
    found = [match.groups() for line in text.splitlines() if (match := _OUTCOME.match(line))]
    failed = [name for name, outcome in found if outcome in {"FAILED", "ERROR"}]
    counts = Counter(outcome.lower() for _, outcome in found)
    return {**counts, "which failed": ", ".join(failed)}
