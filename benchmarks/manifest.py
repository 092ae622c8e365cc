"""Cost of the record of a run: seconds and bytes per pair for lists of growing length.

python -m benchmarks.manifest [pairs ...]
"""

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import describe
from pipeline.register.ledger import WHOLE, Ledger
from pipeline.register.manifest import PairRecord, RunSettings

SETTINGS = RunSettings(
    task={}, config={}, weights_sha256=None, device="cpu", versions={}, commit=None,
    time_budget_s=None,
)  # fmt: skip
RECORD = PairRecord(
    status="done", fixed="fixed.nii.gz", moving="moving.nii.gz", inputs_sha256="0" * 64,
    field_sha256="0" * 64, seconds={"read": 0.1, "predict": 0.1, "refine": 1.0, "write": 0.1},
)  # fmt: skip


def main(*counts: str) -> None:
    """Record lists of pairs without fields and print a table."""
    print(describe())
    print("| pairs | ms a pair while running | ms a pair for the manifest | bytes a pair |")
    print("| --- | --- | --- | --- |")
    for count in map(int, counts or ("1000", "10000")):
        print(row(count))


def row(count: int) -> str:
    """One line of Markdown."""
    names = [f"disp_{number:06d}.nii.gz" for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with Ledger(Path(folder), SETTINGS, WHOLE, names) as ledger:
            for name in names:
                ledger.record(name, RECORD, {"host": 1.0})
            recorded = time.perf_counter()
        end = time.perf_counter()
        size = (Path(folder) / "manifest.json").stat().st_size
    cells = [
        f"{count}",
        f"{1e3 * (recorded - start) / count:.3f}",
        f"{1e3 * (end - recorded) / count:.3f}",
        f"{size / count:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main(*sys.argv[1:])
