"""Time, memory and size of a report of many pairs, made from the sample by random fields.

python -m benchmarks.reports [pairs] [processes]

Subjects are links to the sample's brains, and fields are links to a few smooth random ones, so that
hundreds of pairs need little space. Prints seconds a pair, the peak memory, and the index's size.
"""

import json
import resource
import sys
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.ndimage import zoom

from eval.inspection.command import ReportRequest, make_report
from l2r.dataset import read_pairs
from l2r.formats.fields import write_field
from l2r.submission import field_names
from l2r.task import load_task

ROOT = Path(__file__).parents[1]
SHAPE = (160, 224, 192)
COARSE = (10, 14, 12)
BRAINS, FIELDS = 3, 4
LONGEST_VOX = 6.0


def random_field(seed: int) -> np.ndarray:
    """Draw a smooth field of a few voxels."""
    coarse = np.random.default_rng(seed).uniform(-LONGEST_VOX, LONGEST_VOX, (3, *COARSE))
    factors = np.array(SHAPE) / COARSE
    parts = [zoom(part, factors, order=1) for part in coarse]
    return np.stack(parts, axis=-1).astype(np.float32)


def write_data(folder: Path, count: int) -> Path:
    """Make subjects, a list of consecutive pairs, and a field for each."""
    for kind in ("imagesVal", "labelsVal"):
        (folder / kind).mkdir()
        for number in range(count + 1):
            source = ROOT / "sample" / kind / f"SAMPLE_{1 + number % BRAINS:04}_0000.nii.gz"
            (folder / kind / f"SAMPLE_{number:04}_0000.nii.gz").symlink_to(source)
    names = [f"imagesVal/SAMPLE_{number:04}_0000.nii.gz" for number in range(count + 1)]
    listed = [{"fixed": a, "moving": b} for a, b in pairwise(names)]
    dataset = folder / "dataset.json"
    dataset.write_text(json.dumps({"validation": listed}))
    for seed in range(FIELDS):
        write_field(folder / f"random_{seed}.nii.gz", random_field(seed), np.eye(4))
    (folder / "fields").mkdir()
    pairs = field_names(load_task("aseg").field, read_pairs(dataset, folder))
    for number, name in enumerate(pairs):
        (folder / "fields" / name).symlink_to(folder / f"random_{number % FIELDS}.nii.gz")
    return dataset


def peak_gib() -> float:
    """Peak memory of this process or of the largest of its children."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(each).ru_maxrss for each in who) / 2**20


def main(count: int, jobs: int) -> None:
    """Make the report and print what it took."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        dataset = write_data(folder, count)
        pairs = read_pairs(dataset, folder)
        before, cpu, start = peak_gib(), time.process_time(), time.monotonic()
        request = ReportRequest(
            [folder / "fields"], load_task("aseg"), pairs, folder, folder / "report", jobs
        )
        index = make_report(request)
        wall, busy = time.monotonic() - start, time.process_time() - cpu
        pages = sum(path.stat().st_size for path in (folder / "report" / "assets").iterdir())
        print(f"{count} pairs, {jobs} processes: {wall / count:.2f} s a pair")
        print(f"{busy / count:.2f} s of this process a pair")
        print(f"peak memory {peak_gib():.2f} GiB, {before:.2f} GiB before the report")
        print(f"index {index.stat().st_size / 1e6:.2f} MB, {pages / count / 1e6:.1f} MB a pair")


if __name__ == "__main__":
    words = sys.argv[1:]
    main(int(words[0]) if words else 200, int(words[1]) if len(words) > 1 else 1)
