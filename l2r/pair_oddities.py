"""Oddities of the two images of a pair: headers that disagree, and a contrast that is inverted."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from l2r.arrays import Volume
from l2r.errors import ImageError
from l2r.formats.volumes import Image
from l2r.pairs import Pair

_OPPOSED = -0.2
"""Correlation of two images before registration that says that bright is dark in the other one. T1
brains of the sample have .6, shifted by 30 voxels .04, one of them inverted -.6."""
_FEW_VOXELS = 1000
_SAME_DIRECTION = np.cos(np.deg2rad(2.0))
_SAME_PLACE = 0.5
"""Distance of origins, in the smallest side of a voxel."""


def header_oddities(pair: Pair, fixed: Image, moving: Image) -> Iterator[str]:
    """Yield the oddities of each header, and one line about their differences."""
    for scan, image in ((pair.fixed, fixed), (pair.moving, moving)):
        yield from (f"{scan.path}: {warning}" for warning in image.warnings)
    if found := "; ".join(_differences(fixed, moving)):
        yield f"headers disagree: {found}; the arrays are taken as stored, as the scorers take them"


def _differences(fixed: Image, moving: Image) -> Iterator[str]:
    if fixed.orientation != moving.orientation:
        yield f"fixed is {fixed.orientation}, moving is {moving.orientation}"
    elif (_directions(fixed) * _directions(moving)).sum(axis=0).min() < _SAME_DIRECTION:
        yield "their axes are turned against each other"
    if not np.allclose(fixed.spacing_mm, moving.spacing_mm, rtol=0.01, atol=0):
        yield f"fixed has voxels of {sides_mm(fixed)} mm, moving of {sides_mm(moving)} mm"
    apart_mm = float(np.linalg.norm(fixed.affine[:3, 3] - moving.affine[:3, 3]))
    alike = fixed.orientation == moving.orientation  # else the origins are corners of unlike places
    if alike and apart_mm > _SAME_PLACE * fixed.spacing_mm.min():
        yield f"their origins are {apart_mm:.3g} mm apart"


def _directions(image: Image) -> Float[np.ndarray, "3 3"]:
    return image.affine[:3, :3] / image.spacing_mm


def refuse_opposed(pair: Pair, fixed: Volume, moving: Volume) -> None:
    """Raise ImageError if one of two images of a task of one contrast has it inverted.

    A network for that contrast would give a field that is worse than none.
    """
    fixed, moving = fixed[::2, ::2, ::2], moving[::2, ::2, ::2]
    both = (fixed > 0) & (moving > 0)
    one, other = fixed[both], moving[both]
    if one.size < _FEW_VOXELS or one.min() == one.max() or other.min() == other.max():
        return
    correlation = float(np.corrcoef(one, other)[0, 1])
    if correlation < _OPPOSED:
        raise ImageError(
            f"{pair.fixed.path}, {pair.moving.path}: what is bright in one is dark in the other "
            f"(correlation {correlation:.2f}), but the task is about one contrast; invert one of "
            "them, or use --task any"
        )


def sides_mm(image: Image) -> str:
    """The sides of a voxel in words."""
    return " x ".join(f"{size:.3g}" for size in image.spacing_mm)
