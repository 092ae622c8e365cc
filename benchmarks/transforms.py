"""Seconds, memory and agreement of `regatta apply` and `invert`, with antspyx in the same run.

antspyx pins an older numpy, so it runs in an environment of its own, whose Python `--ants` names:

    python -m benchmarks.transforms --ants ants/bin/python

Both sides have the same files, the same cores, and read and write by themselves. The computation is
timed inside the process, the command from outside, with its start.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from benchmarks.machine import describe
from l2r.machine import usable_cores

SAMPLE = Path("sample")
METHODS = {
    "linear": "linear",
    "cubic": "bSpline",
    "nearest": "nearestNeighbor",
    "generic-label": "multiLabel",
}
"""Ours by antspyx's, which votes among more voxels for `multiLabel`."""
LABELS = ("nearest", "generic-label")
OURS = """
import sys, time
from pathlib import Path
import numpy as np
from l2r.errors import ImageError
from l2r.formats.table import format_of
from l2r.formats.transforms.base import PairGrids
from l2r.formats.transforms.table import read_transform
from l2r.transforms.resample import Resampling
from pipeline.transforms.chain import read_grid
reference, image, field, method, output = sys.argv[1:]
stored = format_of(Path(image)).read(Path(image), ImageError)
transform, grid = read_transform(Path(field), PairGrids()), read_grid(Path(reference))
start = time.perf_counter()
warped = Resampling(grid, transform, method)(stored.array, stored.affine)
print(time.perf_counter() - start)
"""
THEIRS = """
import sys, time
import ants
reference, image, field, method, output = sys.argv[1:]
fixed, moving = ants.image_read(reference), ants.image_read(image)
start = time.perf_counter()
warped = ants.apply_transforms(fixed, moving, [field], interpolator=method)
print(time.perf_counter() - start)
ants.image_write(warped, output)
"""


@dataclass
class Spent:
    """Seconds and memory of a process."""

    seconds: float
    peak_gib: float
    printed: str


WATCH = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)
printed = process.stdout.read()
_, status, usage = os.wait4(process.pid, 0)
print(json.dumps([time.perf_counter() - start, usage.ru_maxrss / 2**20, printed]))
sys.exit(status != 0)
"""
"""A small process between: a child's peak memory begins with that of the process that made it."""


def run(*call: str | Path) -> Spent:
    """Run a process on all cores, and measure it."""
    env = os.environ | {"PYTHONPATH": "."}
    env["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = str(usable_cores())
    watched = [sys.executable, "-c", WATCH, *map(str, call)]
    told = subprocess.run(watched, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return Spent(*json.loads(told.stdout))


def values(path: Path) -> np.ndarray:
    """The voxels of an image."""
    return np.asarray(nib.load(path).dataobj).astype(np.float64)


def compare(ours: np.ndarray, theirs: np.ndarray, method: str) -> str:
    """Agreement of two results, in words."""
    if method in LABELS:
        return f"{int((ours != theirs).sum())} of {int((theirs > 0).sum())} labels differ"
    off = np.abs(ours - theirs) / np.ptp(theirs)
    return f"{off.max():.1e} of the range at most"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fixed", default=SAMPLE / "imagesVal/SAMPLE_0001_0000.nii.gz")
    parser.add_argument("--moving", default=SAMPLE / "imagesVal/SAMPLE_0002_0000.nii.gz")
    parser.add_argument("--labels", default=SAMPLE / "labelsVal/SAMPLE_0002_0000.nii.gz")
    parser.add_argument("--field", help="of Learn2Reg; else one is made", type=Path)
    parser.add_argument("--ants", help="Python of an environment with antspyx", type=Path)
    words = parser.parse_args()
    print(describe())
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        disp = words.field or register(words.fixed, words.moving, folder)
        field = folder / "warp.nii.gz"
        run(sys.executable, "-m", "pipeline", "convert", disp, field, "--fixed", words.fixed)
        scan = nib.load(words.moving)
        moving = folder / "moving.nii.gz"  # in single precision: antspyx rounds no whole numbers
        nib.save(nib.Nifti1Image(scan.get_fdata(dtype=np.float32), scan.affine), moving)
        for method in METHODS:
            image = words.labels if method in LABELS else moving
            measure(folder, (words.fixed, image, field), method, words.ants)
        out = folder / "inverse.nii.gz"
        spent = run(sys.executable, "-m", "pipeline", "invert", field, "--output", out)
        print(f"invert: command {spent.seconds:.1f} s, {spent.peak_gib:.2f} GiB\n{spent.printed}")


def register(fixed: Path, moving: Path, folder: Path) -> Path:
    """Make a field of the two brains."""
    from pipeline.register.registration import Registration  # noqa: PLC0415 - torch

    result = Registration.from_config("any_fast", task="any")(fixed, moving)
    path = folder / "disp.nii.gz"
    nib.save(nib.Nifti1Image(result.field, nib.load(fixed).affine), path)
    return path


def measure(folder: Path, files: tuple[Path, Path, Path], method: str, ants: Path | None) -> None:
    """Print one row of the table."""
    fixed, image, field = files
    ours, theirs = folder / "ours.nii.gz", folder / "theirs.nii.gz"
    command = run(
        sys.executable, "-m", "pipeline", "apply", image, "-t", field, "--reference", fixed,
        "--output", ours, "--interpolation", method,
    )  # fmt: skip
    alone = float(run(sys.executable, "-c", OURS, *files, method, ours).printed)
    row = f"{method}: {alone:.2f} s, command {command.seconds:.2f} s, {command.peak_gib:.2f} GiB"
    if ants is not None:
        other = run(ants, "-c", THEIRS, *files, METHODS[method], theirs)
        row += (
            f"; antspyx {float(other.printed):.2f} s, process {other.seconds:.2f} s, "
            f"{other.peak_gib:.2f} GiB, ratio {float(other.printed) / alone:.1f}; "
            f"{compare(values(ours), values(theirs), method)}"
        )
    print(row)


if __name__ == "__main__":
    main()
