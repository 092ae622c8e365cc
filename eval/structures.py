"""Label maps made ready for counting.

The ids of a protocol may be any numbers in any order. Here every map holds positions in the list
of ids instead: 0 for "none of them", `k` for the `k`-th. That fits into a byte, can be counted by
`numpy.bincount`, and treats the background like any other structure where a protocol lists it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Integer, UInt

from eval.warp import LabelMap
from l2r.arrays import Box, triple

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


def index_map(
    labels: LabelMap, ids: tuple[int, ...], *, widest_table: int = 2**20
) -> UInt[np.ndarray, "_ _ _"]:
    """Positions in `ids`, counted from 1; 0 where the label is none of them.

    Args:
        labels: a label map of any integer type.
        ids: labels of the structures, in any order.
        widest_table: most entries of a look-up table; labels that span more are searched instead.

    Example:
        >>> index_map(np.array([[[0, 7, 3, 9]]]), (7, 0, 9)).ravel()
        array([2, 1, 0, 3], dtype=uint8)
    """
    kind = np.min_scalar_type(len(ids))
    holds = np.iinfo(labels.dtype)
    # A label that the map's type cannot hold is nowhere in it.
    places = {label: place for place, label in enumerate(ids, 1) if holds.min <= label <= holds.max}
    if not places:
        return np.zeros(labels.shape, kind)
    # As indices of a table, values from 2^63 on would be negative.
    if labels.dtype != np.uint64 and max(*places, 0) - min(*places, 0) < widest_table:
        return _looked_up(labels, places, kind)
    return _searched(labels, places, kind)


def _looked_up(
    labels: LabelMap, places: dict[int, int], kind: np.dtype
) -> UInt[np.ndarray, "_ _ _"]:
    """By a table with an entry for every number from the lowest to the highest label."""
    # Everything beyond the labels is none of them, and finds the first or the last entry.
    low, high = min(*places, 0) - 1, max(*places, 0) + 1
    table = np.zeros(high - low + 1, kind)
    table[np.array(list(places)) - low] = list(places.values())
    if labels.min() >= 0:  # saves a copy in 64 bits
        table, low = table[-low:], 0
    shifted = labels if low == 0 else labels.astype(np.int64) - low
    return _plane_by_plane(shifted, kind, lambda plane: table.take(plane, mode="clip"))


def _searched(
    labels: LabelMap, places: dict[int, int], kind: np.dtype
) -> UInt[np.ndarray, "_ _ _"]:
    """By bisection, whose memory and time do not depend on how large the labels are."""
    known = np.array(sorted(places), labels.dtype)
    found = np.array([places[label] for label in sorted(places)], kind)

    def index(plane: Integer[np.ndarray, "_ _"]) -> UInt[np.ndarray, "_ _"]:
        nearest = np.searchsorted(known, plane).clip(max=len(known) - 1)
        return np.where(known[nearest] == plane, found[nearest], kind.type(0))

    return _plane_by_plane(labels, kind, index)


def _plane_by_plane(
    labels: LabelMap,
    kind: np.dtype,
    index: Callable[[Integer[np.ndarray, "_ _"]], UInt[np.ndarray, "_ _"]],
) -> UInt[np.ndarray, "_ _ _"]:
    """Index a map in its own memory layout, with temporary arrays of a plane's size."""
    turned = labels.T if labels.flags.f_contiguous else labels
    found = np.empty(turned.shape, kind)
    for target, plane in zip(found, turned, strict=True):
        target[...] = index(plane)
    return found.T if labels.flags.f_contiguous else found


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
