"""Seconds per pair split by stage, and how much of reading and writing is hidden.

python -m benchmarks.end_to_end [run file] [pairs]
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import describe
from pipeline.register.command import register
from pipeline.register.request import RunRequest, resolve

ROOT = Path(__file__).parents[1]


def main(config: str = "configs/t1_default.toml", pairs: str = "6") -> None:
    """Run the main job on the sample brains and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        request = RunRequest(
            config=Path(config),
            task="aseg",
            dataset=ROOT / "sample/SAMPLE_dataset.json",
            output=Path(folder),
            limit=int(pairs),
        )
        start = time.monotonic()
        register(resolve(request))
        wall = time.monotonic() - start
        manifest = json.loads((Path(folder) / "manifest.json").read_text())
    print(describe())
    print(table(manifest, wall))


def table(manifest: dict, wall: float) -> str:  # type: ignore[type-arg]
    """The stages' means in Markdown, and what lies behind the computation."""
    seconds = [entry["seconds"] for entry in manifest["pairs"].values()]
    total = {stage: sum(row[stage] for row in seconds) for stage in seconds[0]}
    beside = total["read"] + total["write"]
    waited = wall - total["predict"] - total["refine"]
    rows = [f"| {stage} | {spent / len(seconds):.2f} |" for stage, spent in total.items()]
    return "\n".join([
        "| stage | seconds per pair |",
        "| --- | --- |",
        *rows,
        f"| wall | {wall / len(seconds):.2f} |",
        "",
        f"{max(0.0, 1 - waited / beside):.0%} of reading and writing is hidden behind the "
        f"computation; peak memory {manifest['peak_memory_gib']['host']:.2f} GiB",
    ])  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
