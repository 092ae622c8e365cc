"""Folded volume of a displacement field."""

import itertools
from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from eval.metrics.base import Case, MetricBase, Of, Result
from eval.metrics.jacobian import Row, determinant
from eval.structures import Slices, bounding_boxes
from eval.truth import IMAGES

Block = Float[np.ndarray, "3 z y x"]
Offset = tuple[int, int, int]

STEPS: tuple[Offset, ...] = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
DIAGONALS: tuple[Offset, ...] = ((1, 1, 0), (0, 1, 1), (1, 0, 1))
_PLANES = 4
"""Planes per slab: some ten arrays of this size are in use, and should stay in the cache."""
_SHARE = 1 / 12
"""A determinant is six times a tetrahedron's volume, and two ways to cut a voxel are averaged."""
_SAFE = 0.9
"""Of the bound, 1: leaves room for the rounding of single precision."""


def folded_volume(
    vectors: Float[np.ndarray, "x y z 3"],
    inside: Bool[np.ndarray, "x y z"],
    precision: type[np.float64 | np.float32] = np.float64,
) -> float:
    """Volume that the transform `T(p) = p + u(p)` turns inside out, `sum of max(-J, 0) / 12`.

    Around every voxel ten tetrahedra are spanned by differences of `T`: eight by one step forward
    or backward along each axis, two by diagonal steps. `J` is their determinant. Only if all ten
    are positive everywhere is the piecewise linear transform free of folds.

    Where `u` changes little, no determinant can be negative, and none is computed: see `_suspects`.

    Args:
        vectors: displacements in voxels.
        inside: where to look; the outermost voxels never count, they lack neighbours.
        precision: of the determinants.

    Returns:
        Voxels, lower is better, 0 without folds. More strongly folded places weigh more, so it can
        exceed the number of voxels.

    Source:
        Liu et al. (2024), On Finite Difference Jacobian Computation in Deformable Image
        Registration, International Journal of Computer Vision, arXiv:2212.06060.
    """
    # The volume is the same after reversing the axes, and NIfTI has x fastest: see eval.warp.
    counted = np.array(inside.T, order="C")
    counted[[0, -1]] = counted[:, [0, -1]] = counted[:, :, [0, -1]] = False
    folded = 0.0
    for box in bounding_boxes(counted.view(np.uint8), 1).values():  # none if nothing is counted
        for slab, block in _slabs(vectors, box):
            found = np.argwhere(counted[slab] & _suspects(block)) + 1
            start = [part.start - 1 for part in slab]
            folded += _folds(block, found, start, precision)
    return _SHARE * folded


def _slabs(vectors: Float[np.ndarray, "x y z 3"], box: Slices) -> Iterator[tuple[Slices, Block]]:
    """Pieces of the box, with `u` on each piece and on the voxels around it."""
    depth, rows, columns = box
    for start in range(depth.start, depth.stop, _PLANES):
        slab = slice(start, min(start + _PLANES, depth.stop)), rows, columns
        z, y, x = (slice(part.start - 1, part.stop + 1) for part in slab)
        yield slab, np.ascontiguousarray(vectors.T[:, z, y, x])


