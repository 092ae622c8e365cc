"""Folded volume of a displacement field."""

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool, Float

from eval.metrics.base import Case, MetricBase, Result
from eval.structures import Slices, bounding_boxes

Arrows = Float[np.ndarray, "3 _ _ _"]
Scalars = Float[np.ndarray, "_ _ _"]

_PLANES = 2
"""Planes per slab: some sixty arrays of this size are in use, and should stay in the cache."""
_SHARE = 1 / 12
"""A determinant is six times a tetrahedron's volume, and two ways to cut a voxel are averaged."""
_INNER, _BEFORE, _AFTER = slice(1, -1), slice(None, -2), slice(2, None)


def folded_volume(
    vectors: Float[np.ndarray, "x y z 3"], inside: Bool[np.ndarray, "x y z"]
) -> float:
    """Volume that the transform `T(p) = p + u(p)` turns inside out, `sum of max(-J, 0) / 12`.

    Around every voxel ten tetrahedra are spanned by differences of `T`: eight by one step forward
    or backward along each axis, two by diagonal steps. `J` is their determinant. Only if all ten
    are positive everywhere is the piecewise linear transform free of folds.

    Args:
        vectors: displacements in voxels.
        inside: where to look; the outermost voxels never count, they lack neighbours.

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
    for box in bounding_boxes(counted.astype(np.uint8), 1).values():  # none if nothing is counted
        for slab, places in _slabs(vectors, box):
            folded += float(_folds(places)[counted[slab]].sum())
    return _SHARE * folded


def _slabs(vectors: Float[np.ndarray, "x y z 3"], box: Slices) -> Iterator[tuple[Slices, Arrows]]:
    """Pieces of the box, with `T` on each piece and on the voxels around it."""
    depth, rows, columns = box
    for start in range(depth.start, depth.stop, _PLANES):
        slab = slice(start, min(start + _PLANES, depth.stop)), rows, columns
        z, y, x = (slice(part.start - 1, part.stop + 1) for part in slab)
        places = np.array(vectors.T[::-1, z, y, x], dtype=np.float64, order="C")
        for axis, part in enumerate((z, y, x)):
            shape = [-1 if other == axis else 1 for other in range(3)]
            places[axis] += np.arange(part.start, part.stop).reshape(shape)
        yield slab, places


def _folds(places: Arrows) -> Scalars:
    """Sum of `max(-J, 0)` at every voxel but the outermost."""
    here = places[:, _INNER, _INNER, _INNER]
    forward, backward = _steps(places)
    folds = np.zeros(here.shape[1:])
    for second in (forward[1], backward[1]):
        for third in (forward[2], backward[2]):
            normal = _cross(second, third)  # shared by two of the eight
            folds -= np.minimum(_dot(forward[0], normal), 0)
            folds -= np.minimum(_dot(backward[0], normal), 0)
    for step, orientation in ((_BEFORE, -1), (_AFTER, 1)):
        a = places[:, step, step, _INNER] - here
        b = places[:, _INNER, step, step] - here
        c = places[:, step, _INNER, step] - here
        folds -= np.minimum(orientation * _dot(a, _cross(b, c)), 0)
    return folds


def _steps(places: Arrows) -> tuple[list[Arrows], list[Arrows]]:
    """From a voxel to the next one along each axis, and from the one before to the voxel."""
    forward, backward = [], []
    for axis in (1, 2, 3):
        steps = np.diff(places[_along(axis, slice(None), _INNER)], axis=axis)
        forward.append(steps[_along(axis, slice(1, None), slice(None))])
        backward.append(steps[_along(axis, slice(None, -1), slice(None))])
    return forward, backward


def _along(axis: int, part: slice, others: slice) -> tuple[slice, ...]:
    return (slice(None), *(part if other == axis else others for other in (1, 2, 3)))


def _cross(a: Arrows, b: Arrows) -> Arrows:
    result = np.empty_like(a)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        np.subtract(a[j] * b[k], a[k] * b[j], out=result[i])
    return result


def _dot(a: Arrows, b: Arrows) -> Scalars:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


class Ndv(MetricBase):
    """Folded volume in percent of the image's foreground.

    Foreground are the positive voxels of the moving (LUMIR 2024) or the fixed image (2025), without
    the outermost voxels of the grid. NaN if there are none.

    Source:
        `calc_measurements` of the LUMIR scorer, github.com/JHU-MedImage-Reg/LUMIR_L2R; the mask was
        changed in its issue 5.
    """

    unit: ClassVar[str] = "%"
    better: ClassVar[Literal["higher", "lower"]] = "lower"

    metric: Literal["ndv"] = "ndv"
    folder: str = "images"
    mask: Literal["moving", "fixed"]

    def __call__(self, case: Case) -> Result:
        inside = case.foreground(self.mask)
        voxels = int(inside[1:-1, 1:-1, 1:-1].sum())
        percent = 100 * folded_volume(case.vectors, inside) / voxels if voxels else float("nan")
        return Result(percent, detailed=percent, unregistered=0.0 if voxels else float("nan"))
