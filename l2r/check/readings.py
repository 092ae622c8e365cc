"""Conventions that the numbers of a field may follow instead of the scorers' one.

Each is linear: the displacement at voxel `p`, in voxels along the array's axes, is
`matrix @ stored + offset`, less `p` itself where the field holds places instead of displacements.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float

from l2r.arrays import Shape

AxisMatrix = Float[np.ndarray, "3 3"]
Triple = Float[np.ndarray, " 3"]

LPS = np.diag([-1.0, -1.0, 1.0])
"""RAS to LPS, the world axes of ITK, and back."""
REVERSED = np.eye(3)[::-1]
AXES = "xyz"
SIGNS = ((), (0, 1), (0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2))
"""Axes that point the other way: ITK's two, then a single one, then others."""
HALF = "voxels of the half grid"
INVERSE = ("moving to fixed", "it must lead from the fixed to the moving image")
PLACES = "places in the moving image instead of displacements"


@dataclass(frozen=True)
class Reading:
    """One convention."""

    meaning: str
    """Completes "the numbers look like"."""
    remedy: str
    """Instruction that turns the field into a right one."""
    matrix: AxisMatrix
    offset: Triple
    places: bool = False
    """Positions in the moving image instead of displacements."""
    transposed: bool = False
    """The array's first three axes are z, y, x; only where the grid looks the same so."""
    inverted: bool = False
    """The field leads from the moving to the fixed image."""
    share: float = 0.8
    """Part of this reading's gain of agreement that the scorers' reading must stay below.

    A field that is merely too weak gains from any reading that stretches it, and blurred images
    gain a little from one that shrinks it.
    """

    @property
    def key(self) -> tuple[float, ...]:
        """Equal for readings that agree on this grid."""
        flags = (self.places, self.transposed, self.inverted)
        return (
            *map(float, flags),
            *self.matrix.round(2).ravel().tolist(),
            *self.offset.round(1).tolist(),
        )


def other_readings(shape: Shape, affine: Float[np.ndarray, "4 4"]) -> list[Reading]:
    """Every convention but the scorers', the likelier first; on some grids several agree.

    Args:
        shape: of the fixed image.
        affine: of the fixed image, voxel indices to RAS millimetres.
    """
    units = list(_units(shape, affine))
    return [
        Reading(*INVERSE, np.eye(3), np.zeros(3), inverted=True),
        *(
            _displacements(unit, order=order, negative=negative)
            for order, negative, unit in product((False, True), SIGNS, units)
            if order or negative or unit.meaning
        ),
        *(_places(unit, order=order) for unit, order in product(units, (False, True))),
        *_world(affine),
        *(
            _transposed(_displacements(units[0], order=order, negative=negative))
            for order, negative in product((False, True), SIGNS[:2])
            if shape[0] == shape[2]
        ),
    ]


@dataclass(frozen=True)
class _Unit:
    meaning: str
    remedy: str
    scale: Triple
    """Voxels per unit along each array axis."""
    origin: Triple
    """Index of the voxel at 0, for places."""
    share: float = 0.8
    """As for `Reading`, where the unit is all that differs."""


def _units(shape: Shape, affine: Float[np.ndarray, "4 4"]) -> Iterator[_Unit]:
    sides, last = np.linalg.norm(affine[:3, :3], axis=0), np.array(shape) - 1.0
    one, zero = np.ones(3), np.zeros(3)
    yield _Unit("", "", one, zero)
    if np.isfinite(sides).all() and (sides > 0).all():
        yield _Unit("millimetres", "divide by the sides of a voxel", 1 / sides, zero, 0.7)
    yield _Unit(HALF, "double the values", 2 * one, zero, 0.9)
    yield _Unit("twice the displacement", "halve the values", one / 2, zero, 0.5)
    yield _Unit("normalised to [-1, 1]", "multiply by (size - 1) / 2", last / 2, last / 2)
    yield _Unit("normalised to [0, 1]", "multiply by size - 1", last, zero)


def _displacements(unit: _Unit, *, order: bool, negative: tuple[int, ...]) -> Reading:
    signs = np.ones(3)
    signs[list(negative)] = -1
    parts = [(unit.meaning, unit.remedy), *_order(order=order), *_negated(negative)]
    matrix = np.diag(signs * unit.scale) @ (REVERSED if order else np.eye(3))
    share = 0.8 if order or negative else unit.share
    return Reading(*_joined(parts), matrix, np.zeros(3), share=share)


def _places(unit: _Unit, *, order: bool) -> Reading:
    parts = [
        (PLACES, ""),
        (unit.meaning, unit.remedy),
        *_order(order=order),
        ("", "subtract each voxel's index"),
    ]
    matrix = np.diag(unit.scale) @ (REVERSED if order else np.eye(3))
    return Reading(*_joined(parts), matrix, unit.origin, places=True)


def _world(affine: Float[np.ndarray, "4 4"]) -> Iterator[Reading]:
    """Millimetres along the axes of the patient, for images whose axes are others."""
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-6:
        return
    to_voxels = np.linalg.inv(affine)[:3, :3]
    for name, axes in (("RAS", np.eye(3)), ("LPS, as ITK writes them", LPS)):
        matrix, what = to_voxels @ axes, f"millimetres along the patient's axes {name}"
        turn = "bring them to the array's axes by the inverse of the affine"
        yield Reading(what, turn, matrix, np.zeros(3))
        yield Reading(
            f"{PLACES}, {what}",
            f"{turn}, subtract each voxel's index",
            matrix,
            -to_voxels @ affine[:3, 3],
            places=True,
        )


def _transposed(reading: Reading) -> Reading:
    known = reading.meaning and f", {reading.meaning}"
    return Reading(
        f"an array with the axes z, y, x{known}",
        ", ".join(filter(None, ("transpose it", reading.remedy))),
        reading.matrix,
        reading.offset,
        transposed=True,
    )


def _order(*, order: bool) -> list[tuple[str, str]]:
    return [("components in the order z, y, x", "reverse them")] if order else []


def _negated(negative: tuple[int, ...]) -> list[tuple[str, str]]:
    if not negative:
        return []
    names = [AXES[axis] for axis in negative]
    listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    itk = " as in ITK's LPS" if negative == (0, 1) else ""
    return [(f"{listed} negated{itk}", f"negate {listed}")]


def _joined(parts: list[tuple[str, str]]) -> tuple[str, str]:
    meanings, remedies = zip(*parts, strict=True)
    return ", ".join(filter(None, meanings)), ", ".join(filter(None, remedies))