def _suspects(block: Block) -> Bool[np.ndarray, "_ _ _"]:
    """Where a determinant may be negative, at every voxel but the outermost.

    The three steps of `T` that span a tetrahedron are the rows of `M + D`, where `M` holds the
    steps of the grid and `D` those of `u`. No singular value of `M` is below 1, so the determinant
    is positive where the spectral norm of `D` is below 1, hence where the sum of its squares is.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # no number is not below, so it is suspect
        u = block.astype(np.float32, copy=False)
        most, forward, backward = (np.zeros_like(_at(u[0], (0, 0, 0))) for _ in range(3))
        for step in STEPS:
            most += np.maximum(_squares(u, step), _squares(u, _back(step)))
        for step in DIAGONALS:
            forward += _squares(u, step)
            backward += _squares(u, _back(step))
        return ~(np.maximum(most, np.maximum(forward, backward)) < _SAFE)


def _squares(u: Float32[np.ndarray, "3 z y x"], step: Offset) -> Float32[np.ndarray, "_ _ _"]:
    """`|u(p + step) - u(p)|^2`."""
    total = np.zeros_like(_at(u[0], (0, 0, 0)))
    for component in u:
        change = _at(component, step) - _at(component, (0, 0, 0))
        change *= change
        total += change
    return total


def _at(component: Float32[np.ndarray, "z y x"], step: Offset) -> Float32[np.ndarray, "_ _ _"]:
    """A component at `p + step`, for every voxel `p` but the outermost."""
    sizes = zip(component.shape, reversed(step), strict=True)
    return component[tuple(slice(1 + along, size - 1 + along) for size, along in sizes)]


def _back(step: Offset) -> Offset:
    x, y, z = step
    return -x, -y, -z


def _folds(
    block: Block,
    found: Int[np.ndarray, "places 3"],
    start: list[int],
    precision: type[np.float64 | np.float32],
) -> float:
    """Sum of `max(-J, 0)` over some voxels.

    Args:
        block: `u`, in a piece of the grid.
        found: where to look in the piece, the order of axes is z, y, x.
        start: where the piece begins.
        precision: of the determinants.
    """
    flat = np.ravel_multi_index(tuple(found.T), block.shape[1:])
    index = (found + start).T[::-1]
    _, _, rows, columns = block.shape

    def at(step: Offset) -> Row:
        along = flat + step[0] + columns * (step[1] + rows * step[2])
        return [
            component.ravel().take(along).astype(precision) + (here + more).astype(precision)
            for component, here, more in zip(block, index, step, strict=True)
        ]

    here = at((0, 0, 0))
    forward = [_minus(at(step), here) for step in STEPS]
    backward = [_minus(here, at(_back(step))) for step in STEPS]
    volumes = [
        determinant(*rows) for rows in itertools.product(*zip(forward, backward, strict=True))
    ]
    volumes.append(determinant(*(_minus(at(step), here) for step in DIAGONALS)))
    # One diagonal step back lies opposite to each forward, in mirror order.
    volumes.append(determinant(*(_minus(here, at(_back(step))) for step in DIAGONALS)))
    return -sum(float(np.minimum(volume, 0).sum(dtype=np.float64)) for volume in volumes)


def _minus(a: Row, b: Row) -> Row:
    return [one - other for one, other in zip(a, b, strict=True)]


class Ndv(MetricBase):
    """Folded volume in percent of a foreground.

    Foreground are the positive voxels of the moving (LUMIR 2024) or the fixed image (2025, PSMAReg
    2026), or of a mask, without the outermost voxels of the grid. NaN if there are none.

    Source:
        `calc_measurements` of the LUMIR scorer, github.com/JHU-MedImage-Reg/LUMIR_L2R; the mask was
        changed in its issue 5. In single precision, `scoring.py` of
        github.com/JHU-MedImage-Reg/Learn2Reg26_PSMA.
    """

    better: ClassVar[Literal["higher", "lower"]] = "lower"

    metric: Literal["ndv"] = "ndv"
    unit: Literal["%"] = "%"
    folder: str = IMAGES
    """`images`, or a folder of masks."""
    mask: Of
    precision: Literal["double", "single"] = "double"
    """`single`: places are rounded to single precision before they are subtracted."""

    def __call__(self, case: Case) -> Result:
        inside = case.foreground(self.mask, self.folder)
        voxels = int(inside[1:-1, 1:-1, 1:-1].sum())
        precision = np.float64 if self.precision == "double" else np.float32
        folded = folded_volume(case.vectors, inside, precision) if voxels else float("nan")
        percent = 100 * folded / voxels if voxels else float("nan")
        return Result(percent, detailed=percent, unregistered=0.0 if voxels else float("nan"))
