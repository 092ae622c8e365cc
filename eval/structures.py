"""Label maps made ready for counting.

The ids of a protocol may be any numbers in any order. Here every map holds positions in the list
of ids instead: 0 for "none of them", `k` for the `k`-th. That fits into a byte, can be counted by
`numpy.bincount`, and treats the background like any other structure where a protocol lists it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Integer, UInt
from scipy.ndimage import find_objects

from eval.warp import warp_nearest
from l2r.arrays import Box

LabelMap = Integer[np.ndarray, "_ _ _"]
IndexMap = UInt[np.ndarray, "x y z"]
Slices = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Structures:
    """The structures of a pair, all on the fixed grid."""

    ids: tuple[int, ...]
    """Label of each structure, in the protocol's order."""
    fixed: IndexMap
    warped: IndexMap
    """The moving map after registration."""
    unregistered: IndexMap
    """The moving map as a zero field leaves it."""
    defined: Bool[np.ndarray, " ids"]
    """Which are in the fixed and in the moving map; the scorers leave the others out."""


def find_structures(
    fixed: Integer[np.ndarray, "x y z"],
    moving: LabelMap,
    vectors: Float[np.ndarray, "x y z 3"],
    ids: tuple[int, ...] | None,
) -> Structures:
    """Warp the moving map and index all maps.

    Args:
        fixed: labels on the fixed grid.
        moving: labels on the moving grid, of whatever shape.
        vectors: displacements in voxels on the fixed grid.
        ids: the structures to compare; all of the fixed map but the background for None.
    """
    if ids is None:
        ids = tuple(np.unique(fixed[fixed != 0]).tolist())
    unregistered = Box((0, 0, 0), _triple(fixed)).cut(moving)
    indexed = index_map(fixed, ids)
    return Structures(
        ids=ids,
        fixed=indexed,
        warped=index_map(warp_nearest(moving, vectors), ids),
        unregistered=index_map(unregistered, ids),
        defined=(sizes(indexed, len(ids)) > 0) & (sizes(index_map(moving, ids), len(ids)) > 0),
    )


def index_map(labels: LabelMap, ids: tuple[int, ...]) -> UInt[np.ndarray, "_ _ _"]:
    """Positions in `ids`, counted from 1; 0 where the label is none of them.

    Example:
        >>> index_map(np.array([[[0, 7, 3, 9]]]), (7, 0, 9)).ravel()
        array([2, 1, 0, 3], dtype=uint8)
    """
    kind = np.min_scalar_type(len(ids))
    if not ids:
        return np.zeros(labels.shape, kind)
    low, high = min(ids) - 1, max(ids) + 1  # everything beyond is none of them
    table = np.zeros(high - low + 1, kind)
    table[np.array(ids) - low] = np.arange(1, len(ids) + 1)
    return table[np.clip(labels.astype(np.int64), low, high) - low]


def sizes(indexed: UInt[np.ndarray, "*_"], count: int) -> Int[np.ndarray, " ids"]:
    """Voxels of each of `count` structures."""
    return np.bincount(indexed.ravel(order="K"), minlength=count + 1)[1:]


def bounding_boxes(indexed: UInt[np.ndarray, "_ _ _"], count: int) -> dict[int, Slices]:
    """The smallest box around each structure that has a voxel, by index."""
    found: list[tuple[slice, ...] | None] = [*find_objects(indexed, max_label=count)]
    return {index: _slices(box) for index, box in enumerate(found, start=1) if box is not None}


def _slices(box: tuple[slice, ...]) -> Slices:
    x, y, z = box
    return x, y, z


def _triple(array: LabelMap) -> tuple[int, int, int]:
    x, y, z = array.shape
    return x, y, z
