"""The process that watches: it ends a worker that hangs, and starts another behind what it hung on.

It never imports torch, so nothing that a GPU or a library does can stop it.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.gpu.record import append, read

ROOT = Path(__file__).parents[2]
GRACE_S = 20.0
"""Time after its end that a part may take for its last measurement."""
START_S = 60.0
"""Time in which a worker must have begun its first part."""
LEAST_S = 10.0
"""With less time left no worker is started."""


def supervise(output: Path, minutes: float, device: str) -> None:
    """Run all parts in workers, one of which is usually enough."""
    end, first = time.time() + 60 * minutes, 0
    while end - time.time() > LEAST_S:
        before = len(_begun(output))
        words = ["--first", str(first), "--end", str(end), "--device", device]
        worker = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.gpu", "--output", str(output), *words],
            cwd=ROOT, start_new_session=True,
        )  # fmt: skip
        reason = _watch(worker, output, before, end)
        if reason is None:
            return
        parts = _begun(output)
        if len(parts) == before:  # it cannot even begin
            append(output, {"part": "Machine", "row": "worker", "found": {"failed": reason}})
            return
        last = parts[-1]
        append(output, {"part": last["part"], "row": "the rest", "found": {"failed": reason}})
        first = last["number"] + 1


def _begun(output: Path) -> list[dict]:  # type: ignore[type-arg]
    return [line for line in read(output) if "number" in line]


def _watch(worker: subprocess.Popen, output: Path, before: int, end: float) -> str | None:  # type: ignore[type-arg]
    """Wait for a worker, as long as its part may take; the reason where it did not do all."""
    started = time.time()
    while worker.poll() is None:
        time.sleep(0.5)
        begun = _begun(output)[before:]
        until = begun[-1]["until"] if begun else started + START_S
        if time.time() > min(until, end) + GRACE_S:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
            return "took too long, ended"
    return None if worker.returncode == 0 else f"ended with code {worker.returncode}"
