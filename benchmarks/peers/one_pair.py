"""One pair in a process of its own, whose memory is the tool's.

python -m benchmarks.peers.one_pair greedy fixed.nii.gz moving.nii.gz folder/field.nii.gz
"""

import resource
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.peers.base import Registered
from benchmarks.peers.catalog import TOOLS
from benchmarks.peers.record import Record, add_record
from eval.warp import warp_linear
from l2r.arrays import Volume
from l2r.formats.fields import write_field
from l2r.formats.volumes import read_image

ALLOWED = 0.001
"""Mismatch: single precision gives 1e-7 to 1e-5, a wrong sign or shift much more than this."""


def main(name: str, fixed_path: str, moving_path: str, field: str) -> None:
    """Register, write the field, and record it once its meaning is proven."""
    tool = TOOLS[name]
    start = time.monotonic()
    fixed, moving = read_image(Path(fixed_path)), read_image(Path(moving_path)).array
    registered = tool.register(fixed.array, moving, fixed.affine)
    write_field(Path(field), registered.vectors, fixed.affine)
    seconds = time.monotonic() - start
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found = mismatch(registered, moving)
    if not found <= ALLOWED:
        raise SystemExit(f"{name}: its own warped image differs from ours by {found:.1%}")
    record = Record(
        version=tool.version,
        settings=tool.settings,
        seconds=seconds,
        peak_gib=peak_gib,
        mismatch=found,
    )
    add_record(Path(field), record)


def mismatch(registered: Registered, moving: Volume) -> float:
    """Mean difference of our warped image to the tool's own, over that to the unwarped one.

    Only where the field stays inside the moving image: beyond it, tools have their own ways.
    """
    ours = warp_linear(moving, registered.vectors)
    unwarped = warp_linear(moving, np.zeros_like(registered.vectors))
    inside = warp_linear(np.ones_like(moving), registered.vectors) > 0
    own = registered.warped()[inside]
    changed = np.abs(own - unwarped[inside]).mean()
    return float(np.abs(own - ours[inside]).mean() / max(changed, np.finfo(np.float32).tiny))


if __name__ == "__main__":
    main(*sys.argv[1:])
