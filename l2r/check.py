"""Would the scorer accept this submission, and does it mean what its author thinks?

Names, layout, shapes and values are checked as the scorer would. The units are checked by trying:
where the images are at hand, a field in the right units aligns the edges of the two images at
least as well as the same numbers taken for something else.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_gradient_magnitude, map_coordinates

from l2r.arrays import Shape, Volume
from l2r.dataset import Pair, Scan
from l2r.errors import ImageError, L2RError
from l2r.field import from_normalised
from l2r.formats.nifti import grid_shape, read_image
from l2r.submission import (
    MANIFEST,
    SHARD_MANIFESTS,
    Submission,
    accepted_names,
    as_vectors,
    most_bytes,
    why_missing,
)
from l2r.task import Task

Vectors = Float[np.ndarray, "x y z 3"]

COMPANIONS = {MANIFEST, "metrics.json"}
"""What may lie beside the fields without being asked for."""
SHOWN = 3
"""Unexpected files that are named."""
STRIDE = 2
"""Voxels between the points at which readings of a field are compared."""
CLEARLY_BETTER = 1.1
"""A reading is believed over the right one if it gains this much more edge correlation."""
SMALLEST_GAIN = 0.01
"""Gains of edge correlation below this are noise."""


@dataclass(frozen=True)
class Finding:
    """One thing about a submission that its author should know."""

    name: str
    """The file that it is about."""
    text: str
    kind: Literal["problem", "warning"] = "problem"
    """A problem would cost the submission; a warning is worth a look."""


def check_submission(
    submission: Submission, task: Task, pairs: dict[str, Pair]
) -> Iterator[tuple[str, list[Finding]]]:
    """Check a submission, file by file.

    Args:
        submission: the folder or zip.
        task: whose scorer it is for.
        pairs: every pair that the scorer will ask for, by the name of its field.

    Yields:
        Each expected or unexpected file with what was found; an empty list is good news.
    """
    present = submission.names()
    taken = set()
    for name, pair in pairs.items():
        found = [other for other in accepted_names(task.field, pair) if other in present][:1]
        taken.update(found)
        for other in found:
            yield other, list(_check_field(submission, other, task, pair))
        if not found:
            yield name, [Finding(name, _missing(name, present))]
    extra = [name for name in present if name not in taken and not _companion(name)]
    if extra:
        names = (name if name.isprintable() else repr(name) for name in extra[:SHOWN])
        shown = ", ".join(names) + (", ..." if len(extra) > SHOWN else "")
        yield (
            "other files",
            [Finding("other files", f"{len(extra)} that no pair asks for ({shown}); remove them")],
        )


def _companion(name: str) -> bool:
    return name in COMPANIONS or fnmatchcase(name, SHARD_MANIFESTS)


def _missing(name: str, present: list[str]) -> str:
    reason = why_missing(name, present)
    if reason != "no such file":
        return f"missing; {reason}"
    return "missing; the scorer stops at the first field that it does not find"


def _check_field(submission: Submission, name: str, task: Task, pair: Pair) -> Iterator[Finding]:
    try:
        shape = _grid(pair, task)
        vectors = as_vectors(submission.read(name, most_bytes(shape)), shape, task, name)
    except L2RError as error:
        yield Finding(name, str(error).removeprefix(f"{name}: "))
        return
    largest = float(np.abs(vectors).max())
    if largest == 0:
        yield Finding(name, "the field is zero everywhere: nothing is registered", "warning")
    elif largest > max(shape):
        yield Finding(
            name, f"displacements of up to {largest:g} voxels leave the grid; which unit is it?"
        )
    else:
        if np.array_equal(vectors, np.rint(vectors)):
            yield Finding(name, "whole voxels only: was it stored as integers?", "warning")
        yield from _check_units(name, vectors, pair, task.data.shape)


def _grid(pair: Pair, task: Task) -> Shape:
    if task.data.shape is not None:
        return task.data.shape
    return grid_shape(pair.fixed.path)


READINGS: dict[str, Callable[[Vectors], Vectors]] = {
    "voxels of the half grid: double the values": lambda u: 2 * u,
    "twice the displacement: halve the values": lambda u: u / 2,
    "normalised to [-1, 1], components in the order z, y, x: see docs/conventions.md": (
        from_normalised
    ),
    "components in the order z, y, x: reverse them": lambda u: u[..., ::-1],
    "moving to fixed: it must lead from the fixed to the moving image": lambda u: -u,
}
"""What the numbers of a field may have been meant as."""


def _check_units(name: str, vectors: Vectors, pair: Pair, shape: Shape | None) -> Iterator[Finding]:
    try:
        fixed, moving = (_read(scan, shape) for scan in (pair.fixed, pair.moving))
    except ImageError as error:
        yield Finding(name, f"units not checked: {error}", "warning")
        return
    compare = _EdgeAgreement(fixed, moving)
    zero = compare(np.zeros_like(vectors))
    right = compare(vectors) - zero
    gains = {meaning: compare(read(vectors)) - zero for meaning, read in READINGS.items()}
    meaning, gain = max(gains.items(), key=lambda item: item[1])
    if gain > max(SMALLEST_GAIN, CLEARLY_BETTER * right):
        yield Finding(name, f"the numbers look like {meaning} (edges agree better so)")
    elif right < -SMALLEST_GAIN:
        yield Finding(name, "the edges of the images agree less than without it", "warning")


def _read(scan: Scan, shape: Shape | None) -> Volume:
    image = read_image(scan.path)
    if shape is not None and image.shape != shape:
        raise ImageError(f"{scan.path}: shape {image.shape}, but the task asks for {shape}")
    return image.array


class _EdgeAgreement:
    """Correlation of the gradient magnitudes of the fixed and the warped image."""

    def __init__(self, fixed: Volume, moving: Volume) -> None:
        self._coarse = (slice(None, None, STRIDE),) * 3
        edges = gaussian_gradient_magnitude(fixed, STRIDE)[self._coarse]
        self._inside = edges > edges.mean()
        self._fixed = edges[self._inside]
        self._moving = gaussian_gradient_magnitude(moving, STRIDE)
        self._points = np.argwhere(self._inside).T * STRIDE

    def __call__(self, vectors: Vectors) -> float:
        places = self._points + vectors[self._coarse][self._inside].T
        warped = map_coordinates(self._moving, places, order=1)
        if warped.std() == 0:
            return 0.0
        return float(np.corrcoef(self._fixed, warped)[0, 1])
