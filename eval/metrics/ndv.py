"""Non-diffeomorphic volume (NDV) of a displacement field."""

import itertools
from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from eval.folded_area import folded_area
from eval.jacobian import FloatType, MatrixRow, determinant
from eval.metrics.base import Case, MetricBase, Result, Role
from eval.structures import Slices
from eval.truth import IMAGES
from l2r.arrays import filled_box, inner

FieldSlab = Float[np.ndarray, "3 z y x"]
GridStep = tuple[int, int, int]

STEPS: tuple[GridStep, ...] = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
DIAGONALS: tuple[GridStep, ...] = ((1, 1, 0), (0, 1, 1), (1, 0, 1))
_SHARE = 1 / 12
"""A determinant is six times a tetrahedron's volume, and two ways to cut a voxel are averaged."""
_ROUNDING = 3e-4
"""Times the sizes of what a determinant is computed from: several times what single precision can
get wrong."""


def non_diffeomorphic_volume(
    vectors: Float[np.ndarray, "x y z 3"],
    inside: Bool[np.ndarray, "x y z"],
    precision: FloatType = np.float64,
    planes: int = 4,
    rows: int = 48,
) -> float:
    """Volume that the transform `T(p) = p + u(p)` turns inside out, `sum of max(-J, 0) / 12`.

    Around every voxel ten tetrahedra are spanned by differences of `T`: eight by one step forward
    or backward along each axis, two by diagonal steps. `J` is their determinant. Only if all ten
    are positive everywhere is the piecewise linear transform free of folds.

    All determinants are computed in single precision first; only where one of them is not clearly
    positive they are computed again and count.

    In an image of one slice the four triangles of a pixel and two of its neighbours take the place
    of the tetrahedra: `sum of max(-J, 0) / 4`, an area in pixels.

    Args:
        vectors: displacements in voxels.
        inside: where to look; the outermost voxels never count, they lack neighbours.
        precision: of the determinants.
        planes: of a block; few, because some thirty arrays of its size should stay in the cache.
        rows: of a block.

    Returns:
        Voxels, lower is better, 0 without folds. More strongly folded places weigh more, so it can
        exceed the number of voxels.

    Source:
        Liu et al. (2024), On Finite Difference Jacobian Computation in Deformable Image
        Registration, International Journal of Computer Vision, arXiv:2212.06060.
    """
    if 1 in inside.shape:
        return folded_area(vectors, inside, precision)
    # The volume is the same after reversing the axes, and NIfTI has x fastest: see eval.warp.
    counted = np.array(inside.T, order="C")
    counted[[0, -1]] = counted[:, [0, -1]] = counted[:, :, [0, -1]] = False
    folded = 0.0
    for slab in _blocks(counted, planes, rows):
        z, y, x = (slice(part.start - 1, part.stop + 1) for part in slab)
        block = vectors.T[:, z, y, x]
        found = np.flatnonzero(counted[slab] & _suspects(block))
        if found.size:
            folded += _folds(_places(block, (z, y, x), precision), found)
    return _SHARE * folded


