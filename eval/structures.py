"""Label maps made ready for counting.

The ids of a protocol may be any numbers in any order. Here every map holds positions in the list
of ids instead: 0 for "none of them", `k` for the `k`-th. That fits into a byte, can be counted by
`numpy.bincount`, and treats the background like any other structure where a protocol lists it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Integer, UInt

from l2r.arrays import Box, triple

LabelMap = Integer[np.ndarray, "_ _ _"]
IndexMap = UInt[np.ndarray, "x y z"]
Slices = tuple[slice, slice, slice]

_PIECE = 2**16
"""Voxels that are counted at a time."""


@dataclass(frozen=True)
class LabelMaps:
    """The label maps of a pair."""

    fixed: Integer[np.ndarray, "x y z"]
    moving: LabelMap
    """On the moving grid, of whatever shape."""
    warped: Integer[np.ndarray, "x y z"]
    """The moving map after registration, on the fixed grid."""


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
    """Which are in the fixed and in the moving map; most scorers leave the others out."""


def find_structures(maps: LabelMaps, ids: tuple[int, ...] | None) -> Structures:
    """Index all maps.

    Args:
        maps: of the pair.
        ids: the structures to compare; all of the fixed map but the background for None.
    """
    if ids is None:
        ids = tuple(np.unique(maps.fixed[maps.fixed != 0]).tolist())
    fixed, moving = index_map(maps.fixed, ids), index_map(maps.moving, ids)
    unregistered = moving
    if moving.shape != fixed.shape:  # beyond the moving map lies background
        cut = Box((0, 0, 0), triple(fixed.shape)).cut(maps.moving)
        unregistered = index_map(cut, ids)
    return Structures(
        ids=ids,
        fixed=fixed,
        warped=index_map(maps.warped, ids),
        unregistered=unregistered,
        defined=(sizes(fixed, len(ids)) > 0) & (sizes(moving, len(ids)) > 0),
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
    # Everything beyond the ids is none of them, and finds the first or the last place of the table.
    low, high = min(*ids, 0) - 1, max(*ids, 0) + 1
    table = np.zeros(high - low + 1, kind)
    table[np.array(ids) - low] = np.arange(1, len(ids) + 1)
    if labels.min() >= 0:  # saves a copy in 64 bits
        table, low = table[-low:], 0
    places = labels if low == 0 else labels.astype(np.int64) - low
    return _in_order(places, table)


def _in_order(places: LabelMap, table: UInt[np.ndarray, " _"]) -> UInt[np.ndarray, "_ _ _"]:
    """The table's entries, in the layout of `places`; `numpy.take` would give C order."""
    turned = places.T if places.flags.f_contiguous else places
    found = np.empty(turned.shape, table.dtype)
    for plane, indices in zip(found, turned, strict=True):  # so that its copies stay small
        table.take(indices, out=plane, mode="clip")
    return found.T if places.flags.f_contiguous else found


def sizes(indexed: UInt[np.ndarray, "*_"], count: int) -> Int[np.ndarray, " ids"]:
    """Voxels of each of `count` structures."""
    return _counts(indexed, count + 1)[1:]


def joint_sizes(a: IndexMap, b: IndexMap, count: int) -> Int[np.ndarray, "rows columns"]:
    """Voxels by their index in `a` (row) and in `b` (column), both from 0 to `count`.

    All that any measure of overlap needs, in a single pass.

    Example:
        >>> a, b = np.zeros((2, 1, 1, 3), np.uint8); a[..., 1:] = 1; b[..., 2] = 1
        >>> joint_sizes(a, b, 1)
        array([[1, 0],
               [1, 1]])
    """
    side = count + 1
    both = a.astype(np.min_scalar_type(side * side)) * side + b
    return _counts(both, side * side).reshape(side, side)


def _counts(values: UInt[np.ndarray, "*_"], count: int) -> Int[np.ndarray, " values"]:
    """How often each value stands there; piece by piece, because numpy copies them in 64 bits."""
    flat = values.ravel(order="K")
    total = np.zeros(count, np.int64)
    for start in range(0, flat.size, _PIECE):
        total += np.bincount(flat[start : start + _PIECE], minlength=count)
    return total
