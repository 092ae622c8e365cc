"""Seconds and memory of a full LUMIR24 case on one core: the official procedure against ours.

python -m benchmarks.scoring [repeats]

Both sides read the same uncompressed files and must find the same values.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath

import numpy as np

from benchmarks.crowded_case import FIELD, FIXED, MOVING, make_case
from benchmarks.official_scorer import official, timed
from eval.metrics.base import Case
from eval.protocol import protocol_of
from eval.truth import GroundTruth
from l2r.formats.fields import read_field
from l2r.pairs import Pair, Scan
from l2r.task import load_task


def main(repeats: str = "3") -> None:
    """Both sides in processes of their own, bound to one core, and a table."""
    from benchmarks.machine import describe  # noqa: PLC0415 - it imports torch

    with tempfile.TemporaryDirectory() as folder:
        make_case(Path(folder))
        theirs, ours = (run(side, folder, repeats) for side in ("official", "ours"))
    compare(theirs["values"], ours["values"])
    print(describe())
    print("| | official, s | ours, s | times faster |\n| --- | --- | --- | --- |")
    total = [sum(side["seconds"].values()) for side in (theirs, ours)]
    rows = [(name, slow, ours["seconds"][name]) for name, slow in theirs["seconds"].items()]
    for name, slow, fast in [*rows, ("**all**", *total)]:
        print(f"| {name} | {slow:.2f} | {fast:.2f} | {slow / fast:.0f} |")
    print(f"\nPeak memory {theirs['gib']:.2f} GiB against {ours['gib']:.2f} GiB; equal values:")
    print(ours["means"])


def run(side: str, folder: str, repeats: str) -> dict[str, dict[str, float]]:
    """Medians over some runs, each with caches of its own; one of the official procedure."""
    command = [sys.executable, "-m", "benchmarks.scoring", side, folder]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    runs = []
    for _ in range(int(repeats) if side == "ours" else 1):
        out = subprocess.run(
            ["taskset", "-c", "0", *command], env=environment, stdout=subprocess.PIPE, check=True
        )
        runs.append(json.loads(out.stdout))
    middle = {
        name: statistics.median(one["seconds"][name] for one in runs) for name in runs[0]["seconds"]
    }
    return runs[0] | {"seconds": middle, "gib": max(one["gib"] for one in runs)}


def compare(theirs: dict[str, object], ours: dict[str, object]) -> None:
    """Dice and HD95 must be the same to the last bit, TRE and NDV to 1e-9."""
    for name, value in theirs.items():
        tolerance = 0 if name in {"DSC", "HD95"} else 1e-9
        np.testing.assert_allclose(ours[name], value, rtol=tolerance, atol=0, err_msg=name)


def ours(folder: Path) -> dict[str, object]:
    """Our metrics, asked for in the protocol's order."""
    seconds: dict[str, float] = {}
    scans = [Scan(PurePosixPath("imagesVal", name), Path()) for name in (FIXED, MOVING)]
    protocol = protocol_of(load_task("lumir24"))
    with timed(seconds, "warp of labels and landmarks"):
        case = Case(Pair(*scans), read_field(folder / FIELD), GroundTruth(folder), protocol.labels)
        case.label_maps("labels")
        case.label_maps("landmarks")
    values, means = {}, {}
    for metric in protocol.metrics:
        with timed(seconds, metric.name):
            result = metric(case)
        values[metric.name], means[metric.name] = result.detailed, result.mean
    return {"seconds": seconds, "values": values, "means": means}


def measure(side: str, folder: str) -> None:
    """One side, in this process."""
    found = {"official": official, "ours": ours}[side](Path(folder))
    found["gib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(found))


if __name__ == "__main__":
    measure(*sys.argv[1:]) if len(sys.argv) > 2 else main(*sys.argv[1:])