def _blocks(counted: Bool[np.ndarray, "z y x"], planes: int, rows: int) -> Iterator[Slices]:
    """Cut the counted voxels into blocks, each with no more around them than its box."""
    depth, height, _ = counted.shape
    for z, y in itertools.product(range(0, depth, planes), range(0, height, rows)):
        part = counted[z : z + planes, y : y + rows]
        if part.any():
            inner_z, inner_y, x = filled_box(part, 0).slices
            yield _moved(inner_z, z), _moved(inner_y, y), x


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _suspects(block: FieldSlab) -> Bool[np.ndarray, "_ _ _"]:
    """Find the voxels whose smallest determinant is not clearly positive, but for the outermost.

    All ten determinants are computed in single precision; `bound` is more than rounding can change
    one of them by, so what is above it is positive for certain.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        u = np.array(block, np.float32, order="C")
        # Differences of the transform by one step along each axis; the same ones seen from the two
        # voxels that they connect are `forward` and `backward`.
        steps = [_along(u, axis) for axis in range(3)]
        forward = [[part[_part(axis, 1, None)] for part in row] for axis, row in enumerate(steps)]
        backward = [[part[_part(axis, None, -1)] for part in row] for axis, row in enumerate(steps)]
        least = np.full(forward[0][0].shape, np.inf, np.float32)
        # Eight tetrahedra: a . (b x c) for every choice of forward or backward along the axes.
        for second, third in itertools.product(*zip(forward[1:], backward[1:], strict=True)):
            normal = _cross(second, third)  # shared by two of the eight
            np.minimum(least, _dot(forward[0], normal), out=least)
            np.minimum(least, _dot(backward[0], normal), out=least)
        # Two tetrahedra of diagonal steps.
        for sign in (1, -1):
            a, b, c = (_diagonal(u, step, sign) for step in DIAGONALS)
            np.minimum(least, _dot(a, _cross(b, c)), out=least)
        # A determinant is a sum of products of three differences. Each difference is at most
        # 1 + change, and one of the three carries the rounding of the displacements themselves.
        change = max(float(np.abs(part).max()) for row in steps for part in row)
        bound = _ROUNDING * (1 + change) ** 2 * (1 + change + float(np.abs(u).max()))
        return ~(least > bound)  # also true for NaN


def _along(u: Float32[np.ndarray, "3 z y x"], axis: int) -> MatrixRow:
    """`T(p + 1) - T(p)` along an axis, for the voxels that are inside along the two others."""
    inner = tuple(slice(None) if other == axis else slice(1, -1) for other in (2, 1, 0))
    row = [np.diff(component[inner], axis=2 - axis) for component in u]
    row[axis] += 1
    return row


def _part(axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    return tuple(slice(start, stop) if other == axis else slice(None) for other in (2, 1, 0))


def _diagonal(u: Float32[np.ndarray, "3 z y x"], step: GridStep, sign: int) -> MatrixRow:
    """`T(p + step) - T(p)`, or `T(p) - T(p - step)` for the other sign."""
    moved = tuple(
        slice(1 + sign * along, size - 1 + sign * along)
        for along, size in zip(reversed(step), u.shape[1:], strict=True)
    )
    inner = (slice(1, -1),) * 3
    row = [sign * (component[moved] - component[inner]) for component in u]
    for axis, along in enumerate(step):
        if along:
            row[axis] += 1
    return row


def _cross(a: MatrixRow, b: MatrixRow) -> MatrixRow:
    return [a[j] * b[k] - a[k] * b[j] for j, k in ((1, 2), (2, 0), (0, 1))]


def _dot(a: MatrixRow, b: MatrixRow) -> Float[np.ndarray, "_ _ _"]:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _places(block: FieldSlab, box: Slices, precision: FloatType) -> FieldSlab:
    """`T` in a piece of the grid; components in the order x, y, z."""
    places = np.array(block, precision, order="C")
    for axis, part in enumerate(reversed(box)):
        shape = [-1 if other == axis else 1 for other in (2, 1, 0)]
        places[axis] += np.arange(part.start, part.stop, dtype=precision).reshape(shape)
    return places


def _folds(places: FieldSlab, found: Int[np.ndarray, " found"]) -> float:
    """Sum `max(-J, 0)` over some voxels.

    Args:
        places: `T`, in a piece of the grid.
        found: where to look, counted along the piece without its outermost voxels.
    """
    shape = places.shape[1:]
    z, y, x = np.unravel_index(found, [size - 2 for size in shape])
    middle = np.ravel_multi_index((z + 1, y + 1, x + 1), shape)

    def at(step: GridStep, sign: int = 1) -> MatrixRow:
        along = middle + sign * (step[0] + shape[2] * (step[1] + shape[1] * step[2]))
        return [component.ravel().take(along) for component in places]

    here = at((0, 0, 0))
    forward = [_minus(at(step), here) for step in STEPS]
    backward = [_minus(here, at(step, -1)) for step in STEPS]
    rows = [*itertools.product(*zip(forward, backward, strict=True))]
    rows.append(tuple(_minus(at(step), here) for step in DIAGONALS))
    rows.append(tuple(_minus(here, at(step, -1)) for step in DIAGONALS))
    return -sum(float(np.minimum(determinant(*r), 0).sum(dtype=np.float64)) for r in rows)


def _minus(a: MatrixRow, b: MatrixRow) -> MatrixRow:
    return [one - other for one, other in zip(a, b, strict=True)]


class Ndv(MetricBase):
    """Non-diffeomorphic volume in percent of a foreground.

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
    mask: Role
    precision: Literal["double", "single"] = "double"
    """`single`: places are rounded to single precision before they are subtracted."""

    def __call__(self, case: Case) -> Result:
        inside = case.foreground(self.mask, self.folder)
        voxels = int(inside[inner(inside.shape)].sum())
        precision: FloatType = np.float64 if self.precision == "double" else np.float32
        volume = (
            non_diffeomorphic_volume(case.vectors, inside, precision) if voxels else float("nan")
        )
        percent = 100 * volume / voxels if voxels else float("nan")
        return Result(percent, detailed=percent, unregistered=0.0 if voxels else float("nan"))
